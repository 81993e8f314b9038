/** The oracle itself, held against sentences of the design on cases made by hand. */

import { describe, expect, it } from 'vitest'
import { seenBy } from './answers.ts'
import { holds } from './conditions.ts'
import type { Policy, Rule, User } from './language.ts'
import { dueList, dueOwnDevices, pageOf } from './lists.ts'
import type { Item, World } from './world.ts'

const one: Item = {
  id: 'd1',
  name: 'hall',
  groups: ['site-1'],
  firmware_version: 2,
  online: true,
  owner: 'a@x',
  mobile_secret: 's1',
}
const two: Item = { ...one, id: 'd2', groups: ['site-1', 'site-2'], firmware_version: 4 }
const loose: Item = { ...one, id: 'd3', groups: [], firmware_version: null, owner: null }
const elsewhere: Item = { ...one, id: 'd4' }
const customers = [{ id: 'c1', username: 'a@x' }]
const world: World = {
  products: [
    { id: '1', slug: 'one', organization: 'o', devices: [one, two, loose], customers },
    { id: '2', slug: 'two', organization: 'o', devices: [elsewhere], customers: [] },
    { id: '3', slug: 'three', organization: 'p', devices: [], customers: [] },
  ],
}

const list = { can: ['devices:list'] } satisfies Rule

function policyOf(user: Partial<User>, rest: Partial<Policy> = {}): Policy {
  const basis: User = { owner: 'o', never: true, product: '1', devices: 'all', rules: [list] }
  const { product: _, ...unbound } = basis
  const bound = user.products ?? user.organization
  return { ...rest, users: { u: { ...(bound === undefined ? basis : unbound), ...user } } }
}

/** Ids in the list of product 1. */
function ids(user: Partial<User>, rest: Partial<Policy> = {}): unknown {
  const due = dueList(policyOf(user, rest), 'u', world, { product: '1', found: [one, two, loose] })
  return due.outcome === 'denied' ? 'denied' : due.seen.map(({ item }) => item['id'])
}

function keys(rules: readonly Rule[], device = one): string[] | undefined {
  const item = seenBy(policyOf({ rules }), 'u', world, {
    action: 'devices:list',
    product: '1',
    device,
  })
  return item && Object.keys(item)
}

