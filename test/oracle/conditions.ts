/** Conditions with three outcomes, read aloud from the manual: slow, and meant to be obviously right. */

import type { Conditions } from './language.ts'
import type { Item } from './world.ts'

/** `undefined` is unknown. */
export type Three = boolean | undefined

type Type = 'text' | 'number' | 'flag' | 'time' | 'texts'

/** Attribute of a device to its type and its key in the cloud's JSON. */
export const attributes: Readonly<Record<string, readonly [Type, string]>> = {
  id: ['text', 'id'],
  serial_number: ['text', 'serial_number'],
  groups: ['texts', 'groups'],
  firmware_version: ['number', 'firmware_version'],
  desired_firmware_version: ['number', 'desired_firmware_version'],
  product: ['number', 'product_id'],
  platform: ['number', 'platform_id'],
  online: ['flag', 'online'],
  development: ['flag', 'development'],
  quarantined: ['flag', 'quarantined'],
  last_heard: ['time', 'last_heard'],
}

export function both(left: Three, right: Three): Three {
  if (left === false || right === false) return false
  return left === undefined || right === undefined ? undefined : true
}

export function either(left: Three, right: Three): Three {
  return not(both(not(left), not(right)))
}

export function not(value: Three): Three {
  return value === undefined ? undefined : !value
}

/** `item` is undefined where the resource is no device: then nothing about a device is known. */
export function holds(conditions: Conditions, item: Item | undefined): Three {
  let all: Three = true
  for (const [word, wanted] of Object.entries(conditions)) {
    all = both(all, one(word, wanted, item))
  }
  return all
}

function one(word: string, wanted: unknown, item: Item | undefined): Three {
  if (word === '$and')
    return partsOf(wanted)
      .map((part) => holds(part, item))
      .reduce(both, true)
  if (word === '$or')
    return partsOf(wanted)
      .map((part) => holds(part, item))
      .reduce(either, false)
  if (word === '$not') return not(holds(mappingOf(wanted), item))
  const [type, key] = attributes[word] ?? []
  if (type === undefined || key === undefined) throw new Error(`the oracle knows no ${word}`)
  // Not even $exists tells anything of a device where there is none.
  if (item === undefined) return undefined
  const raw = item[key]
  const operators = typeof wanted === 'object' ? mappingOf(wanted) : { $eq: wanted }
  let all: Three = true
  for (const [operator, operand] of Object.entries(operators)) {
    all = both(all, compare(type, operator, raw, operand))
  }
  return all
}

function compare(type: Type, operator: string, raw: unknown, operand: unknown): Three {
  if (operator === '$exists') return (raw !== undefined && raw !== null) === operand
  if (type === 'texts') {
    if (!Array.isArray(raw)) return undefined
    const has: readonly unknown[] = raw
    const named = [operand].flat()
    if (operator === '$any') return has.some((each) => named.includes(each))
    if (operator === '$all') return named.every((each) => has.includes(each))
    // A device in no group says nothing about where it belongs.
    if (operator === '$only') {
      return has.length === 0 ? undefined : has.every((each) => named.includes(each))
    }
  }
  const value = type === 'time' ? timeOf(raw) : raw
  const right = type === 'time' ? timeOf(operand) : operand
  if (!fits(type, value)) return undefined
  if (operator === '$eq') return value === right
  if (operator === '$ne') return value !== right
  if (operator === '$in') return [right].flat().includes(value)
  if (operator === '$nin') return ![right].flat().includes(value)
  if (typeof value === 'number' && typeof right === 'number') {
    if (operator === '$lt') return value < right
    if (operator === '$lte') return value <= right
    if (operator === '$gt') return value > right
    if (operator === '$gte') return value >= right
  }
  throw new Error(`the oracle knows no ${operator} for ${type}`)
}

function fits(type: Type, value: unknown): boolean {
  if (type === 'text') return typeof value === 'string'
  if (type === 'flag') return typeof value === 'boolean'
  return typeof value === 'number' && !Number.isNaN(value)
}

function timeOf(value: unknown): number | undefined {
  const parsed = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(parsed) ? undefined : parsed
}

function partsOf(value: unknown): Conditions[] {
  if (!Array.isArray(value)) throw new Error('$and and $or take lists')
  return value.map(mappingOf)
}

function mappingOf(value: unknown): Conditions {
  if (typeof value !== 'object' || value === null) throw new Error('no mapping')
  return { ...value }
}
