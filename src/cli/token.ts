/** `fleetgate token`: mint, adopt, rotate, extend, revoke and list. A token leaves here once, alone, on standard output. */

import type { Command } from 'commander'
import type { ApiUser } from '../domain/grant.ts'
import { Secret } from '../lib/secret.ts'
import { type TokenInfo, TokenRefused, type Tokens } from '../store/tokens.ts'
import { openAccounts, openLedger, userNamed } from './accounts.ts'
import { author } from './author.ts'
import { type ConfigOption, openOfflineConfig, withConfig } from './config-file.ts'
import { Finding, type Io, json, table, time, UsageError } from './io.ts'
import { whoseCredential } from './own-credentials.ts'

const help = `
An API user has one valid token at a time. A running gate sees every change at its next request.
Only the token itself goes to standard output, so that it can be sent where it belongs:
  fleetgate token mint acme-dashboard > token.txt
  fleetgate token mint acme-dashboard | ssh dashboard 'umask 077; cat > token'

  mint    the first token, or one where the last has died
  adopt   the token of the cloud that a client has already, read from standard input: its client stays as it is
  rotate  a new token; the old one is dead from now on
  extend  the same token, under what the policy files say today: nothing that they added holds before
  revoke  dead from the next request on`

export function addToken(program: Command, io: Io): void {
  const token = program
    .command('token')
    .description('The tokens of API users')
    .addHelpText('after', help)

  issuing(token, 'mint', 'Mint the token of an API user, and print it once', 'issue', io)
  issuing(
    token,
    'rotate',
    'Replace the token of an API user, and print the new one once',
    'rotate',
    io,
  )
  addAdopt(token, io)

  withConfig(token.command('extend <name>'))
    .description('Put the token of an API user under its grant of today')
    .addHelpText('after', '\nExample:\n  fleetgate token extend acme-technician')
    .action(async (name: string, options: ConfigOption) => {
      const { tokenId, expiresAtMs } = await withUser(name, options, io, (tokens, user) =>
        tokens.extend(user, author()),
      )
      io.err(
        `Token ${tokenId} of ${name} now holds what the policy files grant; ${ends(expiresAtMs)}.`,
      )
    })

  withConfig(token.command('revoke <name>'))
    .description('Kill the token of an API user; its name may have left the policy files already')
    .addHelpText('after', '\nExample:\n  fleetgate token revoke acme-technician')
    .action(async (name: string, options: ConfigOption) => {
      await using ledger = await openLedger(openOfflineConfig(options, io), io.clock)
      const revoked = await ledger.tokens.revoke({ user: name }, author())
      if (revoked === undefined) {
        io.err(`${name} holds no token that could be revoked.`)
        throw new Finding()
      }
      io.err(`Token ${revoked.tokenId} of ${name} is revoked.`)
    })

  withConfig(token.command('list'))
    .description('All tokens, by their public ids; the tokens themselves are not kept')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  fleetgate token list')
    .action(async (options: ConfigOption & { json?: true }) => {
      await using ledger = await openLedger(openOfflineConfig(options, io), io.clock)
      const list = await ledger.tokens.list()
      if (options.json) io.out(json(list.map(dated)))
      else io.out(table(head, list.map(cells)))
    })
}

function addAdopt(token: Command, io: Io): void {
  withConfig(token.command('adopt <name>'))
    .description('Take a token of the cloud as that of an API user, read from standard input')
    .addHelpText(
      'after',
      '\nExample:\n  fleetgate token adopt acme-dashboard < /run/secrets/particle-token',
    )
    .action(async (name: string, options: ConfigOption) => {
      const given = io.readStdin().toString('utf8').trim()
      if (given === '') {
        throw new UsageError('the token of the cloud is read from standard input; send it there')
      }
      const adopted = new Secret(given)
      refuseOwn(adopted, options, io)
      const { tokenId, expiresAtMs } = await withUser(name, options, io, (tokens, user) =>
        tokens.adopt(user, adopted, author()),
      )
      io.err(`Token ${tokenId} of ${name} is the one of the cloud; here ${ends(expiresAtMs)}.`)
      io.err(
        'The cloud takes it as before: who holds it can still go past the gate. The first "token rotate" puts one of the gate’s own in its place here; revoke it in the cloud then.',
      )
    })
}

/** A client with it could do without the gate whatever the gate can, also after its API user is gone. */
function refuseOwn(token: Secret, options: ConfigOption, io: Io): void {
  switch (whoseCredential(token, options, io)) {
    case 'other':
      return
    case 'own':
      throw new TokenRefused(
        'This is the credential that the gate itself calls the cloud with; adopt the token of the client.',
      )
    case 'unknown':
      io.err(
        "The gate's own credentials cannot all be read here, so that this token was not compared with them.",
      )
  }
}

function issuing(
  token: Command,
  name: string,
  says: string,
  how: 'issue' | 'rotate',
  io: Io,
): void {
  withConfig(token.command(`${name} <name>`))
    .description(says)
    .addHelpText('after', `\nExample:\n  fleetgate token ${name} acme-dashboard > token.txt`)
    .action(async (user: string, options: ConfigOption) => {
      const issued = await withUser(user, options, io, (tokens, found) =>
        tokens[how](found, author()),
      )
      io.out(issued.token.reveal())
      io.err(
        `Token ${issued.tokenId} of ${user}; ${ends(issued.expiresAtMs)}. It is not shown again.`,
      )
    })
}

async function withUser<T>(
  name: string,
  options: ConfigOption,
  io: Io,
  act: (tokens: Tokens, user: ApiUser) => Promise<T>,
): Promise<T> {
  await using accounts = await openAccounts(openOfflineConfig(options, io), io.clock)
  const { user } = await userNamed(name, accounts.policy, accounts.store)
  return await act(accounts.tokens, user)
}

function ends(expiresAtMs: number | undefined): string {
  return `it ${expiresAtMs === undefined ? 'has no fixed end' : `ends ${time(expiresAtMs, '')}`}`
}

const head = ['TOKEN', 'API USER', 'STATE', 'KIND', 'CREATED', 'EXPIRES', 'LAST USED']

function cells(token: TokenInfo): string[] {
  const { tokenId, user, kind, state, createdAtMs, expiresAtMs, lastUsedAtMs } = token
  return [
    tokenId,
    user,
    state.replaceAll('_', ' '),
    kind,
    time(createdAtMs, ''),
    time(expiresAtMs, '-'),
    time(lastUsedAtMs, 'never'),
  ]
}

function dated(token: TokenInfo) {
  const { createdAtMs, expiresAtMs, notBeforeMs, lastUsedAtMs, revokedAtMs, endsAtMs, ...rest } =
    token
  const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())
  return {
    ...rest,
    createdAt: iso(createdAtMs),
    expiresAt: iso(expiresAtMs),
    notBefore: iso(notBeforeMs),
    endsAt: iso(endsAtMs),
    lastUsedAt: iso(lastUsedAtMs),
    revokedAt: iso(revokedAtMs),
  }
}
