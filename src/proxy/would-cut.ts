/** Whether an answer that is passed on as it is would have lost something. */

import type { Decision } from '../domain/decision.ts'
import { hasKeys } from './cut.ts'
import type { Asked } from './describe.ts'

export function wouldCut({ route }: Asked, decision: Decision): boolean {
  if (decision.outcome === 'deny') return false
  const { answer, hide, reveal, items } = decision.obligations
  if (items === 'each' || answer !== undefined || hide.size > 0) return true
  const { answer: spec } = route
  return hasKeys(spec) && spec.secrets.some((key) => !reveal.has(key))
}
