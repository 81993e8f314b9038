/** Long work in slices, so that no other request waits for more than one of them. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../domain/clock.ts'

/** Called often in a long loop: `undefined` as long as the slice lasts, then a promise to wait for. */
export type Breathe = () => Promise<void> | undefined

/** Lists that are worked on at the same time take turns of the event loop one by one, not all in one turn. */
export function createTurns(clock: Pick<Clock, 'monotonic'>, sliceMs: number): () => Breathe {
  let last: Promise<void> = Promise.resolve()

  async function take(before: Promise<void>): Promise<void> {
    await before
    await nextTurn()
  }

  return () => {
    let endMs = clock.monotonic() + sliceMs
    return () => {
      if (clock.monotonic() < endMs) return undefined
      last = take(last)
      return last.then(() => {
        endMs = clock.monotonic() + sliceMs
      })
    }
  }
}
