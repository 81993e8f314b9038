/** Wall-clock times as they stand on records. */

import type { Clock } from '../domain/clock.ts'

export type IsoTime = {
  /** The time now, `2026-06-01T12:00:00.005Z`. */
  now(): string
}

/** Many records fall into one millisecond, and writing it down costs more than the rest of a record's head. */
export function createIsoTime(clock: Pick<Clock, 'now'>): IsoTime {
  let lastMs = Number.NaN
  let last = ''
  return {
    now() {
      const nowMs = clock.now()
      if (nowMs !== lastMs) {
        last = new Date(nowMs).toISOString()
        lastMs = nowMs
      }
      return last
    },
  }
}
