// What a start loads: a gate carries nothing that its configuration does not ask for, and what it asks for is there before it listens.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fleetgate, running } from '../kit/cli.ts'

const hook = pathToFileURL(join(import.meta.dirname, '..', 'kit', 'note-modules.ts')).href
const admin = "listen: { data: '127.0.0.1:0', admin: '127.0.0.1:0' }\n"
const oidc = `operators:
  oidc:
    issuer: http://127.0.0.1:1
    client_id: fleetgate
    client_secret: { file: credential }
    redirect_uri: http://127.0.0.1:2/sign-in/callback
    scopes: [openid]
    name_claim: email
    role_claim: groups
    owner: [fleet-admins]
`

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetgate-loaded-'))
  mkdirSync(join(folder, 'policies'))
  writeFileSync(join(folder, 'credential'), 'c'.repeat(40), { mode: 0o600 })
  writeFileSync(
    join(folder, 'policies', 'users.yaml'),
    `users:
  wall: { owner: field@acme.example, product: 12345, devices: all, scopes: [devices:get], expires: never }
`,
  )
})

afterEach(() => rmSync(folder, { recursive: true }))

function configure(lines: string): void {
  const listen = lines.includes('listen:') ? '' : "listen: { data: '127.0.0.1:0' }\n"
  writeFileSync(
    join(folder, 'fleetgate.yaml'),
    `upstream: { url: 'http://127.0.0.1:1', credentials: { default: { file: credential } } }\n${listen}${lines}`,
  )
}

function inside() {
  const env = {
    MODULES_FILE: join(folder, 'modules'),
    NODE_OPTIONS: `--import=${hook}`,
  }
  return { cwd: folder, env }
}

/** Paths below `src` and `node_modules`, as `src/main.ts` and `pg/lib/index.js`. */
function loaded(): string[] {
  const urls = readFileSync(join(folder, 'modules'), 'utf8').split('\n')
  return urls.flatMap(
    (url) => /\/(?:node_modules\/(?!.*\/node_modules\/)|(?=src\/))(.*)$/.exec(url)?.[1] ?? [],
  )
}

/** Of a gate that serves and is stopped without one request. */
async function loadedByServe(lines: string): Promise<string[]> {
  configure(lines)
  {
    await using gate = running(['serve'], inside())
    await gate.line(/fleetgate serves/)
    gate.signal('SIGTERM')
    expect(await gate.ended()).toBe(0)
  }
  return loaded()
}

const signIn = /^(openid-client|oauth4webapi|jose)\/|^src\/admin\/sign-in\//
const port = /^src\/(admin\/|open-admin-port)/
const postgres = /^pg\/|^src\/store\/postgres\//
/** Commands but `serve`, the simulated cloud, and front doors of packages of which a part is used. */
const never =
  /^src\/cli\/(?!config-file|io|program|serve)|^(undici|rate-limiter-flexible)\/index\.|^pg-native/

describe('a gate loads', () => {
  it('neither admin port, sign-in nor PostgreSQL where it has none of them', async () => {
    const files = await loadedByServe('')
    const found = [signIn, port, postgres, never].flatMap((part) =>
      files.filter((file) => part.test(file)),
    )
    expect(found).toEqual([])
    expect(files).toEqual(
      expect.arrayContaining([
        'src/cli/serve.ts',
        'src/server.ts',
        'undici/lib/dispatcher/pool.js',
        'rate-limiter-flexible/lib/RateLimiterMemory.js',
      ]),
    )
  })

  it('the admin port with it, and no sign-in', async () => {
    const files = await loadedByServe(admin)
    expect(files).toContain('src/admin/app.ts')
    expect(files.filter((file) => signIn.test(file) || never.test(file))).toEqual([])
  })

  it('sign-in where it is configured, before anybody signs in', async () => {
    const files = await loadedByServe(admin + oidc)
    expect(files.some((file) => file.startsWith('openid-client/'))).toBe(true)
    expect(files.filter((file) => never.test(file))).toEqual([])
  })

  it('the driver of PostgreSQL where the store is there, before it can listen', async () => {
    configure("store: 'postgres://gate@127.0.0.1:1/gate'\n")
    const { code, out } = await fleetgate(['serve'], inside())
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(loaded().some((file) => file.startsWith('pg/'))).toBe(true)
  })
})

describe('a command loads', () => {
  it('itself, and no gate', async () => {
    configure('')
    expect((await fleetgate(['check'], inside())).code).toBe(0)
    const files = loaded()
    expect(files).toContain('src/cli/check.ts')
    expect(files).not.toContain('src/cli/serve.ts')
    expect(files).not.toContain('src/server.ts')
  })
})
