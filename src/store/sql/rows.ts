/** Rows of the database as our own types, checked: it may have been touched by other hands. */

import type { SqlRow } from './sql.ts'

/** The database cannot serve as a store; the message says what to do. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable'
}

/** @throws StoreUnusable, as all below, when a column does not hold what the migrations say */
export function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw new StoreUnusable('The store holds a value that is not text where text belongs.')
}

export function integer(value: unknown): number {
  if (Number.isSafeInteger(value) && typeof value === 'number') return value
  throw new StoreUnusable('The store holds a value that is not a whole number where one belongs.')
}

/** SHA-256, 32 bytes. */
export function digest(value: unknown): Uint8Array {
  if (value instanceof Uint8Array && value.length === 32) return value
  throw new StoreUnusable('The store holds a row without a proper hash.')
}

export function word<const W extends string>(value: unknown, words: readonly W[]): W {
  const known = words.find((each) => each === value)
  if (known !== undefined) return known
  throw new StoreUnusable(`The store holds a value that is none of ${words.join(', ')}.`)
}

/** JSON of a list of strings. */
export function texts(value: unknown): string[] {
  const list: unknown = JSON.parse(text(value))
  if (Array.isArray(list)) return list.map(text)
  throw new StoreUnusable('The store holds a value that is not a list where one belongs.')
}

export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === null ? undefined : read(value)
}

/** Of a query that answers with one row or none. */
export function first<T>(rows: readonly SqlRow[], read: (row: SqlRow) => T): T | undefined {
  const [row] = rows
  return row === undefined ? undefined : read(row)
}
