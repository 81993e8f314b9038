/** Random policy sets over a known fleet: many API users, some roles, some guardrails. */

import { fc } from '../kit/fc.ts'
import { groupNames } from './fleets.ts'
import type {
  Conditions,
  Devices,
  Guardrail,
  Policy,
  Role,
  Rule,
  Source,
  Theme,
  User,
} from './language.ts'
import { conditions, someIds } from './random-conditions.ts'
import type { World } from './world.ts'

export const eventNames = ['alarm', 'alarm/door', 'Alarm', 'tick', 'tick/fast', 'temperature']

const answerKeys = [
  'id',
  'name',
  'online',
  'groups',
  'owner',
  'firmware_version',
  'notes',
  'quarantined',
  'last_ip_address',
  'variables',
  'mobile_secret',
  'serial_number',
  'last_heard',
  'desired_firmware_version',
]

const hiddenKeys = ['last_ip_address', 'owner', 'name', 'groups', 'mobile_secret', 'notes', 'imei']

export function policies(world: World, theme: Theme, users: number): fc.Arbitrary<Policy> {
  return fc
    .record({
      users: fc.array(userIn(world, theme), { minLength: users, maxLength: users }),
      roles: fc.record({ reader: role(world, theme), site: siteRole(world, theme) }),
      guardrails: fc.option(guardrail(world, theme, users), { nil: undefined, freq: 2 }),
    })
    .map(({ users: list, roles, guardrails }) => ({
      users: Object.fromEntries(list.map((user, index) => [nameOf(index), user])),
      roles,
      ...(guardrails !== undefined && { guardrails: [guardrails] }),
    }))
}

export function nameOf(index: number): string {
  return `user-${index}`
}

function userIn(world: World, theme: Theme): fc.Arbitrary<User> {
  return fc
    .record({
      boundary: boundary(world),
      attributes: fc.record({ sites: fc.subarray(groupNames, { minLength: 1, maxLength: 3 }) }),
      roles: fc.subarray(['reader', 'site'], { maxLength: 1 }),
      scopes: fc.subarray([actionOf(theme)]),
      rules: fc.array(rule(world, theme), { minLength: 1, maxLength: 4 }),
      // Scopes grant without conditions: too often, and nothing else would be tried.
      scoped: fc.integer({ min: 0, max: 9 }),
    })
    .chain(({ boundary: within, scopes, scoped, ...rest }) =>
      devices(world, theme, within).map((limit): User => ({
        owner: 'o@acme.example',
        never: true,
        ...within,
        ...rest,
        ...(scoped === 0 && { scopes }),
        devices: limit,
      })),
    )
    .map(({ roles = [], scopes, ...user }) => ({
      ...user,
      ...(roles.length > 0 && { roles }),
      ...(scopes !== undefined && scopes.length > 0 && { scopes }),
    }))
}

type Boundary = Pick<User, 'product' | 'products' | 'organization'>

function boundary(world: World): fc.Arbitrary<Boundary> {
  const acme = world.products[0]?.organization ?? ''
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant({ product: '12345' }) },
    { weight: 1, arbitrary: fc.constant({ product: '67890' }) },
    { weight: 2, arbitrary: fc.constant({ products: ['12345', '12346'] }) },
    { weight: 1, arbitrary: fc.constant({ organization: acme }) },
  )
}

function devices(world: World, theme: Theme, { products }: Boundary): fc.Arbitrary<Devices> {
  const plain: fc.Arbitrary<Devices> = fc.oneof(
    { weight: 3, arbitrary: fc.constant<Devices>('all') },
    { weight: 2, arbitrary: someIds(world) },
    { weight: 3, arbitrary: conditions(world, theme) },
  )
  if (products === undefined) return plain
  const part = fc.oneof(fc.constant('all' as const), someIds(world), conditions(world, theme))
  return fc.oneof(
    plain,
    fc.record({ '12345': part, '12346': part }),
    fc.record({ '12345': part }),
    fc.record({ '12346': part, '*': part }),
  )
}

function actionOf(theme: Theme): string {
  return theme === 'lists' ? 'devices:list' : 'events:get'
}

function rule(world: World, theme: Theme): fc.Arbitrary<Rule> {
  return fc.oneof(
    { weight: 3, arbitrary: can(world, theme) },
    { weight: 1, arbitrary: ban(world, theme) },
  )
}

