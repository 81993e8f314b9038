/** Decides on one device, one product or one event, straight from the sentences of the design. */

import { holds } from './conditions.ts'
import type { Conditions, EventFacts, Policy, Rule, User } from './language.ts'
import { idOf, productOf, type Item, type World } from './world.ts'

/** Classes as the manual of the cloud's catalog lists them, as far as the oracle's actions go. */
const classes: Readonly<Record<string, readonly string[]>> = {
  read: ['devices:list', 'devices:get'],
  live: ['events:get'],
}

/** One thing asked: of a device, or of an event that a device or no device sent. */
type Question = { action: string; device: Item | undefined; event?: EventFacts }

export function userOf(policy: Policy, name: string): User {
  const user = policy.users[name]
  if (user === undefined) throw new Error(`no API user ${name}`)
  return user
}

/** All rules that bind one API user, templates filled in. */
export function rulesOf(policy: Policy, name: string): Rule[] {
  const user = userOf(policy, name)
  const ofRoles = (user.roles ?? []).flatMap((role) => policy.roles?.[role]?.rules ?? [])
  const ofScopes = (user.scopes ?? []).map((scope): Rule => ({
    can: [scope],
    sources: ['device', 'cloud', 'api'],
  }))
  const own = [...(user.rules ?? []), ...ofRoles, ...ofScopes].map((rule) => filled(rule, user))
  const everybodys = (policy.guardrails ?? []).filter(({ except = [] }) => !except.includes(name))
  return [...own, ...everybodys]
}

export function inBoundary(policy: Policy, name: string, world: World, product: string): boolean {
  const { product: only, products, organization } = userOf(policy, name)
  if (only !== undefined) return only === product
  if (products !== undefined) return products.includes(product)
  return productOf(world, product)?.organization === organization
}

/**
 * A list or stream is opened to whoever has a `can` that names it, inside the boundary; a `cannot` without any
 * condition matches the request itself, whatever the items are.
 */
export function admitted(
  policy: Policy,
  name: string,
  world: World,
  ask: { action: string; product: string },
): boolean {
  const rules = rulesOf(policy, name)
  const named = rules.some(({ can }) => names(can, ask.action))
  const forbidden = rules.some(
    ({ cannot, where, events, sources, hide }) =>
      names(cannot, ask.action) && (where ?? events ?? sources ?? hide) === undefined,
  )
  return named && !forbidden && inBoundary(policy, name, world, ask.product)
}

/** The rules that let one API user do it, and those that match and hide; nothing where it is denied. */
export function decide(
  policy: Policy,
  name: string,
  world: World,
  ask: Question & { product: string },
): { allowed: boolean; cans: Rule[]; hides: Rule[] } {
  const rules = rulesOf(policy, name)
  const cans = rules.filter((rule) => canMatches(rule, ask))
  const cannots = rules.filter((rule) => cannotMatches(rule, ask))
  const allowed =
    cans.length > 0 &&
    cannots.every(({ hide }) => hide !== undefined) &&
    inBoundary(policy, name, world, ask.product) &&
    (ask.device === undefined || amongDevices(userOf(policy, name), ask.product, ask.device))
  return { allowed, cans, hides: [...cans, ...cannots] }
}

export function amongDevices({ devices }: User, product: string, item: Item): boolean {
  if (devices === 'all') return true
  if (isIds(devices)) return devices.includes(idOf(item))
  const byProduct = Object.keys(devices).some((key) => key === '*' || /^\d+$/.test(key))
  if (!byProduct) return holds(devices, item) === true
  const own: unknown = devices[product] ?? devices['*']
  if (own === 'all') return true
  if (isIds(own)) return own.includes(idOf(item))
  return typeof own === 'object' && own !== null && holds({ ...own }, item) === true
}

function isIds(value: unknown): value is readonly string[] {
  return Array.isArray(value)
}

function canMatches({ can, where, unless, events, sources = ['device'] }: Rule, ask: Question) {
  const { action, device, event } = ask
  if (!names(can, action)) return false
  if (where !== undefined && holds(where, device) !== true) return false
  if (unless !== undefined && holds(unless, device) !== false) return false
  if (event === undefined) return events === undefined
  if (!sources.includes(event.source)) return false
  return events === undefined || events.some((pattern) => isCalled(pattern, event.name))
}

function cannotMatches({ cannot, where, events, sources }: Rule, ask: Question): boolean {
  const { action, device, event } = ask
  if (!names(cannot, action)) return false
  if (where !== undefined && holds(where, device) === false) return false
  if (event === undefined) return true
  if (sources !== undefined && !sources.includes(event.source)) return false
  const name = event.name.toLowerCase()
  return events === undefined || events.some((pattern) => isCalled(pattern.toLowerCase(), name))
}

function isCalled(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

function names(patterns: readonly string[] | undefined, action: string): boolean {
  return (patterns ?? []).some(
    (pattern) =>
      pattern === action ||
      (pattern.endsWith(':*') && action.startsWith(pattern.slice(0, -1))) ||
      (classes[pattern] ?? []).includes(action),
  )
}

function filled(rule: Rule, { attributes = {} }: User): Rule {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string' && value.startsWith('$user.')) {
      return attributes[value.slice('$user.'.length)]
    }
    if (Array.isArray(value)) return value.map(fill)
    return typeof value === 'object' && value !== null ? fillAll({ ...value }) : value
  }
  const fillAll = (value: Conditions): Conditions =>
    Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each)]))
  return {
    ...rule,
    ...(rule.where && { where: fillAll(rule.where) }),
    ...(rule.unless && { unless: fillAll(rule.unless) }),
  }
}