describe('conditions', () => {
  it('are unknown where the attribute is absent or null, and only $exists sees it', () => {
    const version = (tested: unknown) => holds({ firmware_version: tested }, loose)
    expect([version({ $lt: 3 }), version({ $ne: 3 }), version({ $nin: [3] }), version(3)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect([version({ $exists: false }), version({ $exists: true })]).toEqual([true, false])
    expect(holds({ desired_firmware_version: { $exists: false } }, one)).toBe(true)
    expect(holds({ online: { $ne: true } }, { ...one, online: 'yes' })).toBeUndefined()
  })

  it('join by the logic of three outcomes', () => {
    const unknown = { firmware_version: 3 }
    const no = { online: false }
    const yes = { online: true }
    expect(holds({ ...unknown, ...no }, loose)).toBe(false)
    expect(holds({ ...unknown, ...yes }, loose)).toBeUndefined()
    expect(holds({ $or: [unknown, yes] }, loose)).toBe(true)
    expect(holds({ $or: [unknown, no] }, loose)).toBeUndefined()
    expect(holds({ $and: [unknown, no] }, loose)).toBe(false)
    expect(holds({ $not: unknown }, loose)).toBeUndefined()
    expect(holds({ $not: no }, loose)).toBe(true)
  })

  it('on lists ask for any, for all, and for nothing else; a device in no group is unknown to $only', () => {
    const groups = (tested: unknown, device: Item) => holds({ groups: tested }, device)
    expect(groups({ $any: ['site-2', 'site-9'] }, two)).toBe(true)
    expect(groups({ $any: ['site-2'] }, one)).toBe(false)
    expect(groups({ $all: ['site-1', 'site-2'] }, two)).toBe(true)
    expect(groups({ $all: ['site-1', 'site-2'] }, one)).toBe(false)
    expect(groups({ $only: ['site-1'] }, one)).toBe(true)
    expect(groups({ $only: ['site-1'] }, two)).toBe(false)
    expect([
      groups({ $any: ['site-1'] }, loose),
      groups({ $all: ['site-1'] }, loose),
      groups({ $only: ['site-1'] }, loose),
      groups({ $exists: true }, loose),
    ]).toEqual([false, false, undefined, true])
  })
})

describe('a list', () => {
  it('is admitted by a can that names it inside the boundary, and shows what remains', () => {
    expect(ids({})).toEqual(['d1', 'd2', 'd3'])
    expect(ids({ rules: [{ can: ['devices:get'] }] })).toBe('denied')
    expect(ids({ product: '3' })).toBe('denied')
    expect(ids({ organization: 'o' })).toEqual(['d1', 'd2', 'd3'])
    expect(ids({ organization: 'p' })).toBe('denied')
    expect(ids({ devices: ['d9'] })).toEqual([])
    expect(ids({ rules: [{ ...list, where: { online: false } }] })).toEqual([])
  })

  it('is refused whole by a cannot without a condition, not by one that only hides', () => {
    expect(ids({ rules: [list, { cannot: ['read'] }] })).toBe('denied')
    expect(ids({ rules: [list, { cannot: ['read'], where: { online: true } }] })).toEqual([])
    expect(ids({ rules: [list, { cannot: ['devices:list'], hide: ['owner'] }] })).toHaveLength(3)
  })

  it('holds the devices of the limit, by id, condition and product', () => {
    expect(ids({ devices: ['d2', 'd4'] })).toEqual(['d2'])
    expect(ids({ devices: { firmware_version: { $lt: 9 } } })).toEqual(['d1', 'd2'])
    expect(ids({ products: ['1', '2'], devices: { '2': 'all' } })).toEqual([])
    expect(ids({ products: ['1', '2'], devices: { '2': 'all', '*': ['d1'] } })).toEqual(['d1'])
  })

  it('loses to a cannot that is not false, and to an unless that is not false', () => {
    const old = { firmware_version: { $lt: 3 } }
    expect(ids({ rules: [list, { cannot: ['devices:list'], where: old }] })).toEqual(['d2'])
    expect(ids({ rules: [{ cannot: ['devices:*'], where: old }, list] })).toEqual(['d2'])
    expect(ids({ rules: [{ ...list, unless: old }] })).toEqual(['d2'])
    expect(ids({ rules: [{ ...list, unless: old }, list] })).toEqual(['d1', 'd2', 'd3'])
    expect(ids({ rules: [list, { cannot: ['devices:get'], where: old }] })).toHaveLength(3)
  })

  it('is bound by guardrails, but for whom they except', () => {
    const guardrail = { cannot: ['read'], where: { groups: { $any: ['site-2'] } } }
    expect(ids({}, { guardrails: [guardrail] })).toEqual(['d1', 'd3'])
    expect(ids({}, { guardrails: [{ ...guardrail, except: ['u'] }] })).toHaveLength(3)
  })

  it('adds up own rules, roles with their templates, and scopes', () => {
    const roles = {
      site: {
        description: 'Own sites.',
        needs: { sites: 'groups' },
        rules: [{ ...list, where: { groups: { $any: '$user.sites' } } }],
      },
    }
    const user = { roles: ['site'], attributes: { sites: ['site-2'] }, rules: [] }
    expect(ids(user, { roles })).toEqual(['d2'])
    expect(ids({ ...user, rules: [{ ...list, where: { id: 'd1' } }] }, { roles })).toEqual([
      'd1',
      'd2',
    ])
    expect(ids({ ...user, scopes: ['devices:list'] }, { roles })).toHaveLength(3)
  })

  it('has full pages, right totals, and the customers of what is shown', () => {
    const due = dueList(policyOf({ devices: ['d2', 'd3'] }), 'u', world, {
      product: '1',
      found: [one, two, loose],
    })
    if (due.outcome === 'denied') throw new Error('denied')
    const page = (at: number) => pageOf(due.seen, customers, { page: at, size: 1 })
    expect([1, 2, 3].map((at) => page(at).devices.map(({ id }) => id))).toEqual([
      ['d2'],
      ['d3'],
      [],
    ])
    expect([1, 2, 3].map((at) => page(at).customers)).toEqual([customers, [], []])
    expect(page(3).meta).toEqual({ total_pages: 2 })
    expect(pageOf([], customers, { page: 1 })).toEqual({
      devices: [],
      customers: [],
      meta: { total_pages: 0 },
    })
  })

  it('of own devices joins the products of the boundary', () => {
    const own = (user: Partial<User>) =>
      dueOwnDevices(policyOf(user), 'u', world)?.map(({ id }) => id)
    expect(own({ organization: 'o' })).toEqual(['d1', 'd2', 'd3', 'd4'])
    expect(own({ product: '2' })).toEqual(['d4'])
    expect(own({ rules: [] })).toBeUndefined()
  })
})

describe('the keys of an answer', () => {
  it('are all but the secrets, which an answer must name', () => {
    expect(keys([list])).not.toContain('mobile_secret')
    expect(keys([list])).toContain('groups')
    expect(keys([{ ...list, answer: ['mobile_secret'] }])).toEqual(['mobile_secret'])
    expect(keys([list, { ...list, answer: ['mobile_secret'] }])).toEqual(Object.keys(one))
  })

  it('add up over the cans that match this device, minus what any matching rule hides', () => {
    const narrow = { ...list, answer: ['id', 'name'] }
    const late = { ...list, answer: ['owner'], where: { firmware_version: { $gt: 3 } } }
    expect(keys([narrow, late])).toEqual(['id', 'name'])
    expect(keys([narrow, late], two)).toEqual(['id', 'name', 'owner'])
    expect(keys([narrow, { ...late, hide: ['name'] }])).toEqual(['id', 'name'])
    expect(keys([narrow, { ...late, hide: ['name'] }], two)).toEqual(['id', 'owner'])
  })

  it('lose what a cannot hides unless its condition is false; it forbids nothing else', () => {
    const hides = { cannot: ['devices:list'], hide: ['owner'], where: { firmware_version: 4 } }
    expect(keys([list, hides])).toContain('owner')
    expect(keys([list, hides], two)).not.toContain('owner')
    expect(keys([list, hides], loose)).not.toContain('owner')
    expect(keys([list, { cannot: ['devices:list'] }])).toBeUndefined()
  })
})
