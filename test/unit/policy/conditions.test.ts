import { describe, expect, it } from 'vitest'
import {
  gateOf,
  MINE,
  mistakesIn,
  myDevice,
  OTHER,
  otherDevice,
  userWith,
} from '../../kit/policies.ts'

/** What a `can`, a `cannot` and an `unless` make of one condition under these facts. */
function readings(condition: string, facts: Readonly<Record<string, unknown>>) {
  const can = gateOf(userWith(`- can: devices:get\n  where: ${condition}`))
  const cannot = gateOf(
    userWith(`- can: devices:get\n- cannot: devices:get\n  where: ${condition}`),
  )
  const unless = gateOf(userWith(`- can: devices:get\n  unless: ${condition}`))
  return [can, cannot, unless].map((gate) => gate.ask('devices:get', { facts }))
}

const IS_TRUE = ['allow', 'forbidden', 'not_granted']
const IS_FALSE = ['not_granted', 'allow', 'allow']
const IS_UNKNOWN = ['not_granted', 'forbidden', 'not_granted']

describe('conditions', () => {
  it.each([
    ['{ region: eu }', { region: 'eu' }, IS_TRUE],
    ['{ region: eu }', { region: 'EU' }, IS_FALSE],
    ['{ region: eu }', {}, IS_UNKNOWN],
    ['{ region: eu }', { region: null }, IS_UNKNOWN],
    ['{ region: eu }', { region: ['eu'] }, IS_UNKNOWN],
    ['{ region: { $ne: eu } }', { region: 'us' }, IS_TRUE],
    ['{ region: { $ne: eu } }', {}, IS_UNKNOWN],
    ['{ region: { $in: [eu, us] } }', { region: 'us' }, IS_TRUE],
    ['{ region: { $nin: [eu, us] } }', { region: 'us' }, IS_FALSE],
    ['{ region: { $nin: [eu, us] } }', { region: undefined }, IS_UNKNOWN],
    ['{ firmware_version: { $lt: 3 } }', { firmware_version: 2 }, IS_TRUE],
    ['{ firmware_version: { $lt: 3 } }', { firmware_version: null }, IS_UNKNOWN],
    ['{ firmware_version: { $lt: 3 } }', { firmware_version: '2' }, IS_UNKNOWN],
    ['{ firmware_version: { $lt: 3 } }', { firmware_version: Number.NaN }, IS_UNKNOWN],
    ['{ firmware_version: { $gte: 3, $lte: 4 } }', { firmware_version: 5 }, IS_FALSE],
    ['{ firmware_version: { $gt: 3 } }', { firmware_version: 3 }, IS_FALSE],
    ['{ online: true }', { online: true }, IS_TRUE],
    ['{ online: true }', { online: 'true' }, IS_UNKNOWN],
    ['{ online: { $exists: true } }', {}, IS_FALSE],
    ['{ online: { $exists: false } }', { online: null }, IS_TRUE],
    ['{ online: { $exists: true } }', { online: false }, IS_TRUE],
    ['{ groups: { $any: [a, b] } }', { groups: ['b', 'c'] }, IS_TRUE],
    ['{ groups: { $any: [a, b] } }', { groups: [] }, IS_FALSE],
    ['{ groups: { $any: [a] } }', { groups: 'a' }, IS_UNKNOWN],
    ['{ groups: { $any: [a] } }', { groups: ['a', 1] }, IS_UNKNOWN],
    ['{ groups: { $all: [a, b] } }', { groups: ['a', 'b', 'c'] }, IS_TRUE],
    ['{ groups: { $all: [a, b] } }', { groups: ['a'] }, IS_FALSE],
    ['{ groups: { $only: [a, b] } }', { groups: ['a'] }, IS_TRUE],
    ['{ groups: { $only: [a, b] } }', { groups: ['a', 'c'] }, IS_FALSE],
    ['{ groups: { $only: [a, b] } }', { groups: [] }, IS_UNKNOWN],
    ['{ last_heard: { $lt: 2026-01-01 } }', { last_heard: '2025-12-31T23:59:59Z' }, IS_TRUE],
    ['{ last_heard: { $lt: 2026-01-01 } }', { last_heard: '2026-01-01T00:00:00Z' }, IS_FALSE],
    ['{ last_heard: { $lt: 2026-01-01 } }', { last_heard: 'yesterday' }, IS_UNKNOWN],
    ['{ $not: { region: eu } }', { region: 'us' }, IS_TRUE],
    ['{ $not: { region: eu } }', {}, IS_UNKNOWN],
    ['{ $and: [{ region: eu }, { online: true }] }', { region: 'us' }, IS_FALSE],
    ['{ $and: [{ region: eu }, { online: true }] }', { region: 'eu' }, IS_UNKNOWN],
    ['{ $or: [{ region: eu }, { online: true }] }', { region: 'eu' }, IS_TRUE],
    ['{ $or: [{ region: eu }, { online: true }] }', { region: 'us' }, IS_UNKNOWN],
    ['{ region: eu, online: true }', { region: 'eu', online: true }, IS_TRUE],
    ['{ region: eu, online: true }', { region: 'eu', online: false }, IS_FALSE],
  ])('%s on %j', (condition, facts, want) => {
    expect(readings(condition, facts)).toEqual(want)
  })

  it('see no value that an object only inherits', () => {
    const gate = gateOf(userWith('- can: devices:get\n  where: { region: { $exists: true } }'))
    expect(gate.ask('devices:get', { facts: Object.create({ region: 'eu' }) })).toBe('not_granted')
    expect(gate.ask('devices:get', { facts: { region: 'eu' } })).toBe('allow')
  })

  it('read the id of the resource itself, folded, without asking the cloud', () => {
    const gate = gateOf(
      userWith(`- can: devices:get\n  where: { id: { $in: [${OTHER.toUpperCase()}] } }`),
    )
    expect(gate.ask('devices:get', { resource: otherDevice, facts: null })).toBe('allow')
    expect(gate.ask('devices:get', { resource: myDevice, facts: null })).toBe('not_granted')
  })
})

