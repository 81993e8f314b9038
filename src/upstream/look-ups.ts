/** Questions to the cloud of one kind: answers kept for a while, each asked once at a time, dead ends rationed. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/clock.ts'
import { atMost } from '../lib/at-most.ts'
import type { Forgotten } from './forgotten.ts'
import type { Guesses } from './guesses.ts'
import type { Ration } from './ration.ts'

export type LookUp<T> = {
  key: string
  user: string
  /** How old a known answer may be, milliseconds. */
  maxAgeMs: number
  ask: () => Promise<T | undefined>
}

/** `admit`: waits until one more call may be made; only where one is needed. What it throws refuses. */
export type Followed<T> = Omit<LookUp<T>, 'user'> & { admit?: () => Promise<void> }

export type LookUps<T> = {
  /** @throws Problem `rationed`, and what `ask` throws; a failure is never kept */
  find(lookUp: LookUp<T>): Promise<T | undefined>
  /** The same, for what the cloud itself has named: nobody guesses it. */
  follow(lookUp: Followed<T>): Promise<T | undefined>
  /** What is in hand; `undefined`: nothing young enough. */
  peek(key: string, maxAgeMs: number): { found: T | undefined } | undefined
  /** An answer that came by another way; `moment` is from before it was asked for. */
  put(key: string, found: T, asked: { atMs: number; moment: number }): void
}

type Asked = { atMs: number; moment: number; names: readonly string[] }
type Entry<T> = Asked & { found: T | undefined }
type UnderWay<T> = Asked & { answer: Promise<T | undefined> }

export function createLookUps<T>(options: {
  clock: Clock
  forgotten: Forgotten
  guesses: Guesses
  ration: Ration
  /** How old the news may be that something is unknown. */
  unknownMs: number
  maxEntries: number
  /** Names of which a write makes an answer stale; `undefined`: not known or not back yet. */
  namesOf: (key: string, found: T | undefined) => readonly string[]
  /** The name by which what was found is told from other finds. */
  nameOf: (found: T) => string
}): LookUps<T> {
  const { clock, forgotten, guesses, ration, unknownMs, namesOf, nameOf } = options
  const cache = new LRUCache<string, Entry<T>>(atMost(options.maxEntries))
  const underWay = new Map<string, UnderWay<T>>()

  function isGood(asked: Asked, limitMs: number): boolean {
    const ageMs = clock.monotonic() - asked.atMs
    return ageMs < limitMs && !forgotten.since(asked.moment, asked.names)
  }

  function peek(key: string, maxAgeMs: number): Entry<T> | undefined {
    const entry = cache.get(key)
    if (entry === undefined) return undefined
    const limitMs = entry.found === undefined ? Math.min(unknownMs, maxAgeMs) : maxAgeMs
    return isGood(entry, limitMs) ? entry : undefined
  }

  /** Of an answer in hand, or of one that somebody waits for already. */
  function standing({ key, maxAgeMs }: Followed<T>): Promise<T | undefined> | undefined {
    const entry = peek(key, maxAgeMs)
    if (entry !== undefined) return Promise.resolve(entry.found)
    const running = underWay.get(key)
    const isYoung = running !== undefined && isGood(running, Math.max(1, maxAgeMs))
    return isYoung ? running.answer : undefined
  }

  async function follow(lookUp: Followed<T>): Promise<T | undefined> {
    const known = standing(lookUp)
    if (known !== undefined) return known
    if (lookUp.admit === undefined) return askFor(lookUp)
    await lookUp.admit()
    // Somebody else may have asked meanwhile.
    return standing(lookUp) ?? askFor(lookUp)
  }

  async function askFor({ key, ask }: Followed<T>): Promise<T | undefined> {
    // The age counts from before the question: the answer may have been written then.
    const asked = {
      atMs: clock.monotonic(),
      moment: forgotten.now(),
      names: namesOf(key, undefined),
      answer: ask(),
    }
    underWay.set(key, asked)
    try {
      const found = await asked.answer
      keep(key, found, asked)
      return found
    } finally {
      if (underWay.get(key) === asked) underWay.delete(key)
    }
  }

  /** What was written meanwhile shows when the entry is looked at. A later question's answer is not overwritten. */
  function keep(key: string, found: T | undefined, { atMs, moment }: Omit<Asked, 'names'>): void {
    const before = cache.peek(key)
    if (before !== undefined && (before.moment > moment || before.atMs > atMs)) return
    cache.set(key, { found, atMs, moment, names: namesOf(key, found) })
  }

  return {
    peek,
    follow,
    put: keep,
    async find({ user, ...lookUp }) {
      const { key, maxAgeMs } = lookUp
      const lookAt = (found: T | undefined) => ({
        ...{ user, maxAgeMs, known: found !== undefined },
        name: found === undefined ? key : nameOf(found),
      })
      const entry = peek(key, maxAgeMs)
      if (entry !== undefined && guesses.isFree(lookAt(entry.found))) return entry.found
      return ration.spend(user, async () => {
        const begun = guesses.begin()
        const found = await follow(lookUp)
        return { found, cost: guesses.cost({ ...lookAt(found), begun }) }
      })
    },
  }
}
