/** Looks through a list with the eyes of one API user: who decides, on which facts, over what is of no device. */

import { canonicalId } from '../../domain/canonical-id.ts'
import type { AccessRequest, Resource } from '../../domain/access-request.ts'
import type { Catalog, ListAnswer } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import { createTextSet, type TextSet } from '../../lib/text-set.ts'
import type { ItemJudge, PolicyEngine } from '../../policy/policy-engine.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { ListView } from '../../upstream/fleet-lists.ts'
import type { Served } from '../enforce.ts'
import { createItemFacts } from './item-facts.ts'
import type { Items } from './items.ts'
import { idsAmong } from './plan.ts'
import type { ItemResources } from './resources.ts'
import { createSightings } from './sightings.ts'
import type { Breathe } from './turns.ts'
import { visibleAmong, type Shown, type Sight, type Strays } from './visible.ts'

/** One list of one place, asked for by one API user. */
export type Looked = { served: Served; answer: ListAnswer; place: Resource; judge: ItemJudge }

export type Look = {
  judgeOf(served: Served): ItemJudge
  /** @param view what the items are of: what is found is kept with it */
  among(looked: Looked, items: Items, view?: ListView): Promise<Shown>
}

export function createLook(parts: {
  policy: Pick<PolicyEngine, 'items' | 'hangsOnDevice' | 'userOf' | 'revision'>
  catalog: Pick<Catalog, 'resources'>
  directory: Directory
  resources: ItemResources
  clock: Pick<Clock, 'now'>
  turns: () => Breathe
}): Look {
  const { policy, catalog, directory, resources, clock, turns } = parts
  const sightings = createSightings()
  const itemFacts = createItemFacts(catalog)
  const amongs = new WeakMap<ItemJudge['narrow'], TextSet>()

  /** A grant narrows the same way each time: its ids are set out once. */
  function amongIds({ judge: { narrow }, answer: { item } }: Looked): TextSet | undefined {
    let among = amongs.get(narrow)
    const ids = among === undefined ? idsAmong(narrow) : undefined
    if (ids !== undefined && item !== 'none') {
      // No item is ever of an id that is spelled in another way.
      among = createTextSet(
        [...ids].filter((id) => canonicalId(catalog.resources[item], id) === id),
      )
      amongs.set(narrow, among)
    }
    return among
  }

  function factsFor({ principal }: Served, { item, items }: ListAnswer): Sight['facts'] {
    const { user, issued } = principal
    if (items.facts === 'directory') return { from: 'directory', directory, user }
    const today = policy.userOf(principal)?.grant
    const grants = today === undefined ? [issued] : [issued, today]
    return { from: 'item', ...itemFacts(item, grants) }
  }

  function straysOf({ answer, place, judge }: Looked): Strays {
    const { items } = answer
    if (items.facts === 'item' && items.when === undefined) return { kind: 'broken' }
    // What is of no device is of the place, and has none of the facts that devices have.
    const verdict = judge.judge({ resource: place, facts: {} }, clock.now())
    if (verdict.outcome !== 'allow') return { kind: 'hidden' }
    return { kind: 'shown', obligations: verdict.obligations }
  }

  async function look(looked: Looked, items: Items, strays: Strays): Promise<Shown> {
    const { served, answer, place, judge } = looked
    const { principal } = served
    const list = { item: answer.item, place, principal }
    const among = amongIds(looked)
    const { resourceOf, asked } = await resources.of(list, () => idsIn(items, among))
    const facts = factsFor(served, answer)
    const sight: Sight = { judge, among, atMs: clock.now(), resourceOf, strays, facts }
    const shown = await visibleAmong(items, sight, turns())
    return asked ? { ...shown, holds: 'now' } : shown
  }

  return {
    judgeOf: (served) => policy.items(served.principal, requestOf(served), served.context),
    async among(looked, items, view) {
      const strays = straysOf(looked)
      if (view === undefined) return look(looked, items, strays)
      const { judge, answer, place } = looked
      const moment = judge.timed ? Math.floor(clock.now() / 1000) : 0
      const key = JSON.stringify([policy.revision, moment, strays.kind, judge.key])
      const isPlaced = answer.item !== 'device' || place.product !== undefined
      const join = answer.items.facts === 'item' && isPlaced ? 'joined' : 'apart'
      return sightings.of(view, key, join, () => look(looked, items, strays))
    },
  }
}

/** A list is asked for by one action; that it is one was seen to when it was decided. */
function requestOf({ asked }: Served): AccessRequest {
  const [first] = asked.requests
  if (first === undefined) throw new Problem('internal', { cause: 'a list that nobody asked for' })
  return first
}

function* idsIn(items: Items, among: TextSet | undefined): Iterable<string> {
  for (let index = 0; index < items.length; index += 1) {
    const id = items.idAt(index, among)
    if (id !== undefined && id !== null) yield id
  }
}
