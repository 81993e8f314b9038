/** `fleetgate users`: who there is, and what each may do, from the policy files and the token store. */

import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { OfflineConfig } from '../config/config.ts'
import type { ApiUser, Boundary, DeviceLimit, Expiry, GrantRule } from '../domain/grant.ts'
import { openParts, openTokens } from '../open-parts.ts'
import type { TokenInfo } from '../store/tokens.ts'
import { type ConfigOption, openOfflineConfig, userNamed, withConfig } from './config-file.ts'
import { type Io, json, table, time } from './io.ts'

type Options = ConfigOption & { json?: true }

export function addUsers(program: Command, io: Io): void {
  const users = program.command('users').description('The API users of the policy files')

  withConfig(users.command('list'))
    .description('All API users: boundary, devices, expiry, and whether they hold a token')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  fleetgate users list')
    .action((options: Options) => {
      const { set, tokens } = open(options, io)
      const rows = [...set.users.values()].map((user) => summary(user, tokens.get(user.name)))
      if (options.json) io.out(json(rows))
      else
        io.out(table(['NAME', 'BOUNDARY', 'DEVICES', 'EXPIRES', 'TOKEN', 'OWNER'], rows.map(cells)))
    })

  withConfig(users.command('show <name>'))
    .description('One API user: everything its grant says, rule by rule, with file and line')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  fleetgate users show acme-technician')
    .action((name: string, options: Options) => {
      const { set, tokens } = open(options, io)
      const user = userNamed(name, set)
      const shown = summary(user, tokens.get(name))
      if (options.json) io.out(json({ ...shown, grantHash: user.grantHash, grant: user.grant }))
      else io.out(details(user, shown))
    })
}

function open(options: ConfigOption, io: Io) {
  const config = openOfflineConfig(options)
  return { set: openParts(config).set, tokens: newestTokens(config, io) }
}

/** Looking at users creates no store where there is none. */
function newestTokens(config: OfflineConfig, io: Io): Map<string, TokenInfo> {
  if (!existsSync(config.store)) return new Map()
  using tokens = openTokens(config, io.clock)
  const byAge = tokens.list().toSorted((a, b) => a.createdAtMs - b.createdAtMs)
  return new Map(byAge.map((token) => [token.user, token]))
}

type Summary = {
  name: string
  boundary: string
  devices: string
  expires: string
  token: string
  owner: string
  description: string | undefined
}

function summary(user: ApiUser, token: TokenInfo | undefined): Summary {
  const held = token !== undefined && token.grantHash !== user.grantHash && token.state === 'valid'
  return {
    name: user.name,
    boundary: boundaryText(user.grant.boundary),
    devices: devicesText(user.grant.devices),
    expires: expiryText(user.expiry),
    token: token === undefined ? 'none' : held ? 'valid, of an older grant' : token.state,
    owner: user.owner ?? '',
    description: user.description,
  }
}

function cells({ name, boundary, devices, expires, token, owner }: Summary): string[] {
  return [name, boundary, devices, expires, token, owner]
}

function details({ origin, grant }: ApiUser, shown: Summary): string {
  const lines = [
    `${shown.name}  (${origin.file}:${origin.line})`,
    ...(shown.description === undefined ? [] : [shown.description]),
    '',
    `  owner     ${shown.owner}`,
    `  boundary  ${shown.boundary}`,
    `  devices   ${shown.devices}`,
    `  expires   ${shown.expires}`,
    `  token     ${shown.token}`,
    '',
    ...grant.rules.flatMap(ruleLines),
  ]
  return lines.join('\n')
}

function ruleLines({ effect, actions, origin, because }: GrantRule): string[] {
  const why = because === undefined ? '' : `  because: ${because}`
  return [
    `  ${effect.padEnd(6)} ${actions.join(', ')}`,
    `         ${origin.file}:${origin.line}${why}`,
  ]
}

function boundaryText(boundary: Boundary): string {
  return boundary.kind === 'organization'
    ? `organization ${boundary.organization}`
    : `product ${boundary.products.join(', ')}`
}

function devicesText(devices: Readonly<Record<string, DeviceLimit>>): string {
  const limits = Object.entries(devices).map(([product, limit]) => {
    const says =
      'all' in limit ? 'all' : 'ids' in limit ? `${limit.ids.length} listed` : 'by attributes'
    return product === '*' ? says : `${product}: ${says}`
  })
  return limits.join('; ') || 'none'
}

function expiryText(expiry: Expiry): string {
  const idle = expiry.idleMs === undefined ? '' : `idle ${days(expiry.idleMs)}`
  switch (expiry.kind) {
    case 'never':
      return ['never', idle].filter(Boolean).join(', ')
    case 'idle':
      return idle
    case 'date':
      return [time(expiry.atMs, ''), idle].filter(Boolean).join(', ')
    case 'lifetime':
      return [`${days(expiry.lifetimeMs)} from issue`, idle].filter(Boolean).join(', ')
  }
}

function days(ms: number): string {
  const hours = ms / 3_600_000
  return hours >= 24 && hours % 24 === 0 ? `${hours / 24}d` : `${Math.round(hours * 10) / 10}h`
}
