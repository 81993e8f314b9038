/** Remembers what was written, so that no answer from before a write is believed, not even one still under way. */

import { LRUCache } from 'lru-cache'
import { atMost } from '../lib/at-most.ts'

export type Forgotten = {
  /** The moment to note before a question is asked; counted in writes, for clocks stand still. */
  now(): number
  mark(names: readonly string[]): void
  /** Whether anything of these names was written after that moment. */
  since(moment: number, names: readonly string[]): boolean
}

export function createForgotten(maxNames: number): Forgotten {
  let moment = 0
  /** Of what is no longer remembered by name, the last write: older answers are all held to be stale. */
  let floor = 0
  const marks = new LRUCache<string, number>({
    ...atMost(maxNames),
    dispose: (mark, _, reason) => {
      if (reason === 'evict') floor = Math.max(floor, mark)
    },
  })
  return {
    now: () => moment,
    mark(names) {
      moment += 1
      for (const name of names) marks.set(name, moment)
    },
    since(then, names) {
      if (then === moment) return false
      return then < floor || names.some((name) => then < (marks.get(name) ?? 0))
    },
  }
}