/** A `can` that only gives: it hides nothing. */
export function additionalCans(world: World): fc.Arbitrary<Rule> {
  return can(world, 'lists').filter(({ hide }) => hide === undefined)
}

function can(world: World, theme: Theme, templates = false): fc.Arbitrary<Rule> {
  const actions =
    theme === 'lists'
      ? fc.constantFrom(['devices:list', 'devices:get'], ['devices:list'], ['devices:get'])
      : fc.constant(['events:get'])
  return fc.oneof(
    { weight: 8, arbitrary: optional({ can: actions }, narrowing(world, theme, templates)) },
    {
      weight: 1,
      arbitrary: fc.constant({ can: [theme === 'lists' ? 'read' : 'live'] }),
    },
  )
}

function narrowing(world: World, theme: Theme, templates: boolean) {
  const words = {
    where: templates ? fc.oneof(conditions(world, theme), templated()) : conditions(world, theme),
    unless: conditions(world, theme),
  }
  return theme === 'lists'
    ? {
        ...words,
        answer: fc.subarray(answerKeys, { minLength: 1 }),
        hide: fc.subarray(hiddenKeys, { minLength: 1, maxLength: 2 }),
      }
    : { ...words, events: patterns(), sources: sources() }
}

function ban(world: World, theme: Theme): fc.Arbitrary<Rule> {
  const where = conditions(world, theme)
  if (theme === 'streams') {
    const named = { events: patterns(), sources: sources() }
    return optional({ cannot: fc.constant(['events:get']), where }, named)
  }
  const cannot = fc.constantFrom(['devices:list'], ['devices:get'], ['devices:list', 'devices:get'])
  const hide = fc.subarray(hiddenKeys, { minLength: 1, maxLength: 2 })
  return fc.oneof(
    { weight: 12, arbitrary: fc.record({ cannot, where }) },
    { weight: 9, arbitrary: fc.record({ cannot, where, hide }) },
    { weight: 3, arbitrary: fc.record({ cannot, hide }) },
    { weight: 1, arbitrary: fc.constantFrom({ cannot: ['devices:*'] }, { cannot: ['read'] }) },
  )
}

function patterns(): fc.Arbitrary<string[]> {
  return fc.uniqueArray(
    fc.constantFrom(...eventNames, 'alarm*', 'tick/*', 'hook-sent/*', 'hook*', 'a*'),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
}

function sources(): fc.Arbitrary<Source[]> {
  return fc.subarray<Source>(['device', 'cloud', 'api'], { minLength: 1 })
}

function role(world: World, theme: Theme): fc.Arbitrary<Role> {
  return fc.record({ description: fc.constant('Reads.'), rules: fc.tuple(rule(world, theme)) })
}

/** The shipped pattern: a role whose users name their own sites. */
function siteRole(world: World, theme: Theme): fc.Arbitrary<Role> {
  return can(world, theme, true).map((own) => ({
    description: 'Sees its own sites.',
    needs: { sites: 'groups' },
    rules: [own, { can: [actionOf(theme)], where: { groups: { $any: '$user.sites' } } }],
  }))
}

function templated(): fc.Arbitrary<Conditions> {
  return fc
    .constantFrom('$any', '$all', '$only')
    .map((operator) => ({ groups: { [operator]: '$user.sites' } }))
}

function guardrail(world: World, theme: Theme, users: number): fc.Arbitrary<Guardrail> {
  return fc
    .tuple(
      ban(world, theme).filter(({ where }) => where !== undefined),
      fc.uniqueArray(fc.nat(users - 1).map(nameOf), { minLength: 1, maxLength: users - 1 }),
    )
    .map(([own, except]) => ({ ...own, except }))
}

/** Each of the optional words is there in one of three draws. */
function optional(
  always: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  sometimes: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<Rule> {
  const absent = { weight: 2, arbitrary: fc.constant(undefined) }
  const maybe = Object.entries(sometimes).map(
    ([key, values]) => [key, fc.oneof({ weight: 1, arbitrary: values }, absent)] as const,
  )
  return fc
    .record({ ...always, ...Object.fromEntries(maybe) })
    .map((drawn) =>
      Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined)),
    )
}
