/** One CASL ability per grant: `can` rules, then `cannot` rules, then devices and boundary as `cannot`. The only file that knows CASL. */

import { Ability } from '@casl/ability'
import { attributesRead } from '../domain/attributes-read.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Grant } from '../domain/grant.ts'
import { Ask } from './ask.ts'
import { isInside } from './boundary.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import { compileDevices } from './device-limit.ts'
import type { Zones } from './hours.ts'
import { indexRules, type RuleIndex } from './rule-index.ts'
import { canHolds, cannotMatches, compileRule, type CompiledRule } from './rule-match.ts'
import { meansWrite, ownWrites } from './self-escalation.ts'

/** What a CASL rule stands for; its conditions in CASL's sense. */
type Clause =
  | { clause: 'outside_boundary' }
  | { clause: 'outside_devices' }
  | { clause: 'cannot'; rules: readonly CompiledRule[] }
  /** Writes to attributes that the grant reads: forbidden unless one of these rules holds. */
  | { clause: 'own_limits'; meant: readonly CompiledRule[] }
  | { clause: 'can'; index: RuleIndex }

export type Answer =
  | { outcome: 'can'; rule: CompiledRule }
  | { outcome: 'outside_boundary' | 'outside_devices' | 'not_granted' }
  /** `by` is absent where the rule's own grant reads what the action would write. */
  | { outcome: 'forbidden'; by: CompiledRule | undefined; granted: CompiledRule }

export type GrantAbility = {
  /** Decides one ask, in its reading. */
  decide(ask: Ask): Answer
  /** The `can` rules that name the action, by file and position. */
  cansOf(action: string): readonly CompiledRule[]
  indexOf(action: string): RuleIndex
  /** The `cannot` rules that forbid it. */
  forbidsOf(action: string): readonly CompiledRule[]
  /** The `cannot` rules that only take keys out of the answer. */
  hidesOf(action: string): readonly CompiledRule[]
  /** Whether boundary and devices hold the resource, in the ask's reading. */
  reaches(ask: Ask): boolean
}

/** What CASL calls the subject is always the ask itself: an instance, never the name of a type (which ignores conditions). */
const SUBJECT = 'ask'
/** Names that no catalog can hold, in place of CASL's `manage` and `all`: only our own clauses match everything. */
const ANY_ACTION = '<any action>'
const ANY_SUBJECT = '<any subject>'

type Abilities = [string, typeof SUBJECT | Ask]

/**
 * Names are matched with the conditions and not by CASL's `fields`: CASL takes one field at a time, reads a missing
 * one as "any", and filters every rule by it before it looks at a condition.
 */
export type AbilityParts = { catalog: Catalog; facts: CatalogFacts; zones: Zones }

