/** The name of a grant: one hash for one meaning, whatever file, line or order it was written in. */

import { hash } from 'node:crypto'
import type { Grant, GrantRule } from '../domain/grant.ts'

/** SHA-256 (hex) of the grant's canonical JSON, without origins. */
export function hashGrant(grant: Grant): string {
  const rules = grant.rules.map((rule) => canonicalJson(withoutOrigin(rule)))
  const sorted = [...new Set(rules)].toSorted()
  const { version, user, boundary, devices } = grant
  return hash('sha256', canonicalJson({ version, user, boundary, devices, rules: sorted }), 'hex')
}

function withoutOrigin(rule: GrantRule): Omit<GrantRule, 'origin'> {
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
