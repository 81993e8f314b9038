/** Which tokens are not worth making, or may not be made: a sentence for the operator, with the way out. */

import type { ApiUser } from '../domain/grant.ts'
import { endOf } from './expiry.ts'

const dayMs = 86_400_000

/** `undefined`: a token of this API user, made then, is in order. */
export function whyNotIssue(
  { name, expiry }: Pick<ApiUser, 'name' | 'expiry'>,
  createdAtMs: number,
  maxLifetimeMs: number | undefined,
): string | undefined {
  const endMs = endOf(expiry, createdAtMs)
  const { notBeforeMs } = expiry
  if (endMs !== undefined && endMs <= createdAtMs) {
    return `${name} expired on ${iso(endMs)}; set a later date first.`
  }
  if (endMs !== undefined && notBeforeMs !== undefined && endMs <= notBeforeMs) {
    return `A token of ${name} would end on ${iso(endMs)}, before it may be used from ${iso(notBeforeMs)} on; set not_before to an earlier date, or a later end.`
  }
  if (maxLifetimeMs === undefined) return undefined
  const latestMs = createdAtMs + maxLifetimeMs
  if (endMs !== undefined && endMs <= latestMs) return undefined
  const says =
    endMs === undefined
      ? `A token of ${name} would have no fixed end`
      : `A token of ${name} would live until ${iso(endMs)}`
  return `${says}, and tokens.max_lifetime allows ${span(maxLifetimeMs)}, until ${iso(latestMs)}; set lifetime: ${span(maxLifetimeMs)}, or expires to an earlier date.`
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}

/** As policy files write it. */
function span(ms: number): string {
  if (ms % dayMs === 0) return `${ms / dayMs}d`
  return ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : `${Math.floor(ms / 1000)}s`
}
