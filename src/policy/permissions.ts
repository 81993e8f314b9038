/** What an API user could do with one resource at this moment: every action that speaks of it, asked as a request would. */

import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Action, Catalog, FieldWord, Pattern } from '../domain/catalog.ts'
import type { Decision } from '../domain/decision.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import type { GrantRule } from '../domain/grant.ts'
import { fieldWords } from '../domain/words.ts'
import { decideRequests, type Grants } from './decide.ts'
import { sameObligations, WHOLE } from './obligations.ts'
import { PREFIX_WORDS } from './rule-checks.ts'
import type { FactsInHand, NeedsFacts, Permission } from './policy-engine.ts'

export type PermissionParts = {
  catalog: Catalog
  known: CatalogFacts
  resource: Resource
  facts: FactsInHand
  /** Its address is not looked at: this is what may be done from where the API user may call. */
  context: RequestContext
}

type Fields = Permission['fields']
type Question = {
  /** What is asked: a made-up name stands for all that no rule names. */
  fields: AccessRequest['fields']
  /** The same without made-up names. */
  named: Fields
}
type Answered = Question & {
  decision: Decision
  /** The allow holds with some values of a request, and not with all. */
  depends: boolean
}

/** More combinations of names than a person writes; one that is left out counts as denied. */
const MAX_ASKED = 10_000

/**
 * Of several entries of one action the one that names most counts (a whole name before a longer beginning before a
 * shorter one; in a denial by a `cannot` without case), and what none speaks of is denied. Nobody knows the values of a request
 * to come: what may be done with some of them alone depends.
 */
export function permissionsUnder(
  grants: Grants,
  { catalog, known, resource, facts, context }: PermissionParts,
): { permissions: Permission[] } | NeedsFacts {
  const permissions: Permission[] = []
  for (const action of catalog.actions.values()) {
    if (!speaksOf(action, resource, catalog, known)) continue
    const readsValues = [grants.today, grants.issued].some(
      (grant) => grant?.traits(action.name).readsValues,
    )
    const answered: Answered[] = []
    for (const question of questions(action, grants)) {
      const { fields } = question
      const request = { action: action.name, resource, fields, values: {} }
      const ask = (anyValues: NonNullable<RequestContext['anyValues']>) =>
        decideRequests(grants, [request], facts, { ...context, anyValues })
      const surely = ask('surely')
      if (surely.outcome === 'needs_facts') return surely
      const perhaps = surely.outcome === 'deny' && readsValues ? ask('perhaps') : surely
      if (perhaps.outcome === 'needs_facts') return perhaps
      const depends = perhaps.outcome !== surely.outcome
      answered.push({ ...question, decision: perhaps, depends })
    }
    permissions.push(...toPermissions(action, answered))
  }
  return { permissions }
}

/** An action on a device, a list in which the resource is an item, or one with a route that names such a resource last. */
function speaksOf(
  action: Action,
  { type }: Resource,
  { routes }: Catalog,
  known: CatalogFacts,
): boolean {
  if (type === 'device' && action.onDevice) return true
  if (known.isItem(action, type)) return true
  return routes.some(
    ({ kind, deeds, pattern }) =>
      kind.kind === 'upstream' &&
      deeds.some((deed) => deed.action === action.name) &&
      lastNamed(pattern) === type,
  )
}

function lastNamed({ segments }: Pattern): Resource['type'] {
  const names = new Set(segments.map((one) => ('parameter' in one ? one.parameter : '')))
  return (['device', 'product', 'organization'] as const).find((type) => names.has(type)) ?? 'none'
}

/** The made-up name first, then every name that a rule on the action names, in every combination of field words. */
function questions(action: Action, { today, issued }: Grants): Question[] {
  const grants = issued === undefined ? [today] : [today, issued]
  const rules = grants.flatMap(({ ability }) =>
    [ability.cansOf(action.name), ability.forbidsOf(action.name)].flat().map(({ rule }) => rule),
  )
  let all: Question[] = [{ fields: {}, named: {} }]
  for (const word of action.fields) {
    const names = namesOf(word, rules)
    if (names.length === 0) continue
    const other = letterBeside(names)
    const isOpen = (name: string) => PREFIX_WORDS.has(word) && name.endsWith('*')
    all = all.flatMap((one) => [
      { fields: { ...one.fields, [word]: [other] }, named: one.named },
      ...names.map((name) => ({
        fields: {
          ...one.fields,
          [word]: [isOpen(name) ? `${name.slice(0, -1)}${other}` : name],
        },
        named: { ...one.named, [word]: [name] },
      })),
    ])
    all.length = Math.min(all.length, MAX_ASKED)
  }
  return all
}

