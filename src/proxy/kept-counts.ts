/** Counts of long windows as they are kept: noted at every call, written to the store in batches, and there again after a restart. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CountStore, KeptCount } from '../store/count-store.ts'
import type { Charge } from '../domain/decision.ts'

export type KeptCounts = AsyncDisposable & {
  /** As it is counted by now. */
  note(charge: Charge, calls: number, endsAtMs: number): void
}

export type KeptCountsOptions = {
  store: CountStore
  /** Name of this gate: counts are its own. */
  replica: string
  every: (ms: number, callback: () => void) => Disposable
  /** A write failed; it will be tried again. */
  onFault: (error: unknown) => void
}

/** Shorter windows are over soon, and many are open at a time. */
const leastS = 3_600
/** A gate that crashes again and again must not begin anew each time. */
const writeEveryMs = 1_000
/** Written each time, so that nobody holds up the writers of rights; the others wait their turn. */
const chunk = 128

export function createKeptCounts({
  store,
  replica,
  every,
  onFault,
}: KeptCountsOptions): KeptCounts {
  const noted = new Map<string, KeptCount>()
  let writing: Promise<void> = Promise.resolve()

  /** Those that have waited longest come first. */
  async function write(most: number): Promise<void> {
    for (let left = Math.min(most, noted.size); left > 0; left -= chunk) {
      const batch = [...noted.values().take(chunk)]
      for (const { key } of batch) noted.delete(key)
      try {
        // oxlint-disable-next-line no-await-in-loop -- one write at a time: there is one writer
        await store.keep(replica, batch)
      } catch (error) {
        for (const one of batch) if (!noted.has(one.key)) noted.set(one.key, one)
        throw error
      }
      // oxlint-disable-next-line no-await-in-loop -- requests get their turn in between
      await nextTurn()
    }
  }

  function flush(most: number): Promise<void> {
    writing = writing.then(() => write(most)).catch(onFault)
    return writing
  }

  const timer = every(writeEveryMs, () => void flush(chunk))
  return {
    note({ key, limit }, calls, endsAtMs) {
      if (limit.perS >= leastS) noted.set(key, { key, calls, endsAtMs })
    },
    async [Symbol.asyncDispose]() {
      timer[Symbol.dispose]()
      await flush(Infinity)
    },
  }
}
