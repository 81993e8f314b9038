/** How often streams of the cloud may be opened: it takes 100 openings in five minutes from one address, and no more. */

import type { Clock } from '../../domain/clock.ts'
import { createQuota, type Quota } from '../../upstream/quota.ts'

const cloudTakes = { calls: 100, perMs: 300_000 }
/** For whoever else opens streams at this address: observed clients, people. */
const reserve = 0.1
/** Of the rest, for an API user whose clients come and go, though nobody else opens any. */
const part = 0.6

export type Openings = {
  /** Counts one, for the API user who is the first to listen. @throws Problem `upstream_quota` */
  take(user: string): void
  /** How many gates call from the same address: each takes its part. */
  share(replicas: number): void
}

export function createOpenings(clock: Pick<Clock, 'monotonic'>): Openings {
  const quota: Quota = createQuota({ ...cloudTakes, reserve, clock })
  return {
    take: (user) => quota.take(user, part),
    share: (replicas) => quota.share(replicas),
  }
}
