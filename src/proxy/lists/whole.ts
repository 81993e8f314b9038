/** A list that is not paged: one call, parsed once, cut in place, and never kept. */

import type { Catalog } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import { parseCloudJson, valueAtPath, type JsonObject } from '../../lib/cloud-json.ts'
import { refusalProblem, retryAfterOf } from '../../upstream/answer-head.ts'
import { UpstreamRefusal } from '../../upstream/fleet-lists.ts'
import type { UpstreamPool } from '../../upstream/pool.ts'
import { unfilterable } from '../cut.ts'
import type { AssembledAnswer } from '../exchange.ts'
import { upstreamRequestId } from '../headers.ts'
import { assemble, sideOfAnswer } from './assemble.ts'
import { toBody } from './body.ts'
import { itemsOfAnswer } from './items.ts'
import type { Look, Looked } from './look.ts'
import { createShow } from './show.ts'

export type WholeParts = {
  catalog: Pick<Catalog, 'resources'>
  pool: Pick<UpstreamPool, 'request'>
  clock: Clock
  look: Look
}

/** @throws UpstreamRefusal, Problem */
export async function serveWhole(parts: WholeParts, looked: Looked): Promise<AssembledAnswer> {
  const { catalog, pool, clock, look } = parts
  const { served, answer } = looked
  const { exchange, request, decision } = served
  const { credential } = request
  const startedMs = clock.monotonic()
  const { status, headers, body } = await pool.request(
    // What HEAD tells must be what GET tells (M01).
    { ...request, method: 'GET', headers: unconditional(request.headers) },
    exchange.gone,
  )
  const refusal = refusalProblem(status)
  if (refusal !== undefined) throw refusal
  const contentType = headers['content-type']
  if (status >= 400) {
    throw new UpstreamRefusal(status, contentType, body, retryAfterOf(headers))
  }
  if (status !== 200) throw unfilterable(`a list came with status ${status}`)
  if (answer.item === 'none') throw unfilterable('a list of nothing that is decided on')

  const root = parseCloudJson(contentType, body)
  const { at, items: spec } = answer
  const items = itemsOfAnswer(valueAtPath(root, at), spec, catalog.resources[answer.item])
  const { indexes, kinds, obligations } = await look.among(looked, items)
  const show = createShow(answer, answer.secrets, decision.obligations)
  const shown: JsonObject[] = []
  for (let nth = 0; nth < indexes.length; nth += 1) {
    const shownBy = obligations[kinds[nth] ?? 0] ?? decision.obligations
    shown.push(show.item(items.itemAt(indexes[nth] ?? 0), shownBy))
  }
  const result = assemble({
    answer,
    root,
    items: shown,
    show,
    sides: spec.sides.map((side) => sideOfAnswer(root, side)),
    numbers: new Map(),
  })
  return {
    status: 200,
    contentType: 'application/json; charset=utf-8',
    body: toBody(result, [credential]),
    upstream: { status, requestId: upstreamRequestId(headers) },
    list: { way: 'whole', total: shown.length, ageMs: clock.monotonic() - startedMs },
  }
}

/** A `304` would say that nothing has changed in what the client may not have seen. */
function unconditional(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('if-')))
}
