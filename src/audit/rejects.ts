/** Rows of what never became a request with a valid token: bounded per address, in bytes, and summarised beyond (A09). */

import { rejectBody, summaryBody } from './records.ts'
import type { Clock } from '../domain/clock.ts'
import type { RejectFields } from './audit-log.ts'
import type { IsoTime } from './iso-time.ts'
import type { Writer } from './writer.ts'

export type RejectLimits = {
  /** Rows of one address in one second; the rest of that second is one summary row. */
  perAddressPerS: number
  /** Size of the file beyond which nothing but a count a minute is written. */
  maxBytes: number
}

export type RejectsOptions = {
  writer: Writer
  /** Bytes of the file so far. */
  length: () => number
  clock: Pick<Clock, 'monotonic'>
  time: IsoTime
  limits: RejectLimits
}

export interface Rejects {
  /** Never throws, never waits. Every call is one row or one more in some row's `summarised`. */
  add(fields: RejectFields): void
  /** Writes all counts out and syncs. @throws Problem `audit_unavailable` */
  flush(): Promise<void>
  dispose(): void
}

/** More addresses than this in one second are a flood from many; they share one count. */
const maxAddresses = 10_000
const windowMs = 1_000
/** About what a line adds to its body. */
const headBytes = 80
const overBudgetMs = 60_000

export function createRejects({ writer, length, clock, time, limits }: RejectsOptions): Rejects {
  const seen = new Map<string, number>()
  let windowStartMs = clock.monotonic()
  /** Counted, and in no row yet, whoever it was. */
  let uncounted = 0
  let lastTotalMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined

  function overBudget(): boolean {
    const { queued, size } = writer.state()
    return length() + size + queued * headBytes >= limits.maxBytes
  }

  function add(fields: RejectFields): void {
    if (clock.monotonic() - windowStartMs >= windowMs) endWindow()
    timer ??= setTimeout(endWindow, windowMs).unref()
    const before = seen.get(fields.address)
    if (before === undefined && seen.size >= maxAddresses) {
      uncounted++
      return
    }
    seen.set(fields.address, (before ?? 0) + 1)
    if ((before ?? 0) >= limits.perAddressPerS) return
    if (overBudget() || !writer.add(rejectBody(fields))) uncounted++
  }

  function endWindow(): void {
    summarise(overBudget() ? overBudgetMs : 0)
  }

  /** @param totalEveryMs the count of all addresses is written at most this often */
  function summarise(totalEveryMs: number): void {
    clearTimeout(timer)
    timer = undefined
    const now = clock.monotonic()
    windowStartMs = now
    for (const [address, count] of seen) {
      const more = count - limits.perAddressPerS
      if (more <= 0) continue
      const row = overBudget() ? undefined : summaryBody(time.now(), more, address)
      if (row === undefined || !writer.add(row)) uncounted += more
    }
    seen.clear()
    if (uncounted === 0) return
    if (now - lastTotalMs >= totalEveryMs && writer.add(summaryBody(time.now(), uncounted))) {
      uncounted = 0
      lastTotalMs = now
      return
    }
    timer = setTimeout(endWindow, windowMs).unref()
  }

  return {
    add,
    flush() {
      summarise(0)
      return writer.flush()
    },
    dispose: () => clearTimeout(timer),
  }
}
