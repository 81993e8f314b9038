/** Watches the policy folder and reloads it whole: at a change, at a slow poll, and when told to. */

import { watch, type FSWatcher } from 'node:fs'
import type { Clock } from '../domain/clock.ts'
import type { PolicySet } from './policy-set.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Mistake } from '../lib/mistake.ts'
import { stampOf } from './folder-stamp.ts'
import type { LoadResult } from './load.ts'

export type WatchOptions = {
  folder: string
  load: () => Promise<LoadResult>
  onLoaded: (set: PolicySet, notes: readonly Mistake[]) => MaybePromise<void>
  /** The set in force stays. */
  onBroken: (mistakes: readonly Mistake[]) => void
  clock: Clock
  /** Quiet time after a change before it is read: editors and checkouts write in several steps. */
  settleMs?: number
  /** File system events get lost; this finds what they missed. */
  pollMs?: number
}

export type PolicyWatch = AsyncDisposable & {
  /** Resolves when the files, as they are from now on, were read, whatever came of it. */
  reload(): Promise<void>
}

export function watchPolicies(options: WatchOptions): PolicyWatch {
  const { folder, load, onLoaded, onBroken, clock, settleMs = 200, pollMs = 2000 } = options
  let stamp: string | undefined = stampOf(folder)
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  let settling: NodeJS.Timeout | undefined
  let changedAt = 0
  let disposed = false

  const watcher = startWatcher(folder, noticed)
  const poll = setInterval(lookAround, pollMs)
  poll.unref()

  function lookAround(): void {
    if (stampOf(folder) !== stamp) noticed()
  }

  function noticed(): void {
    changedAt = clock.monotonic()
    if (settling !== undefined || disposed) return
    settling = setTimeout(settle, settleMs)
    settling.unref()
  }

  function settle(): void {
    settling = undefined
    const quietMs = clock.monotonic() - changedAt
    if (quietMs < settleMs && !disposed) {
      settling = setTimeout(settle, settleMs - quietMs)
      settling.unref()
      return
    }
    if (stampOf(folder) !== stamp) void reload()
  }

  /** At most one load runs and one waits: a storm of signals costs two. */
  function reload(): Promise<void> {
    if (running === undefined) {
      running = once().finally(() => (running = undefined))
      return running
    }
    next ??= running.then(() => {
      next = undefined
      return reload()
    })
    return next
  }

  async function once(): Promise<void> {
    if (disposed) return
    // Taken before reading: what changes meanwhile differs from it and is read again.
    stamp = stampOf(folder)
    try {
      const loaded = await load()
      if (disposed) return
      if (loaded.ok) await onLoaded(loaded.set, loaded.notes)
      else onBroken(loaded.mistakes)
    } catch (error) {
      // The fault was not the files' own, so that they stay unread: the next poll tries again.
      stamp = undefined
      // Nobody awaits a reload that a file change began: what it throws must be heard, and must not end the process.
      const why = error instanceof Error ? error.message : 'unknown fault'
      onBroken([{ file: folder, line: 1, column: 1, message: `cannot be put in force: ${why}` }])
    }
  }

  return {
    reload,
    async [Symbol.asyncDispose]() {
      disposed = true
      clearTimeout(settling)
      clearInterval(poll)
      watcher?.close()
      await running
    },
  }
}

/** `undefined` where the system cannot watch this folder: the poll is then all there is. */
function startWatcher(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { recursive: true, persistent: false }, onChange)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}
