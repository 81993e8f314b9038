/** One page of a list that the cloud gives in pages: cut out of the whole list as this API user sees it. */

import type { Paging } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import { parseCloudText } from '../../lib/cloud-json.ts'
import type { FleetLists } from '../../upstream/fleet-lists.ts'
import type { AssembledAnswer } from '../exchange.ts'
import { pathOf, queryOf } from '../query.ts'
import { assemble, sideOfView } from './assemble.ts'
import { toBody } from './body.ts'
import { itemsOfView } from './items.ts'
import type { Look, Looked } from './look.ts'
import { numbersOf, pageOf, rangeOf } from './page.ts'
import { readView } from './read-view.ts'
import { createShow } from './show.ts'

export type PagedParts = {
  fleetLists: FleetLists
  clock: Clock
  look: Look
}

/** @throws UpstreamRefusal, Problem */
export async function servePaged(
  parts: PagedParts,
  looked: Looked,
  paging: Paging,
): Promise<AssembledAnswer> {
  const { clock, fleetLists, look } = parts
  const { served, answer } = looked
  const { request, decision } = served
  const { page, filters } = pageOf(queryOf(request.target), paging)
  const { credential } = request
  const source = { path: pathOf(request.target), query: filters, credential }
  const { view, way } = await readView(fleetLists, looked, source)
  const items = itemsOfView(view)
  const { indexes, kinds, obligations } = await look.among(looked, items, view)
  const total = indexes.length
  const { from, to } = rangeOf(page, total)
  const show = createShow(answer, answer.secrets, decision.obligations)
  const shown = Array.from(indexes.subarray(from, to), (index, nth) =>
    show.item(items.itemAt(index), obligations[kinds[from + nth] ?? 0] ?? decision.obligations),
  )
  const result = assemble({
    answer,
    root: parseCloudText(view.root),
    items: shown,
    show,
    sides: answer.items.sides.map((_, index) => sideOfView(view.sides[index])),
    numbers: numbersOf(paging, page, total),
  })
  return {
    status: 200,
    contentType: 'application/json; charset=utf-8',
    body: toBody(result, [credential]),
    // Which answers of the cloud it is made of, nobody can say in one number.
    upstream: { status: undefined, requestId: undefined },
    list: { way, total, ageMs: clock.monotonic() - view.atMs },
  }
}
