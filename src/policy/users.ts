/** The `users` section: every API user with its boundary, devices and end, and the grant that its lines add up to. */

import type { Catalog } from '../domain/catalog.ts'
import type { ApiUser, Boundary, Grant, GrantRule } from '../domain/grant.ts'
import { didYouMean } from '../lib/nearest.ts'
import { text, textList, z } from '../lib/shape.ts'
import type { Misfit } from './condition-fill.ts'
import { templatesOf } from './condition-draft.ts'
import type { Fleet } from './fleet.ts'
import { hashGrant } from './grant-hash.ts'
import { scopeRule, toGrantRule } from './grant-rules.ts'
import { userKeys } from './policy-shape.ts'
import { decodeKeys, mistakeAt, mistakeAtKey, noteAt, within, type Part } from './report.ts'
import { isUserName, USER_NAME_SAYS, type RoleDraft } from './roles.ts'
import { readRule, type RuleDraft, type RuleReaderParts } from './rule-draft.ts'
import { noteSelfEscalation } from './self-escalation.ts'
import { isLimited, needsDevices, readDevices } from './user-devices.ts'
import { readExpiry } from './user-expiry.ts'
import { readBounds, readObserve } from './user-terms.ts'

export type UserParts = RuleReaderParts & {
  fleet: Fleet
  roles: ReadonlyMap<string, RoleDraft>
  guardrails: readonly RuleDraft[]
  home: ApiUser['home']
}

const one = text()
const many = textList()
const anything = z.unknown()

/** What all users have in common, and what the catalog calls a boundary. */
function keysOf({ resources }: Catalog) {
  return {
    ...userKeys,
    [resources.product.one]: one,
    [resources.product.many]: many,
    [resources.organization.one]: one,
    [resources.device.many]: anything,
  }
}

export function readUser(name: string, part: Part, parts: UserParts): ApiUser | undefined {
  const { catalog, report, home } = parts
  if (!isUserName(name)) mistakeAtKey(report, part, `"${name}" ${USER_NAME_SAYS}`)
  const user = decodeKeys<typeof userKeys>(keysOf(catalog), part, report)
  if (user === undefined) return undefined
  if (!has(part, 'owner')) mistakeAtKey(report, part, `API user "${name}" needs an owner`)
  const boundary = readBoundary(part, parts)
  const expiry = readExpiry(user, part, report)
  const bounds = readBounds(user, part, report)
  const observed = readObserve(user, part, report)
  const attributes = new Map(Object.entries(user.attributes ?? {}))
  const misfit: Misfit = (attribute, says) =>
    mistakeAt(report, within(part, 'attributes', attribute), says)
  const word = catalog.resources.device.many
  const limits = has(part, word)
    ? readDevices(within(part, word), { ...parts, boundary, attributes, misfit })
    : {}
  const fillParts = { catalog, limited: isLimited(limits, boundary), attributes, misfit }

  const own = (user.rules ?? []).flatMap(
    (_, index) => readRule(within(part, 'rules', index), 'rule', parts) ?? [],
  )
  const roles = rolesOf(user.roles ?? [], part, attributes, parts)
  const drafts = [...own, ...roles.flatMap(({ rules }) => rules)]
  const guards = parts.guardrails.filter(({ except }) => !except.includes(exceptName(name, home)))
  const rules = [...drafts, ...guards].toSorted(byPlace).flatMap((draft) => {
    const rule = toGrantRule(draft, fillParts)
    if (rule === undefined) {
      const says = `"${draft.text}" reaches nothing for a device-limited API user; name the actions`
      report.notes.push({ ...draft.place, message: says })
    }
    return rule ?? []
  })
  rules.push(...scopeRules(user.scopes ?? [], part, parts))
  checkTemplates(own, attributes, parts)

  const granted = rules.filter(({ effect }) => effect === 'can')
  const actions = new Set(granted.flatMap((rule) => rule.actions))
  const onDevice = has(part, word) ? undefined : needsDevices(actions, catalog)
  if (onDevice !== undefined) {
    mistakeAtKey(report, part, `may do ${onDevice}, so it must say its ${word} (or ${word}: all)`)
  }
  if (actions.size === 0) noteAt(report, part, `API user "${name}" is granted nothing`)
  if (boundary === undefined || expiry === undefined) return undefined

  const ordered = [...granted, ...rules.filter(({ effect }) => effect === 'cannot')].toSorted(
    byOrigin,
  )
  const grant: Grant = {
    ...{ version: 1, user: name, boundary, devices: limits, rules: ordered },
    ...bounds,
  }
  noteSelfEscalation(grant, part, parts)
  return {
    name,
    home,
    ...(user.owner && { owner: user.owner }),
    ...(user.description && { description: user.description }),
    expiry,
    grant,
    grantHash: hashGrant(grant),
    ...observed,
    origin: { file: part.source.file, line: part.source.keyAt(part.path).line },
  }
}

