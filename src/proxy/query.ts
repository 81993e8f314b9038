/** The query of a target that the gate itself put together, taken apart again. */

import type { QueryEntry } from '../domain/target.ts'

/** Decoded, in order. Only for targets as `describe` builds them: each key is in them once. */
export function queryOf(target: string): QueryEntry[] {
  const mark = target.indexOf('?')
  if (mark === -1) return []
  return Array.from(new URLSearchParams(target.slice(mark + 1)), ([key, value]) => ({ key, value }))
}

export function pathOf(target: string): string {
  const mark = target.indexOf('?')
  return mark === -1 ? target : target.slice(0, mark)
}
