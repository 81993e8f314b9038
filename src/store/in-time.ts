/** Waits for the store, but not for long: a request is refused rather than kept. */

import { Problem } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'

const limitMs = 1000

/**
 * Goes on at once with what is there at once.
 * @throws Problem `store_unavailable` where the store fails, or takes longer than a second; whatever `go` throws that is a Problem
 */
export function inTime<T, U>(
  ask: () => MaybePromise<T>,
  go: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  try {
    const value = ask()
    return value instanceof Promise ? afterwards(value, go) : go(value)
  } catch (error) {
    throw toProblem(error)
  }
}

function afterwards<T, U>(value: Promise<T>, go: (value: T) => MaybePromise<U>): Promise<U> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('the store takes too long')), limitMs)
  return Promise.race([value, late])
    .finally(() => clearTimeout(timer))
    .then(go)
    .catch((error: unknown) => {
      throw toProblem(error)
    })
}

/** A store that cannot be read denies (A13). */
function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem('store_unavailable', { cause: error, retryAfterS: 1 })
}
