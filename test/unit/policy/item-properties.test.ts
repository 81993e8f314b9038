/** What must hold of lists and streams whatever the policy: the judge, the admission and plain decisions say one thing. */

import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import type { Obligations } from '../../../src/domain/decision.ts'
import type { Item } from '../../../src/policy/policy-engine.ts'
import {
  gateOf,
  MINE,
  mustLoad,
  myDevice,
  myProduct,
  NOON,
  OTHER,
  userWith,
  type Gate,
} from '../../kit/policies.ts'

const CONDITIONS = [
  '{ region: eu }',
  '{ region: { $ne: us } }',
  '{ region: { $exists: false } }',
  '{ groups: { $any: [a] } }',
  '{ groups: { $only: [a, b] } }',
  '{ firmware_version: { $lt: 3 } }',
  '{ $not: { online: true } }',
  '{ $or: [{ online: true }, { region: eu }] }',
  `{ id: ${MINE} }`,
]
const KEYS = ['id', 'name', 'online', 'groups', 'mobile_secret'] as const

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 1 })
const keys = fc.subarray([...KEYS], { minLength: 1 }).map((some) => `[${some.join(', ')}]`)
const where = maybe(fc.constantFrom(...CONDITIONS))

function text(effect: 'can' | 'cannot', action: string, words: Record<string, string | undefined>) {
  const lines = Object.entries(words).filter(([, value]) => value !== undefined)
  return [`- ${effect}: ${action}`, ...lines.map(([word, value]) => `  ${word}: ${value}`)].join(
    '\n',
  )
}
const listCan = fc
  .record({ where, unless: where, answer: maybe(keys) })
  .map((words) => text('can', 'devices:list', words))
const listCannot = fc
  .record({ where, hide: maybe(keys) })
  .map((words) => text('cannot', 'devices:list', words))
const everySource = '[device, cloud, api]'
const sources = fc.constantFrom(undefined, '[device]', '[cloud, api]', everySource, everySource)
const events = maybe(fc.constantFrom('[temp*]', '[door, temp]', '[Door*]'))
const streamCan = fc
  .record({ where, sources, events })
  .map((words) => text('can', 'events:get', words))
const streamCannot = fc
  .record({ where, sources, events })
  .map((words) => text('cannot', 'events:get', words))

const devices = fc.oneof(
  fc.constant('all'),
  fc.constantFrom(`[${MINE}]`, '{ region: eu }', `{ 12345: [${OTHER}], '*': all }`),
)
const policyOf = (can: fc.Arbitrary<string>, cannot: fc.Arbitrary<string>) =>
  fc.record({
    cans: fc.array(can, { minLength: 1, maxLength: 4 }),
    cannots: fc.array(cannot, { maxLength: 2 }),
    devices,
  })
const lists = policyOf(listCan, listCannot)
const streams = policyOf(streamCan, streamCannot)
type Policy = typeof lists extends fc.Arbitrary<infer T> ? T : never

const facts = fc.record(
  {
    region: fc.constantFrom('eu', 'us', null),
    groups: fc.subarray(['a', 'b', 'c']),
    firmware_version: fc.constantFrom(2, 3, '2'),
    online: fc.boolean(),
  },
  { requiredKeys: [] },
)
const item: fc.Arbitrary<Item & { facts: object }> = fc
  .tuple(fc.constantFrom(MINE, OTHER), facts)
  .map(([device, known]) => ({ resource: { ...myDevice, device }, facts: known }))
const name = fc.constantFrom('temp', 'temp/a', 'door', 'DOOR', 'x')
const event: fc.Arbitrary<Item> = fc.oneof(
  // Not told apart: no name and no source.
  item,
  fc
    .tuple(item, name)
    .map(([one, called]) => ({ ...one, event: { name: called, source: 'device' as const } })),
  fc.tuple(name, fc.constantFrom('cloud' as const, 'api' as const)).map(([called, source]) => ({
    resource: myProduct,
    facts: undefined,
    event: { name: called, source },
  })),
)

const textOf = ({ cans, cannots, devices: limit }: Policy) =>
  userWith([...cans, ...cannots].join('\n'), `devices: ${limit}`)
const gateFor = (policy: Policy) => gateOf(textOf(policy))

function verdictOf(gate: Gate, action: string, one: Item): Obligations | string {
  const verdict = gate.items(action).judge(one, NOON)
  return verdict.outcome === 'allow' ? verdict.obligations : verdict.outcome
}

const shows = ({ answer, hide }: Obligations, key: string) =>
  !hide.has(key) && (answer === undefined || answer.has(key))
const reveals = ({ reveal }: Obligations) => reveal.has('mobile_secret')
const RUNS = { numRuns: 250 }

