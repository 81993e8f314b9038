/** Records that go to the disk together, and the two promises that all who wait for them share. */

import type { Durability } from './audit-log.ts'
import type { RecordBody } from './records.ts'

export type Item = {
  body: RecordBody
  /** Set where somebody waits: a decision. Without it the record is kept over failures. */
  waits: { requestId: string; durability: Durability } | undefined
  /** Its waiter was told no; whatever becomes of the record, nothing was served on it. */
  refused: boolean
}

export class Batch {
  readonly items: Item[] = []
  /** Characters, which is close enough to bytes for a bound. */
  size = 0
  /** Monotonic ms at which the first waiter came. */
  startedMs = Number.POSITIVE_INFINITY
  /** The write call has returned for all of it. */
  landed = false
  readonly #settled = { written: gate(), synced: gate() }
  readonly #waiters = { written: 0, synced: 0 }

  add(item: Item): void {
    this.items.push(item)
    this.size += item.body.length
  }

  /** Puts records that failed before in front of those that came since. */
  addFirst(items: readonly Item[]): void {
    this.items.unshift(...items)
    for (const item of items) this.size += item.body.length
  }

  /** Resolves when all of the batch has come that far; rejects with the problem of `refuse`. */
  wait(durability: Durability, nowMs: number): Promise<void> {
    if (!this.isAwaited()) this.startedMs = nowMs
    this.#waiters[durability]++
    return this.#settled[durability].promise
  }

  isAwaited(durability?: Durability): boolean {
    if (durability !== undefined) return this.#waiters[durability] > 0
    return this.#waiters.written + this.#waiters.synced > 0
  }

  settle(durability: Durability): void {
    this.#waiters[durability] = 0
    this.#settled[durability].resolve()
  }

  /** Tells no to all who still wait; returns to how many requests. */
  refuse(problem: Error): number {
    let refused = 0
    for (const item of this.items) {
      if (item.waits === undefined || item.refused || !this.isAwaited(item.waits.durability))
        continue
      item.refused = true
      refused++
    }
    for (const durability of ['written', 'synced'] as const) {
      if (!this.isAwaited(durability)) continue
      this.#waiters[durability] = 0
      this.#settled[durability].reject(problem)
    }
    return refused
  }
}

function gate(): PromiseWithResolvers<void> {
  const made = Promise.withResolvers<void>()
  // Each waiter hears of a rejection through its own await; without a waiter there is nobody to tell.
  made.promise.catch(() => undefined)
  return made
}
