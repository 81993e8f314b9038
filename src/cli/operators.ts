/** `fleetgate operators`: who may administer API users by the admin port. A token leaves here once, alone, on standard output. */

import { randomBytes } from 'node:crypto'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { durationMs } from '../lib/shape.ts'
import { openCatalog } from '../open-parts.ts'
import type { OperatorRole, OperatorRow } from '../store/operator-store.ts'
import { createOperatorTokens, type OperatorTokens } from '../store/operator-tokens.ts'
import { type Ledger, openLedger } from './accounts.ts'
import { author } from './author.ts'
import { type ConfigOption, openOfflineConfig, withConfig } from './config-file.ts'
import { count, Finding, type Io, json, table, time, UsageError } from './io.ts'

const help = `
  viewer  sees API users, tokens and permissions
  editor  changes API users and their tokens as well
  owner   manages operators as well
With --product an operator sees and changes only what lies inside that product.

The first operator is made here; the others by an owner, or by signing in where "operators.oidc" is set.`

type NewOptions = ConfigOption & { role: OperatorRole; product?: string; expires?: number }
type RevokeOptions = ConfigOption & { evenTheLastOwner?: true }

export function addOperators(program: Command, io: Io): void {
  const operators = program
    .command('operators')
    .description('Operators: people and automation that administer API users')
    .addHelpText('after', help)

  withConfig(operators.command('create <name>'))
    .description('Make an operator, and print its token once')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['viewer', 'editor', 'owner'])
        .makeOptionMandatory(),
    )
    .option('--product <id>', 'only inside this product')
    .option('--expires <duration>', 'how long its token lives, e.g. 90d; without it for good', span)
    .addHelpText(
      'after',
      '\nExample:\n  fleetgate operators create alice --role owner --expires 90d > alice.token',
    )
    .action((name: string, options: NewOptions) => create(name, options, io))

  withConfig(operators.command('list'))
    .description('All operators, by the public ids of their tokens')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  fleetgate operators list')
    .action(async (options: ConfigOption & { json?: true }) => {
      await using ledger = await openLedger(openOfflineConfig(options, io), io.clock)
      const rows = (await tokensOf(ledger, io).list()).map((row) => shown(row, io.clock.now()))
      if (options.json) io.out(json(rows))
      else io.out(table(head, rows.map(cells)))
    })

  withConfig(operators.command('revoke <name>'))
    .description('Kill every token of an operator, sign-ins too')
    .option('--even-the-last-owner', 'also where nobody is left who manages operators')
    .addHelpText('after', '\nExample:\n  fleetgate operators revoke alice')
    .action((name: string, options: RevokeOptions) => revoke(name, options, io))
}

async function create(name: string, options: NewOptions, io: Io): Promise<void> {
  const config = openOfflineConfig(options, io)
  const { role, product, expires } = options
  if (product !== undefined && !openCatalog(config).resources.product.id.test(product)) {
    throw new UsageError(
      `--product takes the id of a product, and "${product}" is none: a name may become another one's`,
    )
  }
  await using ledger = await openLedger(config, io.clock)
  const { token, row } = await tokensOf(ledger, io).create(
    {
      ...{ name, role, via: 'token' },
      ...(product !== undefined && { product }),
      ...(expires !== undefined && { expiresAtMs: io.clock.now() + expires }),
    },
    author(),
  )
  io.out(token.reveal())
  const where = product === undefined ? '' : `, only inside product ${product}`
  const end = row.expiresAtMs === undefined ? 'has no end' : `ends ${time(row.expiresAtMs, '')}`
  io.err(`Token ${row.id} of ${name}, ${role}${where}; it ${end}. It is not shown again.`)
  if (config.listen.admin === undefined) {
    io.err('No gate takes it yet: "listen.admin" is not set in the configuration.')
  }
}

async function revoke(name: string, options: RevokeOptions, io: Io): Promise<void> {
  await using ledger = await openLedger(openOfflineConfig(options, io), io.clock)
  const tokens = tokensOf(ledger, io)
  const held = (await tokens.list())
    .filter((row) => row.name === name && row.revokedAtMs === undefined)
    // Where that of the last owner stays, so do the sign-ins beside it.
    .toSorted((a, b) => Number(a.via === 'oidc') - Number(b.via === 'oidc'))
  let revoked = 0
  for (const { id } of held) {
    // oxlint-disable-next-line no-await-in-loop -- one write at a time: there is one writer
    if (await revokeOne(id, name, tokens, options, io)) revoked++
  }
  if (revoked === 0) {
    io.err(`${name} is no operator that holds a token.`)
    throw new Finding()
  }
  io.err(`${count(revoked, 'token')} of ${name} revoked.`)
}

/** False: it was dead already. @throws Finding where it is the last owner's, and nobody said that this is meant */
async function revokeOne(
  id: string,
  name: string,
  tokens: OperatorTokens,
  { evenTheLastOwner }: RevokeOptions,
  io: Io,
): Promise<boolean> {
  const done = await tokens.revokeUnlessLast(id, author())
  if (done !== 'last_owner') return done === 'revoked'
  if (!evenTheLastOwner) {
    io.err(
      `${name} is the last owner, and nothing was revoked: without an owner's token nobody manages operators by the admin port. Make another first, or say --even-the-last-owner.`,
    )
    throw new Finding()
  }
  if (!(await tokens.revoke(id, author()))) return false
  io.err(
    `${name} was the last owner: nobody manages operators by a token now, until "fleetgate operators create NAME --role owner".`,
  )
  return true
}

function tokensOf({ store }: Ledger, { clock }: Io) {
  return createOperatorTokens({ store, clock, random: randomBytes })
}

function span(text: string): number {
  const parsed = durationMs().safeParse(text)
  if (parsed.success) return parsed.data
  throw new InvalidArgumentError('It must be a duration such as 12h or 90d.')
}

function shown(row: OperatorRow, nowMs: number) {
  const { id, name, role, product, via, createdAtMs, createdBy, expiresAtMs, revokedAtMs } = row
  const over = expiresAtMs !== undefined && nowMs >= expiresAtMs
  const state = revokedAtMs === undefined ? (over ? 'expired' : 'valid') : 'revoked'
  const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())
  return {
    ...{ tokenId: id, name, role, product: product ?? null, state, via, createdBy },
    ...{ createdAt: iso(createdAtMs), expiresAt: iso(expiresAtMs), revokedAt: iso(revokedAtMs) },
  }
}

const head = ['TOKEN', 'NAME', 'ROLE', 'PRODUCT', 'STATE', 'EXPIRES', 'VIA', 'MADE BY']

function cells(row: ReturnType<typeof shown>): string[] {
  const { tokenId, name, role, product, state, expiresAt, via, createdBy } = row
  const end = expiresAt === null ? '-' : time(Date.parse(expiresAt), '-')
  return [tokenId, name, role, product ?? 'all', state, end, via, createdBy]
}
