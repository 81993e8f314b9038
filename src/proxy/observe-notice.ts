/** Observation is never silent: what is said of it at start, every hour, and by `check`. */

import type { Clock } from '../domain/clock.ts'
import type { ApiUser } from '../domain/grant.ts'
import type { Log } from '../lib/log.ts'

export type ObserveNotice = {
  message: string
  fields: {
    everybody_until?: string
    api_users?: Readonly<Record<string, string>>
    /** API users beyond those that are named. */
    more?: number
  }
}

type Observable = Pick<ApiUser, 'name' | 'observeUntilMs'>

/** A log is no list. */
const mostNamed = 100

/** @returns undefined where nobody is observed at this moment */
export function observeNotice(
  everybodyUntilMs: number | undefined,
  users: Iterable<Observable>,
  nowMs: number,
): ObserveNotice | undefined {
  const own = [...users].flatMap(({ name, observeUntilMs }) =>
    observeUntilMs !== undefined && nowMs < observeUntilMs ? [[name, iso(observeUntilMs)]] : [],
  )
  const everybody = everybodyUntilMs !== undefined && nowMs < everybodyUntilMs
  const count = own.length
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
      ...(count > 0 && { api_users: Object.fromEntries(own.slice(0, mostNamed)) }),
      ...(count > mostNamed && { more: count - mostNamed }),
    },
  }
}

const hourMs = 3_600_000

/** Says it now, and every hour for as long as it is so. */
export function announceObservation(parts: {
  everybodyUntilMs: number | undefined
  /** Of the policy files. */
  users: () => Iterable<Observable>
  /** Of the store. */
  stored: () => Promise<readonly Observable[]>
  clock: Pick<Clock, 'now'>
  log: Pick<Log, 'warn'>
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
  /** The store could not be looked through; it is tried again. */
  onFault: (error: unknown) => void
}): Disposable {
  const say = async () => {
    // What is known without the store is said all the same.
    const stored = await parts.stored().catch((error: unknown) => {
      parts.onFault(error)
      return []
    })
    const all = [...parts.users(), ...stored]
    const notice = observeNotice(parts.everybodyUntilMs, all, parts.clock.now())
    if (notice !== undefined) parts.log.warn(notice.message, notice.fields)
  }
  const sayOnce = () => void say()
  sayOnce()
  return parts.every(hourMs, sayOnce)
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}