export function buildAbility(grant: Grant, parts: AbilityParts): GrantAbility {
  const { zones } = parts
  const compiled = grant.rules.map((rule, position) => compileRule(rule, position, grant.user))
  const isAdmitted = compileDevices(grant)
  const cannots = compiled.filter(({ rule }) => rule.effect === 'cannot')
  const cans = byAction(
    compiled.filter(({ rule }) => rule.effect === 'can'),
    parts,
  )
  const indexed = new Map([...cans].map(([name, rules]) => [name, indexRules(rules)]))
  const nothing = indexRules([])
  const hides = byAction(
    cannots.filter(({ rule }) => rule.hide !== undefined),
    parts,
  )
  const forbids = byAction(
    cannots.filter(({ rule }) => rule.hide === undefined),
    parts,
  )

  /** What the clause that matched last matched by: CASL itself says only which clause it was. */
  let found: CompiledRule | true | undefined

  // CASL lets the last rule win, so they stand in order of priority, lowest first.
  const ability = new Ability<Abilities, Clause>(
    [
      ...[...indexed].map(([name, index]) => clause(name, { clause: 'can', index })),
      ...[...forbids].map(([name, rules]) => clause(name, { clause: 'cannot', rules })),
      ...ownLimits(grant, parts, cans),
      clause(ANY_ACTION, { clause: 'outside_devices' }),
      clause(ANY_ACTION, { clause: 'outside_boundary' }),
    ],
    {
      conditionsMatcher: (conditions) => (subject) => {
        found = subject instanceof Ask ? find(conditions, subject) : undefined
        return found !== undefined
      },
      detectSubjectType: () => SUBJECT,
      anyAction: ANY_ACTION,
      anySubjectType: ANY_SUBJECT,
    },
  )

  /** The rule by which a clause matches the ask; `true` where it is no rule of a file. */
  function find(conditions: Clause, ask: Ask): CompiledRule | true | undefined {
    switch (conditions.clause) {
      case 'outside_boundary':
        return isInside(ask.resource, grant.boundary) ? undefined : true
      case 'outside_devices':
        return isAdmitted(ask) ? undefined : true
      case 'cannot':
        return conditions.rules.find((rule) => cannotMatches(rule, ask, zones))
      case 'own_limits':
        return conditions.meant.some((rule) => canHolds(rule, ask, zones)) ? undefined : true
      case 'can':
        return conditions.index.first(ask, (rule) => canHolds(rule, ask, zones))
    }
  }

  function grantedBy(ask: Ask): CompiledRule | undefined {
    for (const { inverted, conditions } of ability.possibleRulesFor(ask.request.action, SUBJECT)) {
      const rule = inverted || conditions === undefined ? undefined : find(conditions, ask)
      if (rule !== undefined && rule !== true) return rule
    }
    return undefined
  }

  return {
    decide(ask) {
      const deciding = ability.relevantRuleFor(ask.request.action, ask)?.conditions
      if (deciding === undefined) return { outcome: 'not_granted' }
      if (deciding.clause === 'outside_boundary' || deciding.clause === 'outside_devices') {
        return { outcome: deciding.clause }
      }
      const by = found === true ? undefined : found
      if (deciding.clause === 'can') {
        return by === undefined ? { outcome: 'not_granted' } : { outcome: 'can', rule: by }
      }
      const granted = grantedBy(ask)
      if (granted === undefined) return { outcome: 'not_granted' }
      return { outcome: 'forbidden', by, granted }
    },
    cansOf: (action) => cans.get(action) ?? [],
    indexOf: (action) => indexed.get(action) ?? nothing,
    forbidsOf: (action) => forbids.get(action) ?? [],
    hidesOf: (action) => hides.get(action) ?? [],
    reaches: (ask) => isInside(ask.resource, grant.boundary) && isAdmitted(ask),
  }
}

function clause(action: string, conditions: Clause) {
  const inverted = conditions.clause !== 'can'
  return { action, subject: SUBJECT, conditions, inverted } as const
}

function ownLimits(
  grant: Grant,
  { catalog, facts }: AbilityParts,
  cans: ReadonlyMap<string, readonly CompiledRule[]>,
) {
  const read = attributesRead(grant)
  return [...cans].flatMap(([name, rules]) => {
    const action = catalog.actions.get(name)
    const keys = action === undefined ? [] : ownWrites(action, read)
    if (action === undefined || keys.length === 0) return []
    const meant = rules.filter(({ rule }) => meansWrite(rule, action, facts))
    return [clause(name, { clause: 'own_limits', meant })]
  })
}

/** A kept grant may name actions that the catalog lost, or none ever had: nobody can ask for these. */
function byAction(
  rules: readonly CompiledRule[],
  { catalog }: AbilityParts,
): Map<string, CompiledRule[]> {
  const table = new Map<string, CompiledRule[]>()
  for (const compiled of rules) {
    for (const action of compiled.rule.actions) {
      if (!catalog.actions.has(action)) continue
      const same = table.get(action)
      if (same === undefined) table.set(action, [compiled])
      else same.push(compiled)
    }
  }
  return table
}
