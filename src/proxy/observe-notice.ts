/** Observation is never silent: what is said of it at start, every hour, and by `check`. */

import type { Clock } from '../domain/clock.ts'
import type { ApiUser } from '../domain/grant.ts'
import type { Log } from '../lib/log.ts'

export type ObserveNotice = {
  message: string
  fields: { everybody_until?: string; api_users?: Readonly<Record<string, string>> }
}

/** @returns undefined where nobody is observed at this moment */
export function observeNotice(
  everybodyUntilMs: number | undefined,
  users: Iterable<Pick<ApiUser, 'name' | 'observeUntilMs'>>,
  nowMs: number,
): ObserveNotice | undefined {
  const own: Record<string, string> = {}
  for (const { name, observeUntilMs } of users) {
    if (observeUntilMs !== undefined && nowMs < observeUntilMs) own[name] = iso(observeUntilMs)
  }
  const everybody = everybodyUntilMs !== undefined && nowMs < everybodyUntilMs
  const count = Object.keys(own).length
  if (!everybody && count === 0) return undefined
  const whom = everybody
    ? 'everybody is'
    : count === 1
      ? 'an API user is'
      : `${count} API users are`
  return {
    message: `${whom} observed: what would be denied is forwarded`,
    fields: {
      ...(everybody && { everybody_until: iso(everybodyUntilMs) }),
      ...(count > 0 && { api_users: own }),
    },
  }
}

const hourMs = 3_600_000

/** Says it now, and every hour for as long as it is so. Of API users those of the policy files. */
export function announceObservation(parts: {
  everybodyUntilMs: number | undefined
  users: () => Iterable<Pick<ApiUser, 'name' | 'observeUntilMs'>>
  clock: Pick<Clock, 'now'>
  log: Pick<Log, 'warn'>
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
}): Disposable {
  const say = () => {
    const notice = observeNotice(parts.everybodyUntilMs, parts.users(), parts.clock.now())
    if (notice !== undefined) parts.log.warn(notice.message, notice.fields)
  }
  say()
  return parts.every(hourMs, say)
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}
