/** The gate's own calls to the cloud, counted against the quota that it shares with its clients. */

import { retryAfterOf } from './answer-head.ts'
import type { Quota } from './quota.ts'
import type { UpstreamAnswer, UpstreamRequest } from './upstream.ts'

export type OwnSend = (request: UpstreamRequest, signal?: AbortSignal) => Promise<UpstreamAnswer>

/** @throws Problem `upstream_quota` instead of making a call for which there is no room */
export function countOwnCalls(send: OwnSend, quota: Pick<Quota, 'takeOwn' | 'refused'>): OwnSend {
  return async (request, signal) => {
    quota.takeOwn()
    const answer = await send(request, signal)
    if (answer.status === 429) quota.refused(undefined, retryAfterOf(answer.headers))
    return answer
  }
}
