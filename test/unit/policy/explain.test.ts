import { describe, expect, it } from 'vitest'
import type { AccessRequest } from '../../../src/domain/access-request.ts'
import type { Decision } from '../../../src/domain/decision.ts'
import { explain } from '../../../src/policy/explain.ts'
import { runPolicyTests } from '../../../src/policy/run-tests.ts'
import { aCatalog } from '../../kit/a-catalog.ts'
import {
  mistakesIn,
  mustLoad,
  myProduct,
  myDevice,
  NOON,
  otherDevice,
  principalOf,
  userWith,
  MINE,
} from '../../kit/policies.ts'

function missing(
  rules: string,
  action: string,
  more: { functions?: string[]; facts?: object; issued?: string; other?: true } = {},
) {
  const { set } = mustLoad(userWith(rules, `devices: [${MINE}]`))
  const before =
    more.issued === undefined ? set : mustLoad(userWith(more.issued, `devices: [${MINE}]`)).set
  return explain({
    catalog: aCatalog(),
    set,
    principal: principalOf('u', before.users.get('u')),
    requests: [
      {
        action,
        resource: more.other ? otherDevice : myDevice,
        fields: { functions: more.functions ?? [] },
        values: {},
      },
    ],
    facts: () => ({ ...more.facts }),
    context: { requestId: 'r', atMs: NOON, address: '' },
  }).missing
}

function told(
  today: string,
  {
    issued = today,
    address = '',
    wait,
  }: { issued?: string; address?: string; wait?: () => number },
) {
  const user = mustLoad(userWith('- can: devices:get', issued)).set.users.get('u')
  return explain({
    catalog: aCatalog(),
    set: mustLoad(userWith('- can: devices:get', today)).set,
    principal: principalOf('u', user),
    requests: [{ action: 'devices:get', resource: myDevice, fields: {}, values: {} }],
    facts: () => ({}),
    context: { requestId: 'r', atMs: NOON, address, ...(wait && { wait }) },
  }).missing
}

describe('explain', () => {
  const call =
    '- can: devices.function:call\n  functions: [reboot]\n  where: { online: true }\n  unless: { region: us }'

  it('says nothing of an allow', () => {
    expect(missing('- can: devices:get', 'devices:get')).toEqual([])
  })

  it('names the addresses from which it may call, and whose they are', () => {
    const from = (text: string) => `devices: all\nfrom: ${text}`
    expect(told(from('10.0.0.0/8'), { address: '11.0.0.1' })).toEqual([
      'an address from which it may call: 10.0.0.0/8',
    ])
    const widened = { issued: from('10.0.0.0/8'), address: '11.0.0.1' }
    expect(told(from('[10.0.0.0/8, 11.0.0.0/8]'), widened)).toEqual([
      'an address from which it may call: 10.0.0.0/8 (as its token was issued)',
    ])
    expect(told(from('10.0.0.0/8'), { address: '10.0.0.1' })).toEqual([])
  })

  it('names the limit or the rate that is used up, and for how long', () => {
    const wait = () => 61_500
    expect(told('devices: all\nrate: { calls: 5, per: 1m }', { wait })).toEqual([
      'another moment, in 62 s: the rate of the API user is used up',
    ])
    const limited = mustLoad(userWith('- can: devices:get\n  limit: { calls: 5, per: 1m }')).set
    const asked = {
      catalog: aCatalog(),
      set: limited,
      principal: principalOf('u', limited.users.get('u')),
      requests: [{ action: 'devices:get', resource: myDevice, fields: {}, values: {} }],
      facts: () => ({}),
    }
    const context = { requestId: 'r', atMs: NOON, address: '' }
    expect(explain({ ...asked, context: { ...context, wait } }).missing).toEqual([
      'another moment, in 62 s: the limit of policies/all.yaml:8 is used up',
    ])
    expect(explain({ ...asked, context }).missing).toEqual([])
  })

  it('names the rule, its place and the first check that failed', () => {
    const at = 'policies/all.yaml:8 can devices.function:call:'
    const ask = (functions: string[], facts: object) =>
      missing(call, 'devices.function:call', { functions, facts })
    expect(ask(['unlock'], {})).toEqual([`${at} names functions reboot, not unlock`])
    expect(ask([], {})).toEqual([`${at} names only functions reboot, and the request shows none`])
    expect(ask(['reboot'], { online: false, region: 'eu' })).toEqual([
      `${at} its where or with is not true`,
    ])
    expect(ask(['reboot'], { online: true, region: 'us' })).toEqual([
      `${at} its unless takes it away`,
    ])
    expect(ask(['reboot'], { online: true, region: 'eu' })).toEqual([])
  })

  it('says what else would be needed', () => {
    expect(missing('- can: devices:get', 'devices:ping')).toEqual([
      'a rule that names the action: can: devices:ping',
    ])
    expect(missing('- can: devices:get', 'devices:get', { other: true })).toEqual([
      `the device ${otherDevice.device} among the devices of u`,
    ])
    expect(missing('- can: devices:get\n- cannot: devices:get', 'devices:get')).toEqual([
      'that policies/all.yaml:9 does not match: cannot devices:get',
    ])
    expect(
      missing('- can: [devices:get, devices:ping]', 'devices:ping', {
        issued: '- can: devices:get',
      })[0],
    ).toMatch(/rotate the token, or extend it/)
  })
})