describe('for any policy, an item of a list', () => {
  it('is what a plain decision on that one device is, with and without facts', () => {
    fc.assert(
      fc.property(lists, item, fc.boolean(), (policy, one, inHand) => {
        const gate = gateFor(policy)
        const known = inHand ? one.facts : null
        const plain = gate.full('devices:list', {
          resource: one.resource,
          facts: known && { ...known },
        })
        const want = plain.outcome === 'allow' ? plain.obligations : plain.outcome
        const got = verdictOf(gate, 'devices:list', {
          ...one,
          facts: known ? { ...known } : undefined,
        })
        expect(got).toEqual(want)
        if (inHand) expect(got).not.toBe('needs_facts')
      }),
      RUNS,
    )
  })

  it('passes exactly where today and the issued grant both let it, and shows what both show', () => {
    fc.assert(
      fc.property(lists, lists, item, (today, before, one) => {
        const gate = gateFor(today)
        const issued = mustLoad(textOf(before)).set.users.get('u')
        if (issued === undefined) throw new Error('no user')
        const verdict = gate.items('devices:list', { issued }).judge(one, NOON)
        const mine = verdictOf(gate, 'devices:list', one)
        const theirs = verdictOf(gateFor(before), 'devices:list', one)
        const both = typeof mine === 'object' && typeof theirs === 'object'
        expect(verdict.outcome).toBe(both ? 'allow' : 'deny')
        if (verdict.outcome !== 'allow' || !both) return
        for (const key of KEYS) {
          expect(shows(verdict.obligations, key)).toBe(shows(mine, key) && shows(theirs, key))
        }
        expect(reveals(verdict.obligations)).toBe(reveals(mine) && reveals(theirs))
      }),
      RUNS,
    )
  })

  it('is never taken away, nor a key of it, by one more can', () => {
    fc.assert(
      fc.property(lists, listCan, item, (policy, extra, one) => {
        const before = verdictOf(gateFor(policy), 'devices:list', one)
        if (typeof before !== 'object') return
        const more = { ...policy, cans: [...policy.cans, extra] }
        const after = verdictOf(gateFor(more), 'devices:list', one)
        if (typeof after !== 'object') throw new Error(`was shown, now ${after}`)
        for (const key of KEYS) expect(shows(before, key) && !shows(after, key)).toBe(false)
        expect(reveals(before) && !reveals(after)).toBe(false)
      }),
      RUNS,
    )
  })

  it('is never added, nor a key of it, by one more cannot', () => {
    fc.assert(
      fc.property(lists, listCannot, item, (policy, extra, one) => {
        const fewer = { ...policy, cannots: [...policy.cannots, extra] }
        const after = verdictOf(gateFor(fewer), 'devices:list', one)
        if (typeof after !== 'object') return
        const before = verdictOf(gateFor(policy), 'devices:list', one)
        if (typeof before !== 'object') throw new Error(`was ${before}, now shown`)
        for (const key of KEYS) expect(shows(after, key) && !shows(before, key)).toBe(false)
        expect(reveals(after) && !reveals(before)).toBe(false)
      }),
      RUNS,
    )
  })

  it('passes as the whole list does, where that is not decided item by item', () => {
    let whole = 0
    fc.assert(
      fc.property(lists, item, (policy, one) => {
        const gate = gateFor(policy)
        const list = gate.full('devices:list', { resource: myProduct, facts: null })
        if (list.outcome !== 'allow') {
          expect([list.outcome, verdictOf(gate, 'devices:list', one)]).toEqual(['deny', 'deny'])
          return
        }
        const got = verdictOf(gate, 'devices:list', one)
        if (list.obligations.items === undefined) {
          whole += 1
          expect(got).toEqual(list.obligations)
        } else if (typeof got === 'object') {
          for (const key of KEYS) {
            expect(shows(got, key) && !shows(list.obligations, key)).toBe(false)
          }
          expect(reveals(list.obligations) && !reveals(got) && shows(got, 'mobile_secret')).toBe(
            false,
          )
        }
      }),
      RUNS,
    )
    expect(whole).toBeGreaterThan(10)
  })

  it('fares as every other where nothing hangs on the device', () => {
    let free = 0
    fc.assert(
      fc.property(lists, item, item, (policy, one, other) => {
        const gate = gateFor(policy)
        if (gate.hangsOnDevice('devices:list', myProduct)) return
        free += 1
        expect(verdictOf(gate, 'devices:list', one)).toEqual(verdictOf(gate, 'devices:list', other))
      }),
      RUNS,
    )
    expect(free).toBeGreaterThan(10)
  })
})

describe('for any policy, an event of a stream', () => {
  it('passes as the whole stream does, where that is not decided event by event', () => {
    let whole = 0
    fc.assert(
      fc.property(streams, event, (policy, one) => {
        const gate = gateFor(policy)
        const stream = gate.full('events:get', { resource: myProduct, facts: null })
        const got = verdictOf(gate, 'events:get', one)
        if (stream.outcome !== 'allow') expect(got).toBe('deny')
        else if (stream.obligations.items === undefined) {
          whole += 1
          expect(got).toEqual(stream.obligations)
        }
      }),
      RUNS,
    )
    expect(whole).toBeGreaterThan(5)
  })

  it('is never taken away by one more can, and never added by one more cannot', () => {
    fc.assert(
      fc.property(streams, streamCan, streamCannot, event, (policy, can, cannot, one) => {
        const passes = (some: Policy) =>
          typeof verdictOf(gateFor(some), 'events:get', one) === 'object'
        if (passes(policy)) expect(passes({ ...policy, cans: [...policy.cans, can] })).toBe(true)
        else expect(passes({ ...policy, cannots: [...policy.cannots, cannot] })).toBe(false)
      }),
      RUNS,
    )
  })
})

