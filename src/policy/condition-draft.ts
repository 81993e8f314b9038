/** Conditions as a policy file writes them: checked against the catalog once, filled with a user's attributes later. */

import type { ResourceType } from '../domain/access-request.ts'
import type { AttributeType, Catalog } from '../domain/catalog.ts'
import type { Scalar, Test } from '../domain/grant.ts'
import { didYouMean } from '../lib/nearest.ts'
import type { YamlValue } from '../lib/yaml.ts'
import { canonicalText } from './catalog-facts.ts'
import { mistakeAt, mistakeAtKey, within, type Part, type Report } from './report.ts'
import { toScalar, TYPE_SAYS } from './scalars.ts'

export type Operator = Test['op']

/** What the right side holds: values, or a whole value of the API user. */
type Operand = { values: readonly Scalar[] } | { user: string }

/** Resource types whose ids a text may be; empty: it is no id and stays as it is. */
export type IdTypes = readonly Exclude<ResourceType, 'none'>[]

/** Plain data: drafts travel from the loader's worker, for the API users of the store. */
export type ConditionDraft =
  | {
      name: string
      op: Operator
      type: AttributeType
      operand: Operand
      ids: IdTypes
    }
  | { and: readonly ConditionDraft[] }
  | { or: readonly ConditionDraft[] }
  | { not: ConditionDraft }

/** Which names may stand on the left, what they are, and how templates are taken. */
export type ConditionScope = {
  /** `where` names attributes of the resource, `with` values of the request. */
  reads: 'attribute' | 'value'
  /** Type of a name; a text says why it may not stand here. */
  typeOf(name: string): AttributeType | { says: string }
  known: readonly string[]
  /** What the texts that a name is compared with are ids of. */
  idsOf(name: string): IdTypes
  catalog: Catalog
  templates: 'taken' | 'refused'
}

const LISTS: readonly Operator[] = ['$in', '$nin', '$any', '$all', '$only']
const BY_TYPE: Readonly<Record<AttributeType, readonly Operator[]>> = {
  string: ['$eq', '$ne', '$in', '$nin', '$exists'],
  number: ['$eq', '$ne', '$in', '$nin', '$lt', '$lte', '$gt', '$gte', '$exists'],
  boolean: ['$eq', '$ne', '$exists'],
  time: ['$lt', '$lte', '$gt', '$gte', '$exists'],
  strings: ['$any', '$all', '$only', '$exists'],
}
const ORDERS: readonly Operator[] = ['$lt', '$lte', '$gt', '$gte']
const OPERATORS: readonly string[] = [...new Set(Object.values(BY_TYPE).flat())]
const JOINS = ['$and', '$or', '$not']
const TEMPLATE = /^\$user\.([A-Za-z][A-Za-z0-9_]*)$/

/** A mapping of names; an empty one is a mistake, for it reads like "always" and means "nothing was said". */
export function readConditions(part: Part, scope: ConditionScope, report: Report): ConditionDraft {
  const { value } = part
  if (typeof value !== 'object' || Array.isArray(value)) {
    mistakeAt(report, part, 'conditions must be a mapping of names to values')
    return { and: [] }
  }
  const keys = Object.keys(value)
  if (keys.length === 0) mistakeAt(report, part, 'conditions are empty; delete them or say one')
  const all = keys.flatMap((key) => readEntry(within(part, key), key, scope, report))
  return all.length === 1 && all[0] !== undefined ? all[0] : { and: all }
}

function readEntry(
  part: Part,
  key: string,
  scope: ConditionScope,
  report: Report,
): ConditionDraft[] {
  if (key === '$not') return [{ not: readConditions(part, scope, report) }]
  if (key === '$and' || key === '$or') {
    if (!Array.isArray(part.value) || part.value.length === 0) {
      mistakeAt(report, part, `${key} must be a list of conditions, at least one`)
      return []
    }
    const inner = part.value.map((_, index) => readConditions(within(part, index), scope, report))
    return [key === '$and' ? { and: inner } : { or: inner }]
  }
  if (key.startsWith('$')) {
    const hint = didYouMean(key, JOINS)
    const says = OPERATORS.includes(key)
      ? `"${key}" stands under a name, as in { name: { ${key}: … } }`
      : `unknown operator "${key}"${hint}`
    mistakeAtKey(report, part, says)
    return []
  }
  const type = scope.typeOf(key)
  if (typeof type === 'object') {
    const hint = scope.known.includes(key) ? '' : didYouMean(key, scope.known)
    mistakeAtKey(report, part, `${type.says}${hint}`)
    return []
  }
  return readTests(part, key, type, scope, report)
}

