/** `fleetgate token`: mint, rotate, extend, revoke and list. A token leaves here once, alone, on standard output. */

import type { Command } from 'commander'
import type { ApiUser } from '../domain/grant.ts'
import { openParts, openTokens } from '../open-parts.ts'
import type { IssuedToken, TokenInfo, Tokens } from '../store/tokens.ts'
import { type ConfigOption, openOfflineConfig, userNamed, withConfig } from './config-file.ts'
import { Finding, type Io, json, table, time } from './io.ts'

const help = `
An API user has one valid token at a time. A running gate sees every change at its next request.
Only the token itself goes to standard output, so that it can be sent where it belongs:
  fleetgate token mint acme-dashboard > token.txt
  fleetgate token mint acme-dashboard | ssh dashboard 'umask 077; cat > token'

  mint    the first token, or one where the last has died
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

  withConfig(token.command('extend <name>'))
    .description('Put the token of an API user under its grant of today')
    .addHelpText('after', '\nExample:\n  fleetgate token extend acme-technician')
    .action((name: string, options: ConfigOption) => {
      const { tokenId, expiresAtMs } = withUser(name, options, io, (tokens, user) =>
        tokens.extend(user),
      )
      io.err(
        `Token ${tokenId} of ${name} now holds what the policy files grant; ${ends(expiresAtMs)}.`,
      )
    })

  withConfig(token.command('revoke <name>'))
    .description('Kill the token of an API user; its name may have left the policy files already')
    .addHelpText('after', '\nExample:\n  fleetgate token revoke acme-technician')
    .action((name: string, options: ConfigOption) => {
      using tokens = openTokens(openOfflineConfig(options), io.clock)
      const revoked = tokens.revoke({ user: name })
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
    .action((options: ConfigOption & { json?: true }) => {
      using tokens = openTokens(openOfflineConfig(options), io.clock)
      const list = tokens.list()
      if (options.json) io.out(json(list.map(dated)))
      else
        io.out(
          table(['TOKEN', 'API USER', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED'], list.map(cells)),
        )
    })
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
    .action((user: string, options: ConfigOption) => {
      const issued = withUser(user, options, io, (tokens, found): IssuedToken => tokens[how](found))
      io.out(issued.token.reveal())
      io.err(
        `Token ${issued.tokenId} of ${user}; ${ends(issued.expiresAtMs)}. It is not shown again.`,
      )
    })
}

function withUser<T>(
  name: string,
  options: ConfigOption,
  io: Io,
  act: (tokens: Tokens, user: ApiUser) => T,
): T {
  const config = openOfflineConfig(options)
  const { set } = openParts(config)
  const user = userNamed(name, set)
  using tokens = openTokens(config, io.clock, {
    currentExpiry: (other) => set.users.get(other)?.expiry,
  })
  return act(tokens, user)
}

function ends(expiresAtMs: number | undefined): string {
  return `it ${expiresAtMs === undefined ? 'has no fixed end' : `ends ${time(expiresAtMs, '')}`}`
}

function cells(token: TokenInfo): string[] {
  const { tokenId, user, state, createdAtMs, expiresAtMs, lastUsedAtMs } = token
  return [
    tokenId,
    user,
    state,
    time(createdAtMs, ''),
    time(expiresAtMs, '-'),
    time(lastUsedAtMs, 'never'),
  ]
}

function dated({ createdAtMs, expiresAtMs, lastUsedAtMs, revokedAtMs, ...rest }: TokenInfo) {
  const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())
  return {
    ...rest,
    createdAt: iso(createdAtMs),
    expiresAt: iso(expiresAtMs),
    lastUsedAt: iso(lastUsedAtMs),
    revokedAt: iso(revokedAtMs),
  }
}
