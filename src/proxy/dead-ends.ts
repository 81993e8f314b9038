/** Look-ups that end at somebody else's device cost like those of unknown ones, so that a ration does not tell them apart. */

import type { Decision } from '../domain/decision.ts'
import type { Directory } from '../upstream/directory.ts'
import type { Decide } from './decide.ts'
import type { Asked } from './describe.ts'

/** Only what is outside counts: to be denied something on a device of one's own tells nothing. */
export function chargeDeadEnds(decide: Decide, directory: Pick<Directory, 'deadEnd'>): Decide {
  function note(user: string, { requests }: Asked, decision: Decision): Decision {
    if (decision.outcome === 'allow') return decision
    const { reason, failed } = decision
    const isOutside = reason === 'outside_boundary' || reason === 'outside_devices'
    if (!isOutside) return decision
    for (const { resource, relation } of requests) {
      const { type, organization, product, device } = resource
      const id = device ?? product ?? organization
      // A place is not to blame for what was not found in it, nor for which of its devices are whose.
      if (id !== failed.resource || relation === 'none' || relation === 'all') continue
      const isDevice = reason === 'outside_devices' && device !== undefined
      directory.deadEnd(isDevice ? { type, device } : resource, user)
    }
    return decision
  }

  return (principal, asked, context) => {
    const decision = decide(principal, asked, context)
    return decision instanceof Promise
      ? decision.then((made) => note(principal.user, asked, made))
      : note(principal.user, asked, decision)
  }
}
