/** When each token was last used: noted in memory on every request, written to the store in batches. */

import type { TokenStore } from './token-store.ts'

export type LastUsed = AsyncDisposable & {
  note(id: string, atMs: number): void
  /** The newer of the store's value and what is not written yet. */
  latest(id: string, storedAtMs: number | undefined): number | undefined
  /** @throws whatever the store throws; the uses are then kept for the next flush */
  flush(): Promise<void>
}

export type LastUsedOptions = {
  store: Pick<TokenStore, 'touch'>
  flushMs: number
  /** A flush of the timer's failed; it will be tried again. */
  onFailure: (error: unknown) => void
}

export function createLastUsed({ store, flushMs, onFailure }: LastUsedOptions): LastUsed {
  /** Every use since the start, bounded by the number of tokens there are; `unwritten` names those to write. */
  const uses = new Map<string, number>()
  const unwritten = new Set<string>()
  let before: Promise<void> = Promise.resolve()

  /** One after the other: who asks meanwhile waits for a write that holds what he has noted. */
  function flush(): Promise<void> {
    const mine = before.then(write)
    before = mine.catch(() => undefined)
    return mine
  }

  async function write(): Promise<void> {
    if (unwritten.size === 0) return
    const batch = new Map<string, number>()
    for (const id of unwritten) batch.set(id, uses.get(id) ?? 0)
    unwritten.clear()
    try {
      await store.touch(batch)
    } catch (error) {
      for (const id of batch.keys()) unwritten.add(id)
      throw error
    }
  }

  const timer = setInterval(() => void flush().catch(onFailure), flushMs)
  timer.unref()

  return {
    note(id, atMs) {
      uses.set(id, atMs)
      unwritten.add(id)
    },
    latest(id, storedAtMs) {
      const noted = uses.get(id)
      if (noted === undefined) return storedAtMs
      return storedAtMs === undefined ? noted : Math.max(noted, storedAtMs)
    },
    flush,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await flush()
    },
  }
}
