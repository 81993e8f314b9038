/** Which keys of the answer a query looks into: filters and orders are oracles, and tell what is not shown. */

import type { KeySpec, Route } from '../domain/catalog.ts'
import type { Shown } from '../domain/decision.ts'
import type { QueryEntry } from '../domain/target.ts'
import { hasKeys } from './cut.ts'

export function keysRead({ query: specs }: Route, query: readonly QueryEntry[]): string[] {
  return query.flatMap(({ key, value }) => {
    const read = keyRead(specs.get(key)?.reads, value)
    return read === undefined ? [] : [read]
  })
}

/** `''`, which nobody is shown by its name: the value is none that the catalog knows. */
function keyRead(reads: KeySpec['reads'], value: string): string | undefined {
  if (reads === undefined || typeof reads === 'string') return reads
  return Object.hasOwn(reads, value) ? reads[value] : ''
}

/** Who may not see a key may not find out about it by a filter or an order either. */
export function isHidden(key: string, { answer: spec }: Route, shown: Shown): boolean {
  const { answer, hide, reveal } = shown
  if (hide.has(key) || (answer !== undefined && !answer.has(key))) return true
  return hasKeys(spec) && spec.secrets.includes(key) && !reveal.has(key)
}
