/** From a condition draft to a condition of one API user: every `$user.x` replaced by that user's whole value. */

import type { Catalog } from '../domain/catalog.ts'
import type { Condition, Scalar, Test } from '../domain/grant.ts'
import { canonicalText } from './catalog-facts.ts'
import type { ConditionDraft, ConditionScope, Operator } from './condition-draft.ts'
import { toScalar, TYPE_SAYS } from './scalars.ts'

export type Attributes = ReadonlyMap<string, readonly string[]>

/** Reports a user attribute that is absent or does not fit where it is used. */
export type Misfit = (attribute: string, says: string) => void

export type Filling = { attributes: Attributes; misfit: Misfit; catalog: Catalog }

export function fill(
  draft: ConditionDraft,
  reads: ConditionScope['reads'],
  filling: Filling,
): Condition {
  if ('and' in draft) return { and: draft.and.map((d) => fill(d, reads, filling)) }
  if ('or' in draft) return { or: draft.or.map((d) => fill(d, reads, filling)) }
  if ('not' in draft) return { not: fill(draft.not, reads, filling) }
  const values = valuesOf(draft, filling)
  const test = testOf(draft.op, values)
  // A template that could not be filled has been reported: the set does not load, and this never decides.
  if (test === undefined) return { or: [] }
  return reads === 'attribute' ? { attribute: draft.name, test } : { value: draft.name, test }
}

function valuesOf(
  draft: Extract<ConditionDraft, { op: Operator }>,
  { attributes, misfit, catalog }: Filling,
): readonly Scalar[] {
  const { name, operand, ids } = draft
  const filled =
    'user' in operand ? ofUser(draft, operand.user, attributes, misfit) : operand.values
  return filled.flatMap((value) => {
    const form = typeof value === 'string' ? canonicalText(ids, value, catalog) : value
    // What a file writes itself was checked where it stands.
    if (form === undefined && 'user' in operand) {
      misfit(operand.user, `"${value}" is no ${name} of this resource`)
    }
    return form === undefined ? [] : [form]
  })
}

function ofUser(
  { name, op, type }: Extract<ConditionDraft, { op: Operator }>,
  user: string,
  attributes: Attributes,
  misfit: Misfit,
): readonly Scalar[] {
  const texts = attributes.get(user)
  if (texts === undefined) {
    misfit(user, `"$user.${user}" is used, but this API user has no attribute "${user}"`)
    return []
  }
  if (texts.length !== 1 && isSingle(op)) {
    misfit(user, `"$user.${user}" must be one value: "${op}" takes no list`)
    return []
  }
  return texts.flatMap((text) => {
    const scalar = toScalar(text, type)
    if (scalar !== undefined) return [scalar]
    misfit(user, `"${text}" must be ${TYPE_SAYS[type]}: it is compared with "${name}"`)
    return []
  })
}

function isSingle(op: Operator): boolean {
  return !['$in', '$nin', '$any', '$all', '$only'].includes(op)
}

function testOf(op: Operator, values: readonly Scalar[]): Test | undefined {
  const [first] = values
  if (first === undefined) return undefined
  switch (op) {
    case '$eq':
    case '$ne':
      return { op, value: first }
    case '$exists':
      return typeof first === 'boolean' ? { op, value: first } : undefined
    case '$lt':
    case '$lte':
    case '$gt':
    case '$gte':
      return typeof first === 'boolean' ? undefined : { op, value: first }
    case '$in':
    case '$nin':
    case '$any':
    case '$all':
    case '$only':
      return { op, values: [...new Set(values)].toSorted(byText) }
  }
}

/** Order of a list never matters, so that it never changes a grant's hash either. */
function byText(a: Scalar, b: Scalar): number {
  return String(a) < String(b) ? -1 : 1
}
