/** The gate's own calls to the cloud, counted against the quota as calls of those they are made for. */

import { retryAfterOf } from './answer-head.ts'
import type { Quota } from './quota.ts'
import type { UpstreamAnswer, UpstreamRequest } from './upstream.ts'

/** `users`: for whom, at least one. */
export type OwnSend = (
  request: UpstreamRequest,
  users: Iterable<string>,
  signal?: AbortSignal,
) => Promise<UpstreamAnswer>

/** @throws Problem `upstream_quota` instead of making a call for which there is no room */
export function countOwnCalls(
  send: (request: UpstreamRequest, signal?: AbortSignal) => Promise<UpstreamAnswer>,
  quota: Pick<Quota, 'takeOwn' | 'refused'>,
): OwnSend {
  return async (request, users, signal) => {
    quota.takeOwn(users)
    const answer = await send(request, signal)
    if (answer.status === 429) quota.refused(undefined, retryAfterOf(answer.headers))
    return answer
  }
}
