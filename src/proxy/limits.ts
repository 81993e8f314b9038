/** Decisions that are counted: an allow under a limit takes its place in it, or is decided again without that rule. */

import type { RequestContext } from '../domain/access-request.ts'
import type { Decision } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Decide } from './decide.ts'
import type { Asked } from './describe.ts'
import type { Meter } from './meter.ts'

/** Each round uses up at least one limit, so that this many are never needed by a grant that a person wrote. */
const maxRounds = 16

/** To be asked right before the decision is committed: each call counts. */
export function countDecisions(decide: Decide, meter: Meter): Decide {
  return (principal, asked, context) => {
    const limited: RequestContext = { ...context, wait: (charge) => meter.wait(charge) }
    const decision = decide(principal, asked, limited)
    if (decision instanceof Promise) {
      return decision.then((decided) => count(principal, asked, limited, decided, 1))
    }
    return count(principal, asked, limited, decision, 1)
  }

  function count(
    principal: Principal,
    asked: Asked,
    context: RequestContext,
    decision: Decision,
    round: number,
  ): MaybePromise<Decision> {
    if (decision.outcome === 'deny' || decision.charges === undefined) return decision
    return meter.take(decision.charges).then(async (full) => {
      if (full === undefined) return decision
      if (round === maxRounds) return overLimit(asked, Math.max(1_000, meter.wait(full)))
      return count(principal, asked, context, await decide(principal, asked, context), round + 1)
    })
  }
}

function overLimit({ requests: [first], route }: Asked, waitMs: number): Decision {
  const failed = { action: first?.action ?? route.id, resource: 'unknown' }
  const retryAfterS = Math.ceil(waitMs / 1_000)
  return {
    ...{ outcome: 'deny', reason: 'over_limit', rule: undefined, tell: undefined, facts: {} },
    ...{ failed, retryAfterS },
  }
}
