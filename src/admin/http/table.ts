/** Finds the operation that a method and a path name: exactly one, or a problem that says why not. */

import { Problem } from '../../domain/problem.ts'
import type { AnyOperation } from '../operation.ts'

export type Found = { operation: AnyOperation; params: Readonly<Record<string, string>> }

export type Table = {
  /** HEAD finds what GET does. @throws Problem `unmapped_route`, `method_not_allowed` */
  find(method: string, segments: readonly string[]): Found
  /** In which shape problems are told below this path. */
  errorsAt(segments: readonly string[]): AnyOperation['errors']
}

type Entry = { operation: AnyOperation; pattern: readonly string[] }

/** @throws Error where two operations stand at one place */
export function createTable(operations: readonly AnyOperation[]): Table {
  const entries = operations.map((operation) => ({
    operation,
    pattern: operation.path === '/' ? [] : operation.path.slice(1).split('/'),
  }))
  requireDistinct(operations)
  const cloudish = new Set(
    entries
      .filter(({ operation }) => operation.errors === 'cloud')
      .map(({ pattern }) => pattern[0]),
  )

  return {
    errorsAt: ([first]) => (first !== undefined && cloudish.has(first) ? 'cloud' : 'problem'),
    find(method, segments) {
      const here = mostLiteral(entries.filter(({ pattern }) => matches(pattern, segments)))
      if (here.length === 0) throw new Problem('unmapped_route')
      const wanted = method === 'HEAD' ? 'GET' : method
      const entry = here.find(({ operation }) => operation.method === wanted)
      if (entry === undefined) {
        throw new Problem('method_not_allowed', { headers: { allow: methodsOf(here).join(', ') } })
      }
      return { operation: entry.operation, params: paramsOf(entry.pattern, segments) }
    },
  }
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => isParam(part) || part === segments[index])
  )
}

/** A word that is written out is never a parameter's value: `/users/new` is not the user `new`. */
function mostLiteral(entries: readonly Entry[]): readonly Entry[] {
  const literals = ({ pattern }: Entry) =>
    pattern.map((part) => (isParam(part) ? '1' : '0')).join('')
  const best = entries.map(literals).toSorted()[0]
  return entries.filter((entry) => literals(entry) === best)
}

function methodsOf(entries: readonly Entry[]): string[] {
  const methods = entries.map(({ operation }) => operation.method)
  return [...new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)].toSorted()
}

function paramsOf(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> {
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    if (isParam(part)) params[part.slice(1, -1)] = segments[index] ?? ''
  }
  return params
}

function isParam(part: string): boolean {
  return part.startsWith('{') && part.endsWith('}')
}

function requireDistinct(operations: readonly AnyOperation[]): void {
  const places = new Set<string>()
  for (const { id, method, path } of operations) {
    for (const place of [id, `${method} ${path.replaceAll(/\{[^}]*\}/g, '{}')}`]) {
      if (places.has(place)) throw new Error(`Two operations of the admin port are ${place}.`)
      places.add(place)
    }
  }
}
