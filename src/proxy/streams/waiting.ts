/** Events that wait for facts: each only for the listeners that hang on them, who get those of one device in order. */

import type { Clock } from '../../domain/clock.ts'
import type { ItemVerdict } from '../../policy/policy-engine.ts'
import type { Directory } from '../../upstream/directory.ts'
import { judged, tightest, type Audience, type Facts, type Placed } from './audience.ts'
import { eventCutOf, Groups, groupsWhere, type EventCut, type Group } from './groups.ts'
import type { Listening } from './listening.ts'
import type { LookUps } from './look-ups.ts'
import type { Taken } from './roster.ts'

export type WaitingParts = {
  lookUps: Pick<LookUps, 'facts'>
  directory: Pick<Directory, 'cached'>
  clock: Clock
  send(placed: Placed, groups: readonly Group<Listening>[]): void
  /** A fault of our own behind a look-up. */
  fail(cause: unknown): void
}

/** As long as an event waits for facts; then they cannot be had, and who needs them gets nothing of it. */
export const patienceMs = 5_000
/** Longer look-ups are not waited for by others. */
export const slowMs = 1_000
/** What waits on one stream of the cloud's. */
export const maxWaitingBytes = 32 * 1024 * 1024
/** Objects around an event, and one more listener that waits for it. */
const eventOverheadBytes = 300
const listenerBytes = 8

type Held = {
  placed: Placed
  listeners: Listening[]
  bytes: number
  sinceMs: number
  /** How many had waited before. */
  nth: number
}

/** What waits for one device, oldest first; there for as long as it is being looked up. */
type Line = { held: Held[]; waiters: Set<Listening> }

/** What one listener gets of one event. */
type Share = EventCut | 'nothing' | 'waits'

/** `upTo`: what came later did not ask for it. */
type LookedUp = { facts: Facts; maxAgeMs: number | undefined; product: string; upTo: number }

export class Waiting {
  readonly #parts: WaitingParts
  readonly #lines = new Map<string, Line>()
  #bytes = 0
  #count = 0
  #state: 'open' | 'closed' = 'open'

  constructor(parts: WaitingParts) {
    this.#parts = parts
  }

  /** Holds it back from those who have to wait, and returns those who have not. */
  hold(placed: Placed, { groups, waits }: Audience<Listening>): readonly Group<Listening>[] {
    const device = placed.event.device ?? ''
    const line = this.#lines.get(device)
    if (waits.length === 0 && (line === undefined || line.waiters.size === 0)) return groups
    const listeners = waits.flatMap(({ taken }) => taken?.client ?? [])
    const now = groupsWhere(groups, ({ taken }) => {
      const waiter = line !== undefined && taken !== undefined && line.waiters.has(taken.client)
      if (waiter) listeners.push(taken.client)
      return !waiter
    })
    if (listeners.length === 0) return now
    const text = placed.event.name.length + placed.event.data.length
    const bytes = text + eventOverheadBytes + listenerBytes * listeners.length
    this.#makeRoom(bytes)
    this.#bytes += bytes
    this.#count += 1
    const sinceMs = this.#parts.clock.monotonic()
    const held: Held = { placed, listeners, bytes, sinceMs, nth: this.#count }
    if (line === undefined) this.#begin(device, held)
    else {
      line.held.push(held)
      for (const listener of listeners) line.waiters.add(listener)
    }
    return now
  }

  /**
   * Gives up what has waited too long. What is in hand by now need not wait for what was asked together with it.
   * @returns whether a look-up is slow
   */
  look(nowMs: number): boolean {
    const { directory } = this.#parts
    let slow = false
    for (const line of this.#lines.values()) {
      const [oldest] = line.held
      if (oldest === undefined) continue
      const { placed, listeners, sinceMs } = oldest
      const waitedMs = nowMs - sinceMs
      const maxAgeMs = tightest(listeners.map(({ seat }) => seat))
      const inHand = directory.cached(placed.resource, maxAgeMs) !== undefined
      if (inHand || waitedMs >= patienceMs) this.#pass(line, undefined)
      else slow ||= waitedMs >= slowMs
    }
    return slow
  }

  /** What waits is dropped. */
  close(): void {
    this.#state = 'closed'
    this.#lines.clear()
  }

  #begin(device: string, held: Held): void {
    const line: Line = { held: [held], waiters: new Set(held.listeners) }
    this.#lines.set(device, line)
    this.#lookUp(device, line, held)
  }

