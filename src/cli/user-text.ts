/** API users in words: one line of a list, or everything about one. */

import { endsSoon } from '../store/expiry.ts'
import type { Boundary, DeviceLimit, Expiry, GrantRule } from '../domain/grant.ts'
import type { HeldBack } from '../policy/policy-engine.ts'
import { time, visible } from './io.ts'
import type { ListedUser } from './user-list.ts'

export type UserLine = {
  name: string
  home: 'git' | 'store'
  boundary: string
  devices: string
  expires: string
  token: string
  /** What is not as it usually is; empty: nothing. */
  state: readonly string[]
  owner: string
  description: string | undefined
}

/** When "now" is, and how long before its end a token's end is spoken of. */
export type Moment = { nowMs: number; warnBeforeMs: number }

export const lineHead = ['NAME', 'BOUNDARY', 'DEVICES', 'EXPIRES', 'TOKEN', 'STATE', 'OWNER']

export function lineOf(listed: ListedUser, moment: Moment): UserLine {
  const { name, home, user } = listed
  return {
    ...{ name, home },
    boundary: user === undefined ? '?' : boundaryText(user.grant.boundary),
    devices: user === undefined ? '?' : devicesText(user.grant.devices),
    expires: user === undefined ? '?' : expiryText(user.expiry),
    token: tokenText(listed),
    state: stateOf(listed, moment),
    owner: user?.owner ?? '',
    description: user?.description,
  }
}

export function cellsOf(line: UserLine): string[] {
  const { name, boundary, devices, expires, token, state, owner } = line
  return [name, boundary, devices, expires, token, state.join(', ') || '-', owner]
}

export function detailsOf(listed: ListedUser, line: UserLine): string {
  const { user, suspended, heldBack } = listed
  const lines = [
    `${line.name}  (${user === undefined ? 'in the store' : `${user.origin.file}:${user.origin.line}`})`,
    ...(line.description === undefined ? [] : [line.description]),
    '',
    `  owner     ${line.owner}`,
    `  boundary  ${line.boundary}`,
    `  devices   ${line.devices}`,
    `  expires   ${line.expires}`,
    `  token     ${line.token}`,
    `  state     ${line.state.join(', ') || '-'}`,
    ...(suspended === undefined
      ? []
      : [`  suspended ${time(suspended.atMs, '')} by ${suspended.by}: ${suspended.because}`]),
    ...(user?.grant.from === undefined ? [] : [`  from      ${user.grant.from.join(', ')}`]),
    '',
    ...(user?.grant.rules ?? []).flatMap(ruleLines),
    ...heldLines(heldBack),
  ]
  return lines.map((line) => visible(line)).join('\n')
}

function stateOf(listed: ListedUser, { nowMs, warnBeforeMs }: Moment): string[] {
  const { user, token, suspended, displaced, heldBack } = listed
  const states: string[] = []
  if (suspended !== undefined) states.push('suspended')
  const until = user?.observeUntilMs
  if (until !== undefined && nowMs < until) states.push(`observed until ${time(until, '')}`)
  if (token !== undefined && endsSoon(token, { nowMs, warnBeforeMs })) {
    states.push(`expires soon (${time(token.endsAtMs, '')})`)
  }
  if (displaced) states.push('displaced')
  else if (user === undefined) states.push('does not fit the policy files')
  if (heldBack.length > 0) states.push(`${heldBack.length} held back`)
  return states
}

function tokenText({ token, user }: ListedUser): string {
  if (token === undefined) return 'none'
  const state = token.state.replaceAll('_', ' ')
  const kind = token.kind === 'adopted' && token.state !== 'revoked' ? ', of the cloud' : ''
  const older = token.state === 'valid' && user !== undefined && token.grantHash !== user.grantHash
  return `${state}${kind}${older ? ', of an older grant' : ''}`
}

function ruleLines({ effect, actions, origin, because }: GrantRule): string[] {
  const why = because === undefined ? '' : `  because: ${because}`
  return [
    `  ${effect.padEnd(6)} ${actions.join(', ')}`,
    `         ${origin.file}:${origin.line}${why}`,
  ]
}

function heldLines(heldBack: readonly HeldBack[]): string[] {
  if (heldBack.length === 0) return []
  return ['', '  Held back until the token is rotated or extended:', ...heldBack.flatMap(heldLine)]
}

function heldLine(held: HeldBack): string[] {
  if (held.what !== 'rule')
    return [`  ${held.what}: ${held.issued} when issued, ${held.today} today`]
  const { file, line } = held.rule
  return [`  can    ${held.actions.join(', ')}`, `         ${file}:${line}`]
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
  const from = expiry.notBeforeMs === undefined ? '' : `not before ${time(expiry.notBeforeMs, '')}`
  return [endText(expiry), idle, from].filter(Boolean).join(', ')
}

function endText(expiry: Expiry): string {
  switch (expiry.kind) {
    case 'never':
      return 'never'
    case 'idle':
      return ''
    case 'date':
      return time(expiry.atMs, '')
    case 'lifetime':
      return `${days(expiry.lifetimeMs)} from issue`
  }
}

function days(ms: number): string {
  const hours = ms / 3_600_000
  return hours >= 24 && hours % 24 === 0 ? `${hours / 24}d` : `${Math.round(hours * 10) / 10}h`
}