describe('explain of lists and streams', () => {
  const explained = (rules: string, request: Partial<AccessRequest>, decided?: Decision) => {
    const { set } = mustLoad(userWith(rules, `devices: [${MINE}]`))
    return explain({
      catalog: aCatalog(),
      set,
      principal: principalOf('u', set.users.get('u')),
      requests: [{ action: 'events:get', resource: myProduct, fields: {}, values: {}, ...request }],
      facts: () => ({}),
      context: { requestId: 'r', atMs: NOON, address: '' },
      ...(decided && { decided }),
    })
  }
  const temp = '- can: events:get\n  events: [temp*]'

  it('names the rule that names other events than were asked for', () => {
    expect(explained(temp, { fields: { events: ['te*'] } }).missing).toEqual([])
    expect(explained(temp, { fields: { events: ['door*'] } }).missing).toEqual([
      'policies/all.yaml:8 can events:get: names events temp*, not door*',
    ])
  })

  it('says who may touch what belongs to no device', () => {
    const request = { action: 'devices:ping', relation: 'none' as const }
    expect(explained('- can: devices:ping', request).missing).toEqual([
      'all devices of the product in reach of u: this belongs to none of them',
    ])
  })

  it('says who may do what names no device where that means every one', () => {
    const request = { action: 'devices:ping', relation: 'all' as const }
    expect(explained('- can: devices:ping', request).missing).toEqual([
      'all devices of the product in reach of u: this names none, which means every one',
    ])
  })

  it('says what else the gate would have needed, beyond the engine', () => {
    const denied = (reason: 'hidden_key' | 'cannot_filter'): Decision => ({
      ...{ outcome: 'deny', reason, rule: undefined, tell: undefined, facts: {} },
      failed: { action: 'events:get', resource: '12345' },
    })
    expect(explained(temp, {}, denied('hidden_key'))).toEqual({
      decision: denied('hidden_key'),
      missing: ['a right to see the key that it filters or sorts by'],
    })
    expect(explained(temp, {}, denied('cannot_filter')).missing).toEqual([
      'a right to the whole answer: it has no keys to cut it by',
    ])
  })
})

describe('runPolicyTests', () => {
  const text = `${userWith('- can: devices:get\n  answer: [id]')}tests:
  - { name: reads, user: u, action: devices:get, resource: { product: 12345, device: ${MINE} }, want: allow, answer: [name] }
  - { name: pings, user: u, action: devices:ping, resource: { product: 12345, device: ${MINE} }, want: deny, reason: forbidden }
`
  it('finds each surprise at its line, and allows without a denial beside them', () => {
    const catalog = aCatalog()
    const { set, tests } = mustLoad(text, catalog)
    const { passed, failed, notes } = runPolicyTests(tests, { catalog, set })
    expect(passed).toBe(0)
    expect(failed.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '11 test "reads": wanted answer [name], got [id]',
      '12 test "pings": wanted deny forbidden, got deny not_granted',
    ])
    expect(notes.map(({ message }) => message)).toEqual([
      'test "reads": no denial of u devices:get stands beside this allow',
    ])
  })
})

describe('policy tests of events', () => {
  const wrong = (words: string) =>
    mistakesIn(
      `${userWith('- can: [events:get, devices:get]')}tests:\n  - { name: t, user: u, want: allow, ${words} }\n`,
    ).map((line) => line.replace(/^\d+: /, ''))
  const of = `resource: { product: 12345, device: ${MINE} }`

  it('name the device that sent it, or another source', () => {
    const event = 'action: events:get, fields: { events: temp }'
    expect(wrong(`${event}, ${of}`)).toEqual([])
    expect(wrong(`${event}, resource: { product: 12345 }, source: cloud`)).toEqual([])
    expect(wrong(`${event}, resource: { product: 12345 }`)).toEqual([
      'an event is sent by a device: name it in resource, or say source: cloud or api',
    ])
  })

  it('have a source only where one event is named', () => {
    const says = 'a source is that of one event: name it in fields, as in { events: temperature }'
    expect(wrong(`action: events:get, fields: { events: temp* }, ${of}, source: device`)).toEqual([
      says,
    ])
    expect(wrong(`action: events:get, ${of}, source: device`)).toEqual([says])
    expect(wrong(`action: devices:get, ${of}, source: device`)).toEqual([says])
  })
})
