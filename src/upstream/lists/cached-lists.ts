/** Whole lists of the cloud: read once for all who ask, kept for stated times, and never believed past a write. */

import { LRUCache } from 'lru-cache'
import type { Catalog } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { FleetLists } from '../fleet-lists.ts'
import type { OwnSend } from '../own-calls.ts'
import { createCallBudget, type Claim } from './call-budget.ts'
import { createJournal } from './journal.ts'
import { createKeptLists } from './kept-lists.ts'
import { createAskPage } from './list-call.ts'
import { createListRation } from './list-ration.ts'
import { createListReader } from './list-reader.ts'
import { keyOf, narrowed } from './question.ts'
import { systemAfter, type After } from './timer.ts'

export type FleetListsOptions = {
  send: OwnSend
  clock: Clock
  /** `after` is for tests. */
  after?: After
  resources: Catalog['resources']
  limits: {
    maxAgeMs: number
    /** Of a list of many pages, while it is read again. */
    maxStaleMs: number
    /** Calls that reading lists may cost of the cloud's quota. */
    callsPerMinute: number
    memoryBytes: number
    /** Pages that may be read on one API user's behalf. */
    pagesPerMinute: number
  }
}

/** A single look-up is over soon: nobody gives it up. */
const never = new AbortController().signal
/** After this nobody knows how long a list is. */
const sizeMaxAgeMs = 3_600_000
/** Memory for how long lists were, beside that of the lists. */
const sizesBytes = 4_000_000

export function createFleetLists(options: FleetListsOptions): FleetLists {
  const { send, clock, resources, limits, after = systemAfter } = options
  const { callsPerMinute, pagesPerMinute } = limits
  const budget = createCallBudget({ callsPerMinute, clock, after })
  const ration = createListRation({ pagesPerMinute, clock, maxUsers: 10_000 })
  const ask = createAskPage({ send, budget, after })
  const reader = createListReader({ resources, clock, ask })
  const journal = createJournal(10_000)
  const sizes = new LRUCache<string, { count: number; atMs: number }>({
    maxSize: sizesBytes,
    sizeCalculation: (_, key) => key.length + 100,
  })
  const kept = createKeptLists({ reader, journal, budget, ration, clock, after, limits })

  return {
    async view(question, { user, maxAgeMs, signal, ration: paid }) {
      const key = keyOf(question)
      const view = await kept.get({
        key,
        question,
        maxAgeMs,
        signal,
        user,
        pays: paid === 'none' ? 'nothing' : 'by the page',
      })
      sizes.set(key, { count: view.items.length, atMs: view.atMs })
      return view
    },
    async pick(question, only, query, { user, maxAgeMs, signal }) {
      const alone = narrowed(question, query, only)
      if (alone === undefined) {
        throw new Problem('internal', { cause: `the question has the filter ${query} already` })
      }
      return kept.get({
        key: `one ${keyOf(alone)}`,
        question: alone,
        ...{ only, maxAgeMs, signal, user },
        pays: 'by the page',
      })
    },
    size(question) {
      const known = sizes.get(keyOf(question))
      const young = known !== undefined && clock.monotonic() - known.atMs < sizeMaxAgeMs
      return young ? known.count : undefined
    },
    take(user) {
      const claim = (): Claim => ({ urgency: 'awaited', users: [user] })
      return budget.take({ claim, patience: 'refuses', signal: never })
    },
    touched(resource, path, reach) {
      journal.note({ resource, path, reach })
    },
    [Symbol.dispose]() {
      kept[Symbol.dispose]()
      budget[Symbol.dispose]()
    },
  }
}
