/** A list that is not paged: one call, read once, and never kept. */

import type { Catalog } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import { refusalProblem, retryAfterOf } from '../../upstream/answer-head.ts'
import { UpstreamRefusal } from '../../upstream/fleet-lists.ts'
import type { Quota } from '../../upstream/quota.ts'
import type { UpstreamPool } from '../../upstream/pool.ts'
import { unfilterable } from '../cut.ts'
import type { AssembledAnswer } from '../exchange.ts'
import { upstreamRequestId } from '../answer-head.ts'
import { withoutCredentials } from './body.ts'
import type { Look, Looked } from './look.ts'
import { showParsed } from './parsed-list.ts'
import { showRaw } from './raw-list.ts'

export type WholeParts = {
  catalog: Pick<Catalog, 'resources'>
  pool: Pick<UpstreamPool, 'request' | 'assertRoom'>
  quota: Pick<Quota, 'take' | 'refused'>
  clock: Clock
  look: Look
}

/** @throws UpstreamRefusal, Problem */
export async function serveWhole(parts: WholeParts, looked: Looked): Promise<AssembledAnswer> {
  const { catalog, pool, quota, clock, look } = parts
  const { served, answer } = looked
  const { exchange, request, principal, behalf } = served
  const { credential } = request
  const startedMs = clock.monotonic()
  pool.assertRoom(principal.user)
  quota.take(principal.user)
  const { status, headers, body } = await pool.request(
    // What HEAD tells must be what GET tells (M01).
    { ...request, method: 'GET', headers: unconditional(request.headers) },
    behalf,
    exchange.gone,
  )
  if (status === 429) quota.refused(principal.user, retryAfterOf(headers))
  const refusal = refusalProblem(status, credential)
  if (refusal !== undefined) throw refusal
  const contentType = headers['content-type']
  if (status >= 400) {
    throw new UpstreamRefusal(status, contentType, body, retryAfterOf(headers))
  }
  if (status !== 200) throw unfilterable(`a list came with status ${status}`)
  if (answer.item === 'none') throw unfilterable('a list of nothing that is decided on')

  const list = { contentType, body, looked, resource: catalog.resources[answer.item] }
  const shown = (await showRaw(look, list)) ?? (await showParsed(look, list))
  return {
    status: 200,
    contentType: 'application/json; charset=utf-8',
    body: withoutCredentials(shown.body, [credential]),
    upstream: { status, requestId: upstreamRequestId(headers) },
    list: { way: 'whole', total: shown.total, ageMs: clock.monotonic() - startedMs },
  }
}

/** A `304` would say that nothing has changed in what the client may not have seen. */
function unconditional(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('if-')))
}
