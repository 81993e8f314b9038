/** Lists in memory and lists being read, under one rule for which of them may answer a question. */

import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import { UpstreamRefusal, type ListQuestion, type ListView } from '../fleet-lists.ts'
import { UpstreamAborted } from '../pool.ts'
import { isSmall, isYoung, useOf, type AgeLimits } from './ages.ts'
import type { CallBudget } from './call-budget.ts'
import { catchUp, standingFor, type Journal, type Standing } from './journal.ts'
import type { ListRation } from './list-ration.ts'
import type { ListReader } from './list-reader.ts'
import { idFilter } from './question.ts'
import { readPatched } from './read-patched.ts'
import { shareWork, type SharedWork } from './shared-work.ts'
import { createShelf } from './shelf.ts'
import type { After } from './timer.ts'

export type Wanted = {
  key: string
  question: ListQuestion
  /** Only what is, or belongs to, this resource. */
  only?: string
  maxAgeMs: number | undefined
  signal: AbortSignal | undefined
  /** Who waits for it. */
  user: string
  /** Whether what must be read for him is counted. */
  pays: 'by the page' | 'nothing'
}

export type KeptLists = Disposable & {
  /** @throws as `FleetLists.view` does */
  get(wanted: Wanted): Promise<ListView>
}

type Kept = {
  view: ListView
  bytes: number
  standing: Standing
  only: string | undefined
  /** `from`: writes before this position are seen to. */
  patching: { work: SharedWork<ListView>; from: number } | undefined
  /** A reading in the background failed: not tried again before. */
  notBeforeMs: number
}
type UnderWay = {
  work: SharedWork<ListView>
  atMs: number
  standing: Standing
  pays: Wanted['pays']
}

/** So many are asked for one by one at any rate; of a longer list half as many as it has pages. */
const fewDirty = 50
/** Of no use to anyone for so long: dropped. */
const idleMs = 600_000
const retryAfterFailureMs = 5000

