/** What an API user says beside its rights: from where and how often it may call, and until when it is only observed. */

import type { ApiUser, Grant } from '../domain/grant.ts'
import { readFrom } from './addresses.ts'
import { readLimit } from './limit.ts'
import type { userKeys } from './policy-shape.ts'
import { mistakeAt, within, type Decoded, type Part, type Report } from './report.ts'
import { toDateMs } from './scalars.ts'

type User = Decoded<typeof userKeys>

/** Part of the grant, where they are said. */
export function readBounds(user: User, part: Part, report: Report): Pick<Grant, 'rate' | 'from'> {
  const rate = user.rate && readLimit(within(part, 'rate'), report)
  const from = user.from && readFrom(user.from, within(part, 'from'), report)
  return { ...(rate && { rate }), ...(from && { from }) }
}

export function readObserve(
  { observe }: User,
  part: Part,
  report: Report,
): Pick<ApiUser, 'observeUntilMs'> {
  if (observe === undefined) return {}
  const observeUntilMs = toDateMs(observe)
  if (observeUntilMs !== undefined) return { observeUntilMs }
  mistakeAt(report, within(part, 'observe'), `"${observe}" is no date`)
  return {}
}
