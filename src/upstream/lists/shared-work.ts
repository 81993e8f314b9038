/** Work that many wait for: done once, given up only when nobody waits for it any more. */

import { Problem } from '../../domain/problem.ts'
import { UpstreamAborted } from '../pool.ts'
import type { Claim } from './call-budget.ts'
import type { After } from './timer.ts'

export type SharedWork<T> = {
  /**
   * Waits for the result on this user's behalf. @throws UpstreamAborted when the signal is aborted; Problem `overloaded` when it takes too
   * long: the work then goes on for whoever comes back
   */
  join(user: string, signal: AbortSignal | undefined): Promise<T>
  /** Goes on only for those who wait already. */
  leaveToWaiting(): void
  abort(): void
}

/** Longer than this no client is kept waiting. */
const longestWaitMs = 45_000
const comeBackAfterS = 10

export function shareWork<T>(options: {
  run(signal: AbortSignal, claim: () => Claim): Promise<T>
  /** Whose work it is while nobody waits for it. */
  starter: string
  /** `needed`: worth doing only as long as somebody waits. `anyway`: also when nobody does. */
  purpose: 'needed' | 'anyway'
  after: After
  /** Someone waits who did not. */
  onHurry(): void
  /** The work is over, or was given up: nobody may join any more. Called once, with why it failed. */
  onEnd(failure?: unknown): void
}): SharedWork<T> {
  const { run, starter, after, onHurry, onEnd } = options
  const controller = new AbortController()
  let purpose: 'needed' | 'anyway' | 'left' = options.purpose
  /** How often each user waits; whoever waits for longest is first. */
  const waiting = new Map<string, number>()
  let state: 'open' | 'over' = 'open'

  const end = (failure?: unknown) => {
    if (state === 'over') return
    state = 'over'
    onEnd(failure)
  }
  const abort = () => {
    const reason = new UpstreamAborted('nobody waits for it')
    end()
    controller.abort(reason)
    given.reject(reason)
  }
  const abortIfIdle = () => {
    if (waiting.size === 0 && purpose !== 'anyway' && state === 'open') abort()
  }
  const isNeeded = () => waiting.size > 0 || purpose === 'needed'
  const claim = (): Claim => ({
    urgency: isNeeded() ? 'awaited' : 'background',
    users: waiting.size > 0 ? waiting.keys() : [starter],
  })
  const given = Promise.withResolvers<never>()
  const result = Promise.race([run(controller.signal, claim), given.promise])
  result.then(() => end(), end)

  return {
    abort,
    leaveToWaiting() {
      purpose = 'left'
      abortIfIdle()
    },
    async join(user, signal) {
      if (signal?.aborted === true) throw new UpstreamAborted('the caller gave up')
      const { promise, resolve, reject } = Promise.withResolvers<T>()
      const gone = () => reject(new UpstreamAborted('the caller gave up'))
      signal?.addEventListener('abort', gone, { once: true })
      const callOff = after(longestWaitMs, () => {
        if (purpose === 'needed') purpose = 'anyway'
        const cause = 'the list takes long to read'
        reject(new Problem('overloaded', { cause, retryAfterS: comeBackAfterS }))
      })
      const before = waiting.get(user) ?? 0
      waiting.set(user, before + 1)
      // It may be his turn before that of others who wait.
      if (before === 0) onHurry()
      result.then(resolve, reject)
      try {
        return await promise
      } finally {
        callOff()
        signal?.removeEventListener('abort', gone)
        const left = (waiting.get(user) ?? 1) - 1
        if (left > 0) waiting.set(user, left)
        else waiting.delete(user)
        abortIfIdle()
      }
    },
  }
}
