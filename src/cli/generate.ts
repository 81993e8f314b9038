/** `fleetgate generate`: schemas for editors and reference pages, all from the shapes that check the files. */

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { describeAdmin, unserved } from '../admin/admin-operations.ts'
import { createSignIn, type SignInParts } from '../admin/sign-in/sign-in.ts'
import { createTeamOperations, type TeamOperationsParts } from '../admin/team/operations.ts'
import { catalogShape } from '../catalog/catalog-shape.ts'
import { configReference, configSchema } from '../config/reference.ts'
import type { Catalog } from '../domain/catalog.ts'
import { toJsonSchema } from '../lib/shape.ts'
import { openCatalog } from '../open-parts.ts'
import { policyFileShape } from '../policy/policy-shape.ts'
import { count, Finding, type Io, json } from './io.ts'

const help = `
Examples:
  fleetgate generate             writes schemas/*.json and docs/config.md below the current folder
  fleetgate generate --check     writes nothing; exit code 1 if one of them is not as it would be written`

export function addGenerate(program: Command, io: Io): void {
  program
    .command('generate')
    .description('Write the JSON Schemas and the reference page of the configuration')
    .option('--folder <path>', 'where schemas/ and docs/ lie', '.')
    .option('--check', 'only say whether the files are up to date')
    .addHelpText('after', help)
    .action(({ folder, check }: { folder: string; check?: true }) => {
      const stale = generatedFiles().filter(([path, text]) => textOf(join(folder, path)) !== text)
      for (const [path, text] of stale) {
        if (!check) write(join(folder, path), text)
        io.out(`${check ? 'stale' : 'written'}: ${path}`)
      }
      io.out(`${count(stale.length, 'file')} ${check ? 'not up to date' : 'changed'}`)
      if (check && stale.length > 0) throw new Finding()
    })
}

function generatedFiles(): [path: string, text: string][] {
  const catalog = openCatalog({ catalog: { kind: 'shipped', name: 'particle' } })
  const { resources } = catalog
  return [
    ['schemas/config.schema.json', schema(configSchema())],
    ['schemas/policy.schema.json', schema(policySchema(resources))],
    ['schemas/catalog.schema.json', schema(toJsonSchema(catalogShape, 'A fleetgate catalog'))],
    ['schemas/admin-api.openapi.json', schema(adminApi(catalog))],
    ['docs/config.md', `${configReference()}\n`],
  ]
}

/** With all that a configuration may add. */
function adminApi(catalog: Catalog): unknown {
  const team = createTeamOperations({ ...unserved<TeamOperationsParts>(), catalog })
  const signIn = createSignIn({
    ...unserved<SignInParts>(),
    random: randomBytes,
    oidc: {
      ...{ issuer: 'https://login.example.com', clientId: 'fleetgate', clientSecret: undefined },
      redirectUri: 'https://fleetgate.example.com/sign-in/callback',
      ...{ scopes: [], claimsFrom: 'id_token', nameClaim: '', roleClaim: '' },
      roles: { viewer: [], editor: [], owner: [] },
    },
  })
  const { sessionCookie } = signIn
  const extra = [...team, ...signIn.operations]
  return describeAdmin({ extra, sessionCookie, errorShape: catalog.errors })
}

function policySchema(resources: Catalog['resources']): unknown {
  return toJsonSchema(policyFileShape(resources), 'A fleetgate policy file')
}

function schema(value: unknown): string {
  return `${json(value)}\n`
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
