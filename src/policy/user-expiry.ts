/** How long the tokens of an API user live: one of date, lifetime, idle or never must have been said. */

import type { Expiry } from '../domain/grant.ts'
import type { userKeys } from './policy-shape.ts'
import { mistakeAt, mistakeAtKey, within, type Decoded, type Part, type Report } from './report.ts'
import { toDateMs } from './scalars.ts'

export function readExpiry(
  user: Decoded<typeof userKeys>,
  part: Part,
  report: Report,
): Expiry | undefined {
  const end = readEnd(user, part, report)
  const { not_before: date } = user
  if (end === undefined || date === undefined) return end
  const place = within(part, 'not_before')
  const notBeforeMs = toDateMs(date)
  if (notBeforeMs === undefined) {
    mistakeAt(report, place, `"${date}" is no date`)
    return undefined
  }
  if (end.kind === 'date' && end.atMs <= notBeforeMs) {
    mistakeAt(report, place, 'it would end before it begins')
  }
  return { ...end, notBeforeMs }
}

function readEnd(user: Decoded<typeof userKeys>, part: Part, report: Report): Expiry | undefined {
  const { expires, lifetime, idle } = user
  const idleMs = idle === undefined ? {} : { idleMs: idle }
  if (user.never === false) mistakeAt(report, within(part, 'never'), 'delete it; only true is said')
  const never = user.never === true || expires === 'never'
  const date = expires === 'never' ? undefined : expires
  const said = [never, date !== undefined, lifetime !== undefined].filter(Boolean).length
  if (said > 1) {
    mistakeAt(report, part, 'say one of expires, lifetime and never, not several')
    return undefined
  }
  if (never) return { kind: 'never', ...idleMs }
  if (lifetime !== undefined) return { kind: 'lifetime', lifetimeMs: lifetime, ...idleMs }
  if (date !== undefined) {
    const atMs = toDateMs(date)
    if (atMs !== undefined) return { kind: 'date', atMs, ...idleMs }
    mistakeAt(report, within(part, 'expires'), `"${date}" is no date`)
    return undefined
  }
  if (idle !== undefined) return { kind: 'idle', idleMs: idle }
  const keys = typeof part.value === 'object' ? Object.keys(part.value) : []
  if (!['expires', 'lifetime', 'idle', 'never'].some((key) => keys.includes(key))) {
    const says = 'needs an end: expires: DATE, lifetime: 90d, idle: 30d, or never: true'
    mistakeAtKey(report, part, says)
  }
  return undefined
}
