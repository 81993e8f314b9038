/** An allow that could not be kept is a denial: before anything goes upstream, and with the reason on record. */

import type { Route } from '../domain/catalog.ts'
import type { Decision, DenyReason, Obligations } from '../domain/decision.ts'
import type { Asked } from './describe.ts'
import { queryOf } from './query.ts'
import { isHidden, keysRead } from './reads.ts'

/** Denies what the answer could not be cut for, and filters and orders that would tell what is hidden. */
export function answerable(asked: Asked, decision: Decision): Decision {
  if (decision.outcome === 'deny') return decision
  const { obligations, rule, facts } = decision
  const reason = obstacle(asked, obligations)
  if (reason === undefined) return decision
  const [first] = asked.requests
  const { device, product, organization } = first?.resource ?? {}
  return {
    ...{ outcome: 'deny', reason, rule, tell: undefined, facts },
    failed: {
      action: first?.action ?? asked.route.id,
      resource: device ?? product ?? organization ?? 'none',
    },
  }
}

function obstacle(asked: Asked, obligations: Obligations): DenyReason | undefined {
  const { route, requests, upstream } = asked
  const { answer } = route
  if (obligations.items === 'each' && !isItemwise(route, requests)) return 'cannot_filter'
  const cutsKeys = obligations.answer !== undefined || obligations.hide.size > 0
  if (cutsKeys && answer.kind === 'opaque') return 'cannot_filter'
  // Whether a filter is taken must not hang on what the fleet is like: it has to be harmless for every item.
  const isSecret = (key: string) => isHidden(key, route, obligations.sure ?? obligations)
  return keysRead(route, queryOf(upstream.target)).some(isSecret) ? 'hidden_key' : undefined
}

/** Items are told apart in declared lists that are read, and in streams; always as one action. */
function isItemwise({ method, answer }: Route, requests: Asked['requests']): boolean {
  if (answer.kind === 'stream') return true
  const isRead = method === 'GET' || method === 'HEAD'
  const [first, ...others] = requests
  const isOne = others.every(({ action }) => action === first?.action)
  return isRead && isOne && answer.kind === 'list' && answer.items !== undefined
}
