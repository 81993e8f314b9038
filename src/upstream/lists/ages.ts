/** How old a list may be to answer, and whether it is read again meanwhile. */

import type { ListView } from '../fleet-lists.ts'

export type AgeLimits = { maxAgeMs: number; maxStaleMs: number }

/** `fresh`: answers. `stale`: answers while it is read again. `old`: does not answer. */
export type Use = 'fresh' | 'stale' | 'old'

/** A list of so few calls is read again rather than shown stale. */
const smallCalls = 4

export function isSmall(view: ListView): boolean {
  return view.calls <= smallCalls
}

/** The age counts at the arrival of who asks: what was read for him alone is never too old. */
export function useOf(
  view: ListView,
  arrivedMs: number,
  { maxAgeMs, maxStaleMs }: AgeLimits,
  tightenedMs = Infinity,
): Use {
  if (isYoung(view.atMs, arrivedMs, Math.min(maxAgeMs, tightenedMs))) return 'fresh'
  if (isSmall(view)) return 'old'
  return isYoung(view.atMs, arrivedMs, Math.min(maxStaleMs, tightenedMs)) ? 'stale' : 'old'
}

export function isYoung(atMs: number, arrivedMs: number, limitMs: number): boolean {
  return atMs >= arrivedMs || arrivedMs - atMs < limitMs
}