describe('an id in a rule about several kinds of resource', () => {
  const rules = (id: string) =>
    `- can: [devices:get, products:get]\n- cannot: [devices:get, products:get]\n  where: { id: ${id} }`

  it('is folded like any other, so that no spelling makes a cannot miss', () => {
    for (const id of [MINE, MINE.toUpperCase()]) {
      expect(gateOf(userWith(rules(id))).ask('devices:get')).toBe('forbidden')
    }
    expect(gateOf(userWith(rules(OTHER))).ask('devices:get')).toBe('allow')
  })

  it('must be an id of one of them', () => {
    expect(mistakesIn(userWith(rules('lobby')))).toEqual([
      expect.stringContaining('"lobby" is no id of this resource'),
    ])
  })
})

describe('with', () => {
  const gate = gateOf(
    userWith('- can: devices.function:call\n  with: { argument: { $gte: 16, $lte: 24 } }'),
  )
  const ask = (argument: unknown) =>
    gate.ask('devices.function:call', { values: { argument: argument as string } })

  it.each(['16', '20.5', '24', 20])('reads %j as a number in the range', (argument) => {
    expect(ask(argument)).toBe('allow')
  })

  it.each([
    '24.5',
    '-20',
    '0x14',
    '2e1',
    '020',
    ' 20',
    '20 ',
    '+20',
    '',
    '٢٠',
    null,
    true,
    ['20'],
    Infinity,
  ])('denies %j', (argument) => {
    expect(ask(argument)).toBe('not_granted')
  })

  it('denies where the value is absent', () => {
    expect(gate.ask('devices.function:call')).toBe('not_granted')
  })

  it('compares texts to the letter', () => {
    const text = gateOf(
      userWith('- can: devices.function:call\n  with: { argument: { $in: [on, off] } }'),
    )
    expect(text.ask('devices.function:call', { values: { argument: 'on' } })).toBe('allow')
    expect(text.ask('devices.function:call', { values: { argument: 'ON' } })).toBe('not_granted')
  })
})

describe('templates', () => {
  const rules = '- can: devices:get\n  where: { groups: { $any: $user.sites } }'
  it('stand for a whole value of the API user', () => {
    const gate = gateOf(userWith(rules, 'devices: all\nattributes: { sites: [site-1, site-2] }'))
    expect(gate.ask('devices:get', { facts: { groups: ['site-2'] } })).toBe('allow')
    expect(gate.ask('devices:get', { facts: { groups: ['site-3'] } })).toBe('not_granted')
  })
})
