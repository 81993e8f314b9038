/** Work on many API users that lets others have their turn: each costs a compilation, and an embedded store never waits. */

import { setImmediate as nextTurn } from 'node:timers/promises'

export async function oneByOne<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  for (const item of items) {
    // oxlint-disable-next-line no-await-in-loop -- one by one is what it is for
    results.push(await work(item))
    // oxlint-disable-next-line no-await-in-loop -- the same
    await nextTurn()
  }
  return results
}