export function createKeptLists(parts: {
  reader: ListReader
  journal: Journal
  budget: CallBudget
  ration: ListRation
  clock: Clock
  after: After
  limits: AgeLimits & { memoryBytes: number }
}): KeptLists {
  const { reader, journal, budget, ration, clock, after, limits } = parts
  const shelf = createShelf<Kept>({ maxBytes: limits.memoryBytes, idleMs, clock })
  const underWay = new Map<string, UnderWay>()
  const works = new Set<SharedWork<ListView>>()

  async function get(wanted: Wanted): Promise<ListView> {
    const { key, user, signal, maxAgeMs } = wanted
    const arrivedMs = clock.monotonic()
    for (;;) {
      if (signal?.aborted === true) throw new UpstreamAborted('the caller gave up')
      const found = soundOne(key)
      const kept = found === 'void' ? undefined : found
      const use = kept === undefined ? 'old' : useOf(kept.view, arrivedMs, limits, maxAgeMs)
      if (kept !== undefined && use !== 'old') {
        if (use === 'stale') refresh(wanted, kept)
        const { dirty } = kept.standing
        if (dirty.size === 0) return kept.view
        const { work, from } = kept.patching ?? patch(wanted, kept)
        const covered = [...dirty.values()].every((position) => position < from)
        // oxlint-disable-next-line no-await-in-loop -- the next round looks at what has become of it
        const view = await work.join(user, signal)
        if (covered) return view
        continue
      }
      const reading = running(key) ?? read(wanted, found, 'needed')
      // What the gate itself waits for must not fail for want of an API user's ration.
      if (wanted.pays === 'nothing') reading.pays = 'nothing'
      const { work, standing, atMs } = reading
      const limitMs = Math.min(limits.maxStaleMs, maxAgeMs ?? Infinity)
      // One that a write has passed, or that began too long ago, is not for who comes now.
      const fits = standing.dirty.size === 0 && isYoung(atMs, arrivedMs, limitMs)
      // oxlint-disable-next-line no-await-in-loop -- likewise
      const view = await work.join(user, signal)
      if (fits) return view
    }
  }

  /** What is in memory; `void`: it was, but a write has passed that it cannot be patched for. */
  function soundOne(key: string): Kept | 'void' | undefined {
    const kept = shelf.get(key)
    if (kept === undefined) return undefined
    const { view, only, standing } = kept
    catchUp(standing, journal)
    const { question, dirty } = standing
    if (only !== undefined) {
      if (dirty.has(only)) standing.state = 'void'
      dirty.clear()
    } else if (dirty.size > 0) {
      const mayAsk = dirty.size <= Math.max(fewDirty, view.calls / 2)
      const few = mayAsk && idFilter(question) !== undefined
      if (isSmall(view) || (question.answer.item === 'device' && !few)) standing.state = 'void'
      // How many devices a product has may be behind a while; a write on the product itself is not.
      else if (question.answer.item !== 'device') dirty.clear()
    }
    if (standing.state === 'sound') return kept
    shelf.drop(key)
    return 'void'
  }

  /** What is being read, unless a write has passed that may have changed any of it. */
  function running(key: string): UnderWay | undefined {
    const found = underWay.get(key)
    if (found === undefined) return undefined
    catchUp(found.standing, journal)
    if (found.standing.state === 'sound') return found
    underWay.delete(key)
    found.work.leaveToWaiting()
    return undefined
  }

  function refresh(wanted: Wanted, kept: Kept): void {
    if (running(wanted.key) !== undefined || clock.monotonic() < kept.notBeforeMs) return
    read(wanted, kept, 'anyway')
  }

  function read(
    wanted: Wanted,
    found: Kept | 'void' | undefined,
    purpose: 'needed' | 'anyway',
  ): UnderWay {
    const { key, question, only, user } = wanted
    // Neither somebody else's write nor what nobody waits for is charged to who lists next.
    const pays = found !== 'void' && purpose === 'needed' ? wanted.pays : 'nothing'
    if (pays === 'by the page') ration.charge([user], 1)
    const kept = found === 'void' ? undefined : found
    const standing = standingFor(question, journal)
    const atMs = clock.monotonic()
    const room = shelf.room()
    const work = shareWork({
      purpose,
      starter: user,
      after,
      onHurry: budget.hurry,
      async run(signal, claim) {
        const { view, bytes } = await reader.read(question, {
          ...{ signal, claim, room, only },
          before: kept?.view,
          onMore(pages, how) {
            if (reading.pays === 'nothing') return
            if (how === 'all') ration.charge(claim().users, pages)
            else ration.overdraw(claim().users, pages)
          },
        })
        signal.throwIfAborted()
        room.release()
        catchUp(standing, journal)
        const entry = { view, bytes, standing, only, patching: undefined, notBeforeMs: 0 }
        if (standing.state === 'sound') shelf.put(key, entry, bytes)
        return view
      },
      onEnd(failure) {
        room.release()
        if (underWay.get(key) === reading) underWay.delete(key)
        works.delete(work)
        if (kept === undefined || failure === undefined) return
        kept.notBeforeMs = clock.monotonic() + retryAfterFailureMs
        if (isFinal(failure) && shelf.get(key) === kept) shelf.drop(key)
      },
    })
    const reading: UnderWay = { work, atMs, standing, pays }
    underWay.set(key, reading)
    works.add(work)
    return reading
  }

  function patch({ key, question, user }: Wanted, kept: Kept): NonNullable<Kept['patching']> {
    const from = journal.end
    const room = shelf.room()
    const work = shareWork({
      purpose: 'anyway',
      starter: user,
      after,
      onHurry: budget.hurry,
      async run(signal, claim) {
        const ids = [...kept.standing.dirty.keys()]
        const read = await readPatched(reader, question, kept.view, ids, { signal, claim, room })
        signal.throwIfAborted()
        room.release()
        if (shelf.get(key) === kept) {
          const standing = laterThan(kept.standing, from)
          const bytes = kept.bytes + read.bytes
          shelf.put(key, { ...kept, view: read.view, bytes, standing, patching: undefined }, bytes)
        }
        return read.view
      },
      onEnd() {
        room.release()
        kept.patching = undefined
        works.delete(work)
      },
    })
    kept.patching = { work, from }
    works.add(work)
    return kept.patching
  }

  return {
    get,
    [Symbol.dispose]() {
      for (const work of works) work.abort()
      shelf.clear()
    },
  }
}

/** What is known of a list after it was patched for the writes before a position. */
function laterThan(standing: Standing, from: number): Standing {
  const dirty = new Map([...standing.dirty].filter(([, position]) => position >= from))
  return { ...standing, dirty }
}

/** The cloud does not show the list any more: what was kept of it must not be shown either. */
function isFinal(failure: unknown): boolean {
  if (failure instanceof UpstreamRefusal) {
    return failure.status < 500 && failure.status !== 408 && failure.status !== 429
  }
  const codes: readonly string[] = ['upstream_refused', 'unfilterable_answer']
  return failure instanceof Problem && codes.includes(failure.code)
}