/** A `cannot` matches without case: it is also asked as every `can` with a `*` would spell it. */
function namesOf(word: FieldWord, rules: readonly GrantRule[]): string[] {
  const of = (effect: GrantRule['effect']) =>
    rules.flatMap((rule) => (rule.effect === effect ? (rule.fields?.[word] ?? []) : []))
  const granted = of('can')
  const stems = granted.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))
  const spelled = of('cannot').flatMap((name) => {
    const low = name.toLowerCase()
    const begun = stems.filter((stem) => low.startsWith(stem.toLowerCase()))
    return [name, low, ...begun.map((stem) => `${stem}${name.slice(stem.length)}`)]
  })
  return [...new Set([...granted, ...spelled])].toSorted()
}

/** A letter that none of the names has: alone, or after the beginning of a name with `*`, it makes one that no rule names whole. */
function letterBeside(names: readonly string[]): string {
  const taken = new Set(names.join('').toLowerCase())
  let code = 0x7e
  while (taken.has(String.fromCodePoint(code))) code++
  return String.fromCodePoint(code)
}

function toPermissions(action: Action, answered: readonly Answered[]): Permission[] {
  const allowed = answered.filter(({ decision }) => decision.outcome === 'allow')
  const [first] = answered
  if (first === undefined) return []
  if (allowed.length === 0) return [toPermission(action, first)]
  // A denial is worth saying only beside an allow that would reach its names.
  const words = Object.keys(first.fields).length
  const isBroad = allowed.some(({ named }) => {
    const names = Object.values(named)
    return names.length < words || names.some(([name]) => name?.endsWith('*'))
  })
  const said = answered.filter(
    ({ named, decision }) =>
      decision.outcome === 'allow' || (isBroad && Object.keys(named).length > 0),
  )
  return merged(said.map((one) => toPermission(action, one)))
}

function toPermission({ name }: Action, { named, decision, depends }: Answered): Permission {
  const { rule } = decision
  const outcome = depends ? 'depends' : decision.outcome
  const base = { action: name, outcome, rule, fields: named } as const
  if (decision.outcome === 'deny') {
    return { ...base, reason: decision.reason, obligations: undefined }
  }
  const { obligations } = decision
  const isWhole = obligations.items === undefined && sameObligations(obligations, WHOLE)
  return { ...base, reason: undefined, obligations: isWhole ? undefined : obligations }
}

/** Entries that differ in one name only stand as one with several names. */
function merged(permissions: readonly Permission[]): Permission[] {
  const table = new Map<string, Permission[]>()
  for (const one of permissions) {
    const { outcome, rule, reason, fields } = one
    const [word, ...others] = wordsOf(fields)
    const rest = others.map((other) => [other, fields[other]])
    const key = JSON.stringify([outcome, rule, reason, word, rest])
    const same = table.get(key) ?? []
    const twin = same.find((other) => showsAlike(one, other))
    if (twin === undefined || word === undefined) same.push(one)
    else {
      const names = [...(twin.fields[word] ?? []), ...(fields[word] ?? [])]
      twin.fields = { ...twin.fields, [word]: names }
    }
    table.set(key, same)
  }
  return [...table.values()].flat()
}

function wordsOf(fields: Fields): FieldWord[] {
  return fieldWords.filter((word) => fields[word] !== undefined)
}

function showsAlike({ obligations: a }: Permission, { obligations: b }: Permission): boolean {
  if (a === undefined || b === undefined) return a === b
  const alike = a.items === b.items && sameObligations(a, b)
  return alike && sameObligations(a.sure ?? a, b.sure ?? b)
}