function readTests(
  part: Part,
  name: string,
  type: AttributeType,
  scope: ConditionScope,
  report: Report,
): ConditionDraft[] {
  const { value } = part
  if (typeof value === 'string') {
    if (!BY_TYPE[type].includes('$eq')) {
      const use = type === 'strings' ? '$any, $all or $only' : '$lt, $lte, $gt or $gte'
      mistakeAt(report, part, `"${name}" cannot be compared with a bare value; use ${use}`)
      return []
    }
    return readTest(part, name, '$eq', type, scope, report)
  }
  if (Array.isArray(value)) {
    const use = type === 'strings' ? '$any, $all or $only' : '$in'
    mistakeAt(report, part, `a bare list under "${name}" says too little; use ${use}`)
    return []
  }
  const operators = Object.keys(value)
  if (operators.length === 0) mistakeAt(report, part, `"${name}" says nothing; give it an operator`)
  // Functions take their numbers as text: an order reads them as the decimals that they are.
  const isNumericText = type === 'string' && scope.reads === 'value'
  const fitting = isNumericText ? [...BY_TYPE.string, ...ORDERS] : BY_TYPE[type]
  return operators.flatMap((word) => {
    const operator = fitting.find((op) => op === word)
    const item = within(part, word)
    if (operator !== undefined) return readTest(item, name, operator, type, scope, report)
    const says = OPERATORS.includes(word)
      ? `"${word}" does not fit "${name}"; it takes ${fitting.join(' ')}`
      : `unknown operator "${word}"${didYouMean(word, fitting)}`
    mistakeAtKey(report, item, says)
    return []
  })
}

function readTest(
  part: Part,
  name: string,
  op: Operator,
  type: AttributeType,
  scope: ConditionScope,
  report: Report,
): ConditionDraft[] {
  const asNumber = type === 'string' && ORDERS.includes(op)
  const wanted = op === '$exists' ? 'boolean' : asNumber ? 'number' : type
  const operand = readOperand(part, op, wanted, scope, report)
  if (operand === undefined) return []
  const ids = scope.idsOf(name)
  for (const value of 'values' in operand ? operand.values : []) {
    if (typeof value !== 'string' || canonicalText(ids, value, scope.catalog) !== undefined)
      continue
    mistakeAt(report, part, `"${value}" is no ${name} of this resource`)
  }
  return [{ name, op, type: wanted, operand, ids }]
}

function readOperand(
  part: Part,
  op: Operator,
  type: AttributeType,
  scope: ConditionScope,
  report: Report,
): Operand | undefined {
  const { value } = part
  if (typeof value === 'string' && value.startsWith('$')) {
    const name = TEMPLATE.exec(value)?.[1]
    if (name === undefined) mistakeAt(report, part, `"${value}" is no template; write $user.name`)
    else if (scope.templates === 'refused') {
      mistakeAt(report, part, 'guardrails bind everybody: they take no $user templates')
    } else return { user: name }
    return undefined
  }
  if (!LISTS.includes(op)) {
    if (typeof value !== 'string') {
      mistakeAt(report, part, `"${op}" takes one value`)
      return undefined
    }
    const scalar = scalarAt(part, value, type, report)
    return scalar === undefined ? undefined : { values: [scalar] }
  }
  const items: readonly YamlValue[] = Array.isArray(value) ? value : [value]
  if (items.length === 0) mistakeAt(report, part, `"${op}" takes a list of at least one value`)
  const values = items.flatMap((item, index) => {
    const place = Array.isArray(value) ? within(part, index) : part
    if (typeof item !== 'string' || item.startsWith('$')) {
      mistakeAt(report, place, 'must be one plain value; a template stands for the whole list')
      return []
    }
    const scalar = scalarAt(place, item, type, report)
    return scalar === undefined ? [] : [scalar]
  })
  return values.length === 0 ? undefined : { values }
}

function scalarAt(
  part: Part,
  text: string,
  type: AttributeType,
  report: Report,
): Scalar | undefined {
  const scalar = toScalar(text, type)
  if (scalar === undefined) mistakeAt(report, part, `"${text}" must be ${TYPE_SAYS[type]}`)
  return scalar
}

/** Names of the user attributes that a draft reads. */
export function templatesOf(draft: ConditionDraft): string[] {
  if ('and' in draft) return draft.and.flatMap(templatesOf)
  if ('or' in draft) return draft.or.flatMap(templatesOf)
  if ('not' in draft) return templatesOf(draft.not)
  return 'user' in draft.operand ? [draft.operand.user] : []
}
