/** What is kept in memory, least recently used first out, and what is being read: together within one bound. */

import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'

export type Shelf<T> = {
  /** Counts as a use. */
  get(key: string): T | undefined
  /** @throws Problem `overloaded` where it does not fit */
  put(key: string, value: T, bytes: number): void
  drop(key: string): void
  /** Room for a list under way. */
  room(): Room
  clear(): void
  readonly bytes: number
}

export type Room = {
  /** Fails early where so much would never fit. @throws Problem `overloaded` */
  expect(bytes: number): void
  /** Takes so much more; what was not used for longest makes way. @throws Problem `overloaded` */
  grow(bytes: number): void
  /** Gives all of it back; what comes late takes none. */
  release(): void
}

/** Key, place in the map, and what goes with a list that may itself be empty. */
const entryOverheadBytes = 1000

type Held<T> = { value: T; bytes: number; usedMs: number }

export function createShelf<T>(options: {
  maxBytes: number
  /** Of no use to anyone for so long: dropped. */
  idleMs: number
  clock: Clock
}): Shelf<T> {
  const { maxBytes, idleMs, clock } = options
  /** In the order of use. */
  const held = new Map<string, Held<T>>()
  let bytes = 0
  /** Part of it that cannot make way. */
  let underWay = 0

  function drop(key: string): void {
    bytes -= held.get(key)?.bytes ?? 0
    held.delete(key)
  }

  function makeRoom(needed: number): void {
    if (underWay + needed > maxBytes) throw tooMuch()
    for (const key of held.keys()) {
      if (bytes + needed <= maxBytes) return
      drop(key)
    }
  }

  function dropIdle(): void {
    const sinceMs = clock.monotonic() - idleMs
    for (const [key, { usedMs }] of held) {
      if (usedMs >= sinceMs) return
      drop(key)
    }
  }

  return {
    get(key) {
      dropIdle()
      const found = held.get(key)
      if (found === undefined) return undefined
      found.usedMs = clock.monotonic()
      held.delete(key)
      held.set(key, found)
      return found.value
    },
    put(key, value, valueBytes) {
      drop(key)
      const size = valueBytes + entryOverheadBytes + key.length
      makeRoom(size)
      held.set(key, { value, bytes: size, usedMs: clock.monotonic() })
      bytes += size
    },
    drop,
    room() {
      let taken = 0
      let state: 'open' | 'closed' = 'open'
      return {
        expect(size) {
          if (size > maxBytes) throw tooMuch()
        },
        grow(size) {
          if (state === 'closed') return
          makeRoom(size)
          bytes += size
          underWay += size
          taken += size
        },
        release() {
          bytes -= taken
          underWay -= taken
          taken = 0
          state = 'closed'
        },
      }
    },
    clear() {
      for (const key of held.keys()) drop(key)
    },
    get bytes() {
      return bytes
    },
  }
}

function tooMuch(): Problem {
  return new Problem('overloaded', {
    says: 'The list is too large for this gate.',
    cause: 'kept lists take more memory than they may; raise lists.memory',
  })
}
