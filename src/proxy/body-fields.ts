/** Bodies that are read key by key, JSON or form: checked against what the catalog declares, and written anew. */

import type { Value } from '../domain/access-request.ts'
import type { BodySpec, KeySpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { JsonFault, parseStrictJson } from '../lib/strict-json.ts'
import { readForm } from './form.ts'

export type Keys = Readonly<Record<string, Value>>
type FieldsSpec = Extract<BodySpec, { kind: 'fields' }>

/**
 * @param credentialKey form key that was the credential and is left out; undefined where it was elsewhere
 * @returns the keys, and the bytes that mean the same to every reader
 * @throws Problem `invalid_body`
 */
export function readFields(
  body: Buffer,
  spec: FieldsSpec,
  form: boolean,
  credentialKey: string | undefined,
): { keys: Keys; bytes: Buffer } {
  const keys = form ? formKeys(body, spec.keys, credentialKey) : jsonKeys(body)
  for (const [key, value] of Object.entries(keys)) {
    const known = spec.keys.get(key)
    if (known === undefined) refuse('The body holds a key this route does not take.')
    if (!fits(known, value, form)) refuse('A value of the body is of the wrong type.')
  }
  for (const [key, { required }] of spec.keys) {
    if (required && !Object.hasOwn(keys, key)) refuse('The body lacks a key this route needs.')
  }
  return { keys, bytes: Buffer.from(form ? formText(keys) : JSON.stringify(keys)) }
}

/** @throws Problem `invalid_body` */
export function readJson(body: Buffer): unknown {
  try {
    return parseStrictJson(body)
  } catch (cause) {
    if (cause instanceof JsonFault)
      throw new Problem('invalid_body', { says: cause.message, cause })
    throw cause
  }
}

export function isMapping(value: unknown): value is Record<string, Value> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function refuse(says: string): never {
  throw new Problem('invalid_body', { says })
}

function jsonKeys(body: Buffer): Keys {
  if (body.length === 0) return {}
  const value = readJson(body)
  return isMapping(value) ? value : refuse('The body must be a JSON object.')
}

/** `key[]=a&key[]=b` is a list where one is declared; nothing else may repeat or nest. */
function formKeys(
  body: Buffer,
  specs: ReadonlyMap<string, KeySpec>,
  credentialKey: string | undefined,
): Keys {
  const keys = new Map<string, Value>()
  const lists = new Map<string, string[]>()
  for (const { key, value } of readForm(body)) {
    if (key === credentialKey) continue
    const name = key.endsWith('[]') ? key.slice(0, -2) : key
    if (name !== key && specs.get(name)?.type === 'list') {
      const list = lists.get(name) ?? []
      if (list.length === 0) put(keys, name, list)
      list.push(value)
      lists.set(name, list)
    } else put(keys, key, value)
  }
  return Object.fromEntries(keys)
}

function put(keys: Map<string, Value>, key: string, value: Value): void {
  if (keys.has(key)) refuse('A form field is repeated.')
  keys.set(key, value)
}

function formText(keys: Keys): string {
  const pairs = Object.entries(keys).flatMap(([key, value]) =>
    Array.isArray(value)
      ? value.map((item) => [`${key}[]`, String(item)] as const)
      : [[key, String(value)] as const],
  )
  return pairs
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join('&')
}

/** A form has only text: numbers and booleans are checked as they are written. */
function fits({ type, only }: KeySpec, value: Value, form: boolean): boolean {
  if (only !== undefined && !(typeof value === 'string' && only.includes(value))) return false
  switch (type) {
    case 'any':
      return true
    case 'string':
      return typeof value === 'string'
    case 'number':
      return form ? isDecimal(value) : typeof value === 'number' || value === null
    case 'boolean':
      return form ? value === 'true' || value === 'false' : typeof value === 'boolean'
    case 'list':
      return Array.isArray(value)
    case 'object':
      return isMapping(value)
  }
}

/** As all numbers from the wire: digits, a point, digits. Hex, exponents and spaces are read differently by others. */
export function isDecimal(value: Value): boolean {
  return typeof value === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/.test(value)
}
