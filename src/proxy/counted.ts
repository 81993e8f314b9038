/** A call made for an API user: counted against the cloud's quota before it is made, and heard of where the cloud refuses it. */

import type { OutcomeFields } from '../audit/audit-log.ts'
import type { Quota } from '../upstream/quota.ts'

/** @throws Problem `upstream_quota` instead of making a call for which there is no room */
export async function counted(
  quota: Pick<Quota, 'take' | 'refused'>,
  user: string,
  send: () => Promise<OutcomeFields>,
): Promise<OutcomeFields> {
  quota.take(user)
  return heard(quota, user, await send())
}

/** The same for a call that is made in any case. */
export async function noted(
  quota: Pick<Quota, 'note' | 'refused'>,
  user: string,
  send: () => Promise<OutcomeFields>,
): Promise<OutcomeFields> {
  quota.note(user)
  return heard(quota, user, await send())
}

function heard(quota: Pick<Quota, 'refused'>, user: string, outcome: OutcomeFields): OutcomeFields {
  if (outcome.upstreamStatus === 429) quota.refused(user, outcome.retryAfterS)
  return outcome
}
