/** Conditions as functions: no library's operators, so that absent, null and wrongly typed values decide nothing. */

import type { AttributeType } from '../domain/catalog.ts'
import type { Condition, Scalar, Test } from '../domain/grant.ts'
import { NO_DEVICE, OPEN, type Ask } from './ask.ts'
import { toDecimal, toTimeMs } from './scalars.ts'
import { ANY, both, either, FALSE, not, TRUE, UNKNOWN, type Truth } from './truth.ts'

export type ConditionCheck = (ask: Ask) => Truth

export function compileCondition(condition: Condition): ConditionCheck {
  if ('and' in condition) return joined(condition.and, both, TRUE)
  if ('or' in condition) return joined(condition.or, either, FALSE)
  if ('not' in condition) {
    const inner = compileCondition(condition.not)
    return (ask) => not(inner(ask))
  }
  const { test } = condition
  if ('value' in condition) {
    const { value: name } = condition
    const check = compileTest(test)
    const asNumber = isOrder(test) && typeof test.value === 'number'
    return (ask) => {
      const value = ask.value(name)
      if (value === OPEN) return ask.context.anyValues === 'perhaps' ? ANY : UNKNOWN
      return check(fromWire(value, asNumber ? 'number' : ask.action.values.get(name)))
    }
  }
  const { attribute } = condition
  const check = compileTest(test)
  return (ask) => {
    const value = ask.attribute(attribute)
    if (value === OPEN) return test.op === '$exists' ? TRUE | FALSE : ANY
    return value === NO_DEVICE ? UNKNOWN : check(value)
  }
}

function joined(
  conditions: readonly Condition[],
  join: (a: Truth, b: Truth) => Truth,
  start: Truth,
): ConditionCheck {
  const checks = conditions.map(compileCondition)
  return (ask) => checks.reduce((truth, check) => join(truth, check(ask)), start)
}

/** Request values come as JSON or as form text; a number is one in either, a strict decimal. */
function fromWire(value: unknown, type: AttributeType | undefined): unknown {
  if (typeof value !== 'string') return value
  if (type === 'number') return toDecimal(value)
  if (type === 'boolean') return value === 'true' ? true : value === 'false' ? false : undefined
  return value
}

function isOrder(test: Test): test is Extract<Test, { op: '$lt' | '$lte' | '$gt' | '$gte' }> {
  return test.op === '$lt' || test.op === '$lte' || test.op === '$gt' || test.op === '$gte'
}

type ValueCheck = (value: unknown) => Truth

function compileTest(test: Test): ValueCheck {
  switch (test.op) {
    case '$exists':
      return (value) => truth((value !== undefined && value !== null) === test.value)
    case '$eq':
      return sameType(typeof test.value, (value) => truth(value === test.value))
    case '$ne':
      return sameType(typeof test.value, (value) => truth(value !== test.value))
    case '$in':
    case '$nin': {
      const wanted = new Set<unknown>(test.values)
      const inside = test.op === '$in'
      return sameType(typeof test.values[0], (value) => truth(wanted.has(value) === inside))
    }
    case '$any':
    case '$all':
    case '$only':
      return compileListTest(test.op, test.values)
    case '$lt':
    case '$lte':
    case '$gt':
    case '$gte':
      return compileOrder(test.op, test.value)
  }
}

/** `null`, `'0x14'` and every other value of another type is unknown, never smaller, equal or different. */
function sameType(type: string, check: ValueCheck): ValueCheck {
  return (value) =>
    typeof value === type && (type !== 'number' || Number.isFinite(value)) ? check(value) : UNKNOWN
}

function compileOrder(op: '$lt' | '$lte' | '$gt' | '$gte', bound: number | string): ValueCheck {
  const limit = typeof bound === 'number' ? bound : toTimeMs(bound)
  if (limit === undefined) return () => UNKNOWN
  return (value) => {
    const number = typeof bound === 'number' ? value : asTimeMs(value)
    if (typeof number !== 'number' || !Number.isFinite(number)) return UNKNOWN
    if (op === '$lt') return truth(number < limit)
    if (op === '$lte') return truth(number <= limit)
    if (op === '$gt') return truth(number > limit)
    return truth(number >= limit)
  }
}

function asTimeMs(value: unknown): number | undefined {
  return typeof value === 'string' ? toTimeMs(value) : undefined
}

function compileListTest(op: '$any' | '$all' | '$only', values: readonly Scalar[]): ValueCheck {
  const wanted = new Set<unknown>(values)
  return (value) => {
    if (!isTextList(value)) return UNKNOWN
    if (op === '$any') return truth(value.some((item) => wanted.has(item)))
    if (op === '$all') return truth(values.every((item) => value.includes(String(item))))
    // A device in no group is not "only in site-7", and not "in others" either.
    return value.length === 0 ? UNKNOWN : truth(value.every((item) => wanted.has(item)))
  }
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function truth(value: boolean): Truth {
  return value ? TRUE : FALSE
}
