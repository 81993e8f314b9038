/** Who gets an event: decided for each listener, and kept for as long as nothing it hangs on has changed. */

import type { LRUCache } from 'lru-cache'
import type { Resource } from '../../domain/access-request.ts'
import type { ItemVerdict } from '../../policy/policy-engine.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { CloudEvent } from './cloud-event.ts'
import { eventCutOf, Groups, groupsWhere, type EventCut, type Group } from './groups.ts'
import type { Roster, Seat, Taken } from './roster.ts'

export type Facts = Readonly<Record<string, unknown>>

export type Audience<Client> = {
  /** Who gets it for sure. */
  groups: readonly Group<Client>[]
  /** Whose answer hangs on facts of the resource that are not in hand. */
  waits: readonly Seat<Client>[]
}

/** An event and what it is decided about: its device in its product, or the place where no device sent it. */
export type Placed = { event: CloudEvent; resource: Resource }

/** What was found for one kind of event: device, name and source. Never changed, only replaced. */
export type Found<Client> = {
  /** Seats up to this order were asked. */
  order: number
  /** So many seats had been given up by then. */
  left: number
  /** Who gets it whatever the resource is. */
  sure: readonly Group<Client>[]
  /** Who has to be asked with facts, no older than this. */
  hanging: readonly Seat<Client>[]
  maxAgeMs: number | undefined
  /** The facts they were last asked with, and who of them gets it. */
  facts: Facts | undefined
  decided: readonly Group<Client>[]
}

export type AudienceParts<Client> = {
  roster: Roster<Client>
  directory: Pick<Directory, 'cached'>
  /** Shared by all streams; sized by `foundBytes`. */
  memory: LRUCache<string, Found<Client>>
  /** Tells this stream's keys from those of others. */
  name: string
}

export class Audiences<Client> {
  readonly #parts: AudienceParts<Client>

  constructor(parts: AudienceParts<Client>) {
    this.#parts = parts
  }

  /** @param atMs wall clock */
  of(placed: Placed, atMs: number): Audience<Client> {
    const { event, resource } = placed
    const { memory, directory, name } = this.#parts
    const key = `${name} ${resource.product ?? ''}/${event.device ?? ''}/${event.source}\n${event.name}`
    const before = memory.get(key)
    let found = this.#asked(before, placed, atMs)
    let audience: Audience<Client> = { groups: found.sure, waits: [] }
    if (found.hanging.length > 0) {
      const facts = directory.cached(resource, found.maxAgeMs)
      if (facts === undefined) audience = { groups: found.sure, waits: found.hanging }
      else {
        // The same answer of the cloud is the same object: anything else is looked at again.
        if (facts !== found.facts) found = decidedBy(found, placed, facts, atMs)
        audience = { groups: [...found.sure, ...found.decided], waits: [] }
      }
    }
    if (found !== before) memory.set(key, found)
    return audience
  }

  /** Asks those who came since, and forgets those who left. */
  #asked(before: Found<Client> | undefined, placed: Placed, atMs: number): Found<Client> {
    const { roster } = this.#parts
    const { last: order, left } = roster
    if (before?.order === order && before.left === left) return before
    let found = before ?? nothingFound
    if (found.left !== left) found = { ...withoutGone(found), left }
    if (found.order === order) return found
    const sure = new Groups(found.sure)
    const hanging = [...found.hanging]
    const verdicts = new Map<string, ItemVerdict | EventCut>()
    for (const seat of roster.since(found.order, placed.event.device)) {
      const { taken } = seat
      if (taken === undefined || !taken.interest.wants(placed.event)) continue
      let verdict = verdicts.get(taken.key)
      if (verdict === undefined) {
        verdict = toCut(judged(taken, placed, undefined, atMs))
        verdicts.set(taken.key, verdict)
      }
      if (verdict === 'whole' || 'key' in verdict) sure.add(seat, verdict)
      else if (verdict.outcome === 'needs_facts') hanging.push(seat)
    }
    const nobodyNew = hanging.length === found.hanging.length
    return {
      ...{ order, left, sure: sure.all, hanging, maxAgeMs: tightest(hanging) },
      ...{ facts: nobodyNew ? found.facts : undefined, decided: found.decided },
    }
  }
}

/** Memory that it takes, about: an entry, and 8 bytes a seat in arrays that are grown in steps. */
export function foundBytes({ sure, hanging, decided }: Found<unknown>, key: string): number {
  let seats = hanging.length
  for (const group of sure) seats += group.seats.length
  for (const group of decided) seats += group.seats.length
  return 400 + key.length + 150 * (sure.length + decided.length) + 12 * seats
}

/** What this listener may see of it; without facts perhaps `needs_facts`. @param atMs wall clock */
export function judged(
  { judge, organization }: Pick<Taken<unknown>, 'judge' | 'organization'>,
  { event, resource }: Placed,
  facts: Facts | undefined,
  atMs: number,
): ItemVerdict {
  const owned = organization === undefined ? resource : { ...resource, organization }
  const { name, source } = event
  return judge.judge({ resource: owned, facts, event: { name, source } }, atMs)
}

/** The shortest of the ages that their rules allow. */
export function tightest(seats: Iterable<Seat<unknown>>): number | undefined {
  let maxAgeMs: number | undefined
  for (const { taken } of seats) {
    const age = taken?.judge.maxAgeMs
    if (age !== undefined) maxAgeMs = Math.min(age, maxAgeMs ?? age)
  }
  return maxAgeMs
}

const nothingFound = {
  ...{ order: 0, left: 0, sure: [], hanging: [], decided: [] },
  ...{ maxAgeMs: undefined, facts: undefined },
}

function decidedBy<Client>(
  found: Found<Client>,
  placed: Placed,
  facts: Facts,
  atMs: number,
): Found<Client> {
  const decided = new Groups<Client>()
  const verdicts = new Map<string, ItemVerdict | EventCut>()
  for (const seat of found.hanging) {
    const { taken } = seat
    if (taken === undefined) continue
    let verdict = verdicts.get(taken.key)
    if (verdict === undefined) {
      verdict = toCut(judged(taken, placed, facts, atMs))
      verdicts.set(taken.key, verdict)
    }
    if (verdict === 'whole' || 'key' in verdict) decided.add(seat, verdict)
  }
  return { ...found, facts, decided: decided.all }
}

/** What an allow leaves of the event; anything else as it is. */
function toCut(verdict: ItemVerdict): ItemVerdict | EventCut {
  return verdict.outcome === 'allow' ? eventCutOf(verdict.obligations) : verdict
}

function withoutGone<Client>(found: Found<Client>): Found<Client> {
  const stays = ({ taken }: Seat<Client>) => taken !== undefined
  const hanging = found.hanging.filter(stays)
  return {
    ...{ ...found, hanging, maxAgeMs: tightest(hanging) },
    sure: groupsWhere(found.sure, stays),
    decided: groupsWhere(found.decided, stays),
  }
}
