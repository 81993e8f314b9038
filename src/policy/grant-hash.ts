/** The name of a grant: one hash for one meaning, whatever file, line or order it was written in. */

import { hash } from 'node:crypto'
import type { Grant, GrantRule } from '../domain/grant.ts'

/** SHA-256 (hex) of the grant's canonical JSON, without origins. */
export function hashGrant(grant: Grant): string {
  const rules = grant.rules.map((rule) => canonicalJson(meaningOf(rule)))
  const sorted = [...new Set(rules)].toSorted()
  const { rules: _, ...others } = grant
  // What a grant does not say is left out: live tokens carry hashes from before the word existed.
  return hash('sha256', canonicalJson({ ...others, rules: sorted }), 'hex')
}

/** A rule without the place where it stands. */
export function meaningOf(rule: GrantRule): Omit<GrantRule, 'origin'> {
  const { origin: _, ...meaning } = rule
  return meaning
}

/** JSON with sorted keys; absent and `undefined` are the same. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`)
  return `{${entries.join(',')}}`
}
