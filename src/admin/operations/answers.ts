/** What answers of several operations have in common. */

import { z } from '../../lib/shape.ts'
import type { AdminAnswer } from '../operation.ts'
import type { ApiUserRecord, Changed } from '../api-users.ts'
import { issuedView, toIssuedView, toUserView, userView, type Times } from '../users/views.ts'

export const userAnswer = z.strictObject({ user: userView })
export const changedAnswer = z.strictObject({
  user: userView,
  token: issuedView.optional().meta({ description: 'Where a new one was made' }),
})

export function answerUser(record: ApiUserRecord, times: Times): AdminAnswer {
  return {
    status: 200,
    headers: { etag: record.etag },
    body: { user: toUserView(record, times) } satisfies z.infer<typeof userAnswer>,
  }
}

export function answerChanged({ record, token }: Changed, times: Times): AdminAnswer {
  const body: z.infer<typeof changedAnswer> = {
    user: toUserView(record, times),
    ...(token !== undefined && { token: toIssuedView(token) }),
  }
  return { status: 200, headers: { etag: record.etag }, body }
}