/** How `except` names it: who may make API users in the store must not make one that a file excepts. */
function exceptName(name: string, home: ApiUser['home']): string {
  return home === 'git' ? name : `store:${name}`
}

function has(part: Part, key: string): boolean {
  return typeof part.value === 'object' && Object.hasOwn(part.value, key)
}

function readBoundary(part: Part, { catalog, fleet, report }: UserParts): Boundary | undefined {
  const { product, organization } = catalog.resources
  const words = [product.one, product.many, organization.one].filter((word) => has(part, word))
  const [word] = words
  if (word === undefined || words.length > 1) {
    const all = `${product.one}, ${product.many} or ${organization.one}`
    mistakeAtKey(report, part, `needs one boundary: ${all}`)
    return undefined
  }
  const place = within(part, word)
  if (word === organization.one) {
    if (typeof place.value !== 'string') return undefined
    const id = fleet.idOf('organization', place.value, place)
    return id === undefined ? undefined : { kind: 'organization', organization: id }
  }
  const texts = Array.isArray(place.value) ? place.value : [place.value]
  const products = texts.flatMap((value, index) => {
    const at = Array.isArray(place.value) ? within(place, index) : place
    return typeof value === 'string' ? (fleet.idOf('product', value, at) ?? []) : []
  })
  const sorted = [...new Set(products)].toSorted()
  return sorted.length === 0 ? undefined : { kind: 'products', products: sorted }
}

function rolesOf(
  names: readonly string[],
  part: Part,
  attributes: ReadonlyMap<string, readonly string[]>,
  { roles, report }: UserParts,
): RoleDraft[] {
  const list = within(part, 'roles')
  return [...new Set(names)].flatMap((name) => {
    const place = Array.isArray(list.value) ? within(list, list.value.indexOf(name)) : list
    const role = roles.get(name)
    if (role === undefined) {
      mistakeAt(report, place, `unknown role "${name}"${didYouMean(name, roles.keys())}`)
      return []
    }
    const missing = [...role.needs].filter((need) => !attributes.has(need))
    for (const need of missing) {
      mistakeAt(report, place, `role "${name}" needs attributes.${need}, which is not set here`)
    }
    // Its templates cannot be filled; that has been said once, which is enough.
    return missing.length > 0 ? [] : [role]
  })
}

function scopeRules(scopes: readonly string[], part: Part, parts: UserParts): GrantRule[] {
  const { catalog, report } = parts
  const list = within(part, 'scopes')
  return scopes.flatMap((scope, index) => {
    const place = Array.isArray(list.value) ? within(list, index) : list
    const deeds = catalog.scopes.get(scope)
    if (deeds !== undefined) return [scopeRule(scope, deeds, place)]
    const says = catalog.actions.has(scope)
      ? `"${scope}" is one deed of a scope; it stands in a rule (can: ${scope})`
      : `unknown scope "${scope}"${didYouMean(scope, catalog.scopes.keys())}`
    mistakeAt(report, place, says)
    return []
  })
}

/** Roles say their needs; own rules are checked against the attributes beside them. */
function checkTemplates(
  own: readonly RuleDraft[],
  attributes: ReadonlyMap<string, readonly string[]>,
  { report }: UserParts,
): void {
  for (const rule of own) {
    for (const draft of [rule.where, rule.with, rule.unless]) {
      for (const name of draft === undefined ? [] : templatesOf(draft)) {
        if (attributes.has(name)) continue
        const hint = didYouMean(name, attributes.keys())
        const message = `uses $user.${name}, which attributes do not set${hint}`
        report.mistakes.push({ ...rule.place, message })
      }
    }
  }
}

function byPlace({ place: a }: RuleDraft, { place: b }: RuleDraft): number {
  return a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1
}

/** Cans first; a stable sort keeps what stands on one line in its order. */
function byOrigin(a: GrantRule, b: GrantRule): number {
  if (a.effect !== b.effect) return a.effect === 'can' ? -1 : 1
  if (a.origin.file !== b.origin.file) return a.origin.file < b.origin.file ? -1 : 1
  return a.origin.line - b.origin.line
}
