/** Writes that would move the writer's own limits: an attribute that its grant reads is not its to write. */

import { attributesRead } from '../domain/attributes-read.ts'
import type { Action, Catalog } from '../domain/catalog.ts'
import type { Grant, GrantRule } from '../domain/grant.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import { noteAt, type Part, type Report } from './report.ts'

/** Attributes that the action writes and the grant reads. */
export function ownWrites(action: Action, read: ReadonlySet<string>): string[] {
  return action.writes.filter((attribute) => read.has(attribute))
}

/**
 * Whether a `can` names the written key, and so was meant to grant the write: in `body`; where the action has no key
 * of its own in any body, by being about this action alone.
 */
export function meansWrite(rule: GrantRule, action: Action, facts: CatalogFacts): boolean {
  const keys = facts.deedKeys(action.name)
  if (keys.size === 0) return rule.actions.length === 1
  return rule.fields?.body?.some((key) => keys.has(key) || action.writes.includes(key)) === true
}

export function noteSelfEscalation(
  grant: Grant,
  part: Part,
  { catalog, facts, report }: { catalog: Catalog; facts: CatalogFacts; report: Report },
): void {
  const read = attributesRead(grant)
  const cans = grant.rules.filter(({ effect }) => effect === 'can')
  const seen = new Set<string>()
  for (const rule of cans) {
    for (const name of rule.actions) {
      const action = catalog.actions.get(name)
      if (action === undefined || seen.has(name)) continue
      const keys = ownWrites(action, read)
      if (keys.length === 0 || cans.some((can) => meansWrite(can, action, facts))) continue
      seen.add(name)
      const body = [...facts.deedKeys(name)].join(' or ')
      const way = body === '' ? 'a can is about it alone' : `a can names the key (body: ${body})`
      const says = `${name} writes ${keys.join(', ')}, which this API user's own grant reads`
      noteAt(report, part, `${says}: it will be denied unless ${way}`)
    }
  }
}
