/** When each token was last used: noted in memory on every request, written to the store in batches. */

import type { TokenStore } from './token-store.ts'

export type LastUsed = AsyncDisposable & {
  /** @param idleMs how long the token lives without use: other gates are to hear of this use long before */
  note(id: string, atMs: number, idleMs?: number): void
  /** The newer of the store's value and what was noted since, or written last. */
  latest(id: string, storedAtMs: number | undefined): number | undefined
  /** @throws whatever the store throws; the uses are then kept for the next flush */
  flush(): Promise<void>
}

export type LastUsedOptions = {
  store: Pick<TokenStore, 'touch'>
  /** How often everything is written. What is used until its idle end is near is written within a quarter of that. */
  flushMs: number
  /** A flush of the timer's failed; it will be tried again. */
  onFailure: (error: unknown) => void
}

export function createLastUsed({ store, flushMs, onFailure }: LastUsedOptions): LastUsed {
  /** Not written yet. */
  let noted = new Map<string, number>()
  /** Being written, or written last: who read a token right before that has an older value in hand. */
  let latestBatch: ReadonlyMap<string, number> = new Map()
  /** Those that cannot wait for everybody's flush, and when they are written. */
  const urgent = new Set<string>()
  let soon: { waitMs: number; timer: NodeJS.Timeout } | undefined
  let before: Promise<void> = Promise.resolve()

  /** One after the other: who asks meanwhile waits for a write that holds what he has noted. */
  function flush(which: 'all' | 'urgent' = 'all'): Promise<void> {
    const mine = before.then(() => write(which === 'all' ? takeAll() : takeUrgent()))
    before = mine.catch(() => undefined)
    return mine
  }

  function takeAll(): Map<string, number> {
    const batch = noted
    noted = new Map()
    return batch
  }

  function takeUrgent(): Map<string, number> {
    const batch = new Map<string, number>()
    for (const id of urgent) {
      const atMs = noted.get(id)
      if (atMs !== undefined) batch.set(id, atMs)
      noted.delete(id)
    }
    urgent.clear()
    return batch
  }

  async function write(batch: ReadonlyMap<string, number>): Promise<void> {
    if (batch.size === 0) return
    latestBatch = batch
    try {
      await store.touch(batch)
    } catch (error) {
      for (const [id, atMs] of batch) if (!noted.has(id)) noted.set(id, atMs)
      throw error
    }
  }

  function flushWithin(waitMs: number): void {
    if (soon !== undefined && soon.waitMs <= waitMs) return
    clearTimeout(soon?.timer)
    const timer = setTimeout(() => {
      soon = undefined
      flush('urgent').catch(onFailure)
    }, waitMs)
    timer.unref()
    soon = { waitMs, timer }
  }

  const timer = setInterval(() => void flush().catch(onFailure), flushMs)
  timer.unref()

  return {
    note(id, atMs, idleMs = Infinity) {
      noted.set(id, atMs)
      if (idleMs / 4 >= flushMs) return
      urgent.add(id)
      flushWithin(idleMs / 4)
    },
    latest(id, storedAtMs) {
      const mine = noted.get(id) ?? latestBatch.get(id)
      if (mine === undefined) return storedAtMs
      return storedAtMs === undefined ? mine : Math.max(mine, storedAtMs)
    },
    flush: () => flush(),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      clearTimeout(soon?.timer)
      await flush()
    },
  }
}
