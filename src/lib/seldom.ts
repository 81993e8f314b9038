/** Says the same thing at most once in a while, and how often it was left out: a fault under load must not drown the log. */

import type { Clock } from '../domain/clock.ts'

/** Names of things that are said; more are forgotten, and said again. */
const maxNames = 1000

/**
 * @returns calls `say` unless it was called for this name less than `everyMs` ago; `skipped`: how often that was so
 */
export function createSeldom(
  clock: Pick<Clock, 'monotonic'>,
  everyMs: number,
): (name: string, say: (skipped: number) => void) => void {
  const last = new Map<string, { atMs: number; skipped: number }>()
  return (name, say) => {
    const nowMs = clock.monotonic()
    const known = last.get(name)
    if (known !== undefined && nowMs - known.atMs < everyMs) {
      known.skipped += 1
      return
    }
    if (last.size >= maxNames) last.clear()
    last.set(name, { atMs: nowMs, skipped: 0 })
    say(known?.skipped ?? 0)
  }
}