describe('for any policies, a judge of many', () => {
  it.each([
    [
      'devices:list',
      lists,
      fc.oneof(
        item,
        item.map((one) => ({ ...one, facts: undefined })),
      ),
    ],
    ['events:get', streams, event],
  ] as const)('%s answers each as if it were the first', (action, policies, ones) => {
    const many = fc.array<Item>(ones, { minLength: 6, maxLength: 12 })
    fc.assert(
      fc.property(policies, policies, many, (today, before, items) => {
        const gate = gateFor(today)
        const issued = mustLoad(textOf(before)).set.users.get('u')
        if (issued === undefined) throw new Error('no user')
        const judge = gate.items(action, { issued })
        for (const one of items) {
          const fresh = gate.items(action, { issued })
          expect(judge.judge(one, NOON)).toEqual(fresh.judge(one, NOON))
        }
      }),
      { numRuns: 150 },
    )
  })
})

/** Values as no reader of attributes would let them pass, some the same but for their type or how they are parted. */
const oddValue = fc.constantFrom<unknown[]>(
  ...[undefined, null, '', 'eu', 'us', 'a', 'b', '2', 2, 3, NaN, 0, -0, true, false, 'true', {}],
  ...[[], ['a'], ['b'], ['a', 'b'], ['b', 'a'], ['ab'], [['a']], ['a', 2], [null], ['eu'], [true]],
)
const oddFacts = fc.record(
  { region: oddValue, groups: oddValue, firmware_version: oddValue, online: oddValue },
  { requiredKeys: [] },
)
const place = fc.constantFrom<Item['resource']>(
  ...[myDevice, myDevice, { ...myDevice, device: OTHER }, myProduct],
  ...[
    { ...myDevice, product: '67890' },
    { type: 'device' as const, device: MINE },
  ],
)
const oddItem: fc.Arbitrary<Item> = fc.record({
  resource: place,
  facts: fc.option(oddFacts, { nil: undefined, freq: 3 }),
})
const oddCondition = fc.constantFrom(
  ...CONDITIONS,
  '{ region: { $exists: true } }',
  '{ groups: { $all: [a, b] } }',
  '{ groups: { $not: { $any: [b] } } }',
  '{ $not: { groups: { $only: [a] } } }',
  '{ firmware_version: 2, online: { $exists: true } }',
)
const oddWords = {
  where: maybe(oddCondition),
  when: fc.constantFrom(undefined, undefined, '{ hours: 08:00-12:01, zone: UTC }'),
}
const oddPolicies = policyOf(
  fc
    .record({ ...oddWords, unless: maybe(oddCondition), answer: maybe(keys) })
    .map((words) => text('can', 'devices:list', words)),
  fc
    .record({ ...oddWords, hide: maybe(keys) })
    .map((words) => text('cannot', 'devices:list', words)),
)

describe('for any policy and values of any kind, a judge of many', () => {
  it('answers each as one that has seen no other', () => {
    const tally: Record<string, number> = {}
    const ones = fc.array(fc.tuple(oddItem, fc.constantFrom(0, 0, 0, 60_000)), {
      minLength: 20,
      maxLength: 40,
    })
    fc.assert(
      fc.property(oddPolicies, ones, (policy, items) => {
        const gate = gateFor(policy)
        const judge = gate.items('devices:list')
        for (const [one, later] of items) {
          const fresh = gate.items('devices:list').judge(one, NOON + later)
          expect(judge.judge(one, NOON + later)).toEqual(fresh)
          tally[fresh.outcome] = (tally[fresh.outcome] ?? 0) + 1
        }
      }),
      { numRuns: 200 },
    )
    for (const outcome of ['allow', 'deny', 'needs_facts']) {
      expect(tally[outcome]).toBeGreaterThan(10)
    }
  })
})

describe('the generators', () => {
  it('make items that pass, items that do not, and items that wait for facts', () => {
    const tally = (action: string, policies: fc.Arbitrary<Policy>, ones: fc.Arbitrary<Item>) => {
      const counts: Record<string, number> = {}
      for (const [policy, one] of fc.sample(fc.tuple(policies, ones), { numRuns: 200, seed: 7 })) {
        const verdict = verdictOf(gateFor(policy), action, one)
        const outcome = typeof verdict === 'object' ? 'allow' : verdict
        counts[outcome] = (counts[outcome] ?? 0) + 1
      }
      return counts
    }
    for (const outcome of ['allow', 'deny']) {
      expect(tally('devices:list', lists, item)[outcome]).toBeGreaterThan(20)
      expect(tally('events:get', streams, event)[outcome]).toBeGreaterThan(20)
    }
    const blind = item.map((one) => ({ ...one, facts: undefined }))
    expect(tally('devices:list', lists, blind)['needs_facts']).toBeGreaterThan(5)
  })
})