  #lookUp(device: string, line: Line, { placed }: Held): void {
    const { lookUps, fail } = this.#parts
    const maxAgeMs = tightest(Array.from(line.waiters, ({ seat }) => seat))
    const upTo = this.#count
    const { resource } = placed
    const settle = (lookedUp: LookedUp | 'unavailable') => {
      if (this.#state === 'closed') return
      try {
        this.#pass(line, lookedUp)
        const [next] = line.held
        if (next === undefined) this.#lines.delete(device)
        else this.#lookUp(device, line, next)
      } catch (cause) {
        fail(cause)
      }
    }
    lookUps.facts(resource, maxAgeMs).then(
      (facts) => settle({ facts, maxAgeMs, product: resource.product ?? '', upTo }),
      () => settle('unavailable'),
    )
  }

  /** Sends what can be decided by now; for each listener only up to the first that cannot. */
  #pass(line: Line, lookedUp: LookedUp | 'unavailable' | undefined): void {
    const behind = new Set<Listening>()
    for (const held of line.held) {
      const groups = new Groups<Listening>()
      const shares = new Map<string, Share>()
      held.listeners = held.listeners.filter((listener) => {
        const { taken } = listener.seat
        if (taken === undefined) return false
        if (behind.has(listener)) return true
        const share = shares.get(taken.key) ?? this.#share(taken, held, lookedUp)
        shares.set(taken.key, share)
        if (share === 'waits') behind.add(listener)
        else if (share !== 'nothing') groups.add(listener.seat, share)
        return share === 'waits'
      })
      this.#parts.send(held.placed, groups.all)
      if (held.listeners.length === 0) this.#bytes -= held.bytes
    }
    line.held = line.held.filter(({ listeners }) => listeners.length > 0)
    line.waiters = new Set(line.held.flatMap(({ listeners }) => listeners))
  }

  #share(
    taken: Taken<Listening>,
    { placed, sinceMs, nth }: Held,
    lookedUp: LookedUp | 'unavailable' | undefined,
  ): Share {
    const { clock, directory } = this.#parts
    const atMs = clock.now()
    const verdict = judged(taken, placed, undefined, atMs)
    if (verdict.outcome !== 'needs_facts') return shareOf(verdict)
    if (lookedUp === 'unavailable') return 'nothing'
    const { maxAgeMs } = taken.judge
    const facts =
      lookedUp !== undefined && nth <= lookedUp.upTo && isFor(lookedUp, placed, maxAgeMs)
        ? lookedUp.facts
        : directory.cached(placed.resource, maxAgeMs)
    if (facts !== undefined) return shareOf(judged(taken, placed, facts, atMs))
    return clock.monotonic() - sinceMs >= patienceMs ? 'nothing' : 'waits'
  }

  /** Where too much waits, whoever waits is cut off: the stream is shared, and is not held up for them. */
  #makeRoom(bytes: number): void {
    if (this.#bytes + bytes <= maxWaitingBytes) return
    for (const line of this.#lines.values()) {
      const { waiters } = line
      line.held = []
      line.waiters = new Set()
      for (const { sink } of waiters) sink.end('attribute_unavailable')
    }
    this.#bytes = 0
  }
}

/** What cannot be decided with facts in hand is not shown. */
function shareOf(verdict: ItemVerdict): Share {
  return verdict.outcome === 'allow' ? eventCutOf(verdict.obligations) : 'nothing'
}

/** Whether these facts are of what is asked about, and young enough. */
function isFor(lookedUp: LookedUp, { resource }: Placed, maxAgeMs: number | undefined): boolean {
  if (lookedUp.product !== (resource.product ?? '')) return false
  return maxAgeMs === undefined || (lookedUp.maxAgeMs ?? Infinity) <= maxAgeMs
}
