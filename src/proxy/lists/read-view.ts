/** Reads the list that a page is cut out of, as the plan says: the least that holds all that this API user sees. */

import type { QueryEntry } from '../../domain/target.ts'
import type { Secret } from '../../lib/secret.ts'
import type { FleetLists, ListView } from '../../upstream/fleet-lists.ts'
import type { Looked } from './look.ts'
import { planOf, type Plan } from './plan.ts'

/** What is asked of the cloud; `query` without paging. */
export type Source = { path: string; query: readonly QueryEntry[]; credential: Secret }

/** @throws what `FleetLists` throws */
export async function readView(
  fleetLists: FleetLists,
  { served, answer, place, judge }: Looked,
  { path, query, credential }: Source,
): Promise<{ view: ListView; way: Plan['way'] }> {
  const plan = planOf(judge.narrow, answer.items, query)
  const question = { answer, path, query: plan.query, place, credential }
  const { user } = served.principal
  const options = { user, maxAgeMs: judge.maxAgeMs, signal: served.exchange.gone }
  const view =
    plan.way === 'ids'
      ? await fleetLists.pick(question, plan.id, plan.key, options)
      : await fleetLists.view(question, options)
  return { view, way: plan.way }
}
