import { describe, expect, it } from 'vitest'
import type { Item } from '../../../src/policy/policy-engine.ts'
import {
  ACME,
  aFleetCatalog,
  gateOf,
  MINE,
  mustLoad,
  myDevice,
  myProduct,
  NOON,
  OTHER,
  otherDevice,
  userWith,
  type AnItem,
} from '../../kit/policies.ts'

const all = 'sources: [device, cloud, api]'
const gateWith = (rules: string, more?: string) => gateOf(userWith(rules, more), aFleetCatalog())
const listed = (rules: string, item: AnItem = {}, more?: string) =>
  gateWith(rules, more).item('devices:list', item)
const heard = (rules: string, event: Item['event'], item: AnItem = {}, more?: string) =>
  gateWith(rules, more).item('events:get', { ...item, ...(event && { event }) })

describe('an item of a list', () => {
  it('F01 passes inside boundary and devices, and nowhere else', () => {
    const can = '- can: devices:list'
    expect(listed(can)).toBe('allow')
    expect(listed(can, { resource: { ...myDevice, product: '67890' } })).toBe('deny')
    expect(listed(can, { resource: { type: 'device', device: MINE } })).toBe('deny')
    expect(listed(can, {}, `devices: [${MINE}]`)).toBe('allow')
    expect(listed(can, { resource: otherDevice }, `devices: [${MINE}]`)).toBe('deny')
    expect(listed('- can: devices:get')).toBe('deny')
    expect(listed(can, { resource: { type: 'none' } })).toBe('deny')
  })

  it('knows an id that a file writes in capitals, in devices and in conditions', () => {
    expect(listed('- can: devices:list', {}, `devices: [${MINE.toUpperCase()}]`)).toBe('allow')
    const cannot = `- can: devices:list\n- cannot: devices:list\n  where: { id: ${MINE.toUpperCase()} }`
    expect(listed(cannot)).toBe('deny')
    expect(listed(cannot, { resource: otherDevice })).toBe('allow')
  })

  it('reads its id from the resource, never from the facts', () => {
    const where = `- can: devices:list\n  where: { id: ${MINE} }`
    expect(listed(where, { facts: { id: OTHER } })).toBe('allow')
    expect(listed(where, { resource: otherDevice, facts: { id: MINE } })).toBe('deny')
  })

  it('C05 is denied by any cannot, whatever else grants it', () => {
    const cannot = '- cannot: devices:list\n  where: { online: false }\n- can: devices:list'
    expect(listed(cannot, { facts: { online: true } })).toBe('allow')
    expect(listed(cannot, { facts: { online: false } })).toBe('deny')
  })

  it('C08 with an absent, null or mistyped attribute is read against the caller', () => {
    const quarantine =
      '- can: devices:list\n- cannot: devices:list\n  where: { groups: { $any: [quarantine] } }'
    const other = '- can: devices:list\n  where: { region: { $ne: us } }'
    const unless = '- can: devices:list\n  unless: { region: us }'
    for (const facts of [{}, { groups: null, region: null }, { groups: 'x', region: 7 }]) {
      expect(listed(quarantine, { facts })).toBe('deny')
      expect(listed(other, { facts })).toBe('deny')
      expect(listed(unless, { facts })).toBe('deny')
    }
    const known = { groups: ['a'], region: 'eu' }
    expect(listed(quarantine, { facts: known })).toBe('allow')
    expect(listed(other, { facts: known })).toBe('allow')
    expect(listed(unless, { facts: known })).toBe('allow')
  })

  it('C09 is matched by a list of texts as its operator says, and by no other list', () => {
    const any = '- can: devices:list\n  where: { groups: { $any: [a] } }'
    const only = '- can: devices:list\n  where: { groups: { $only: [a, b] } }'
    expect(listed(any, { facts: { groups: ['b', 'a'] } })).toBe('allow')
    expect(listed(any, { facts: { groups: ['b'] } })).toBe('deny')
    expect(listed(any, { facts: { groups: ['a', 7] } })).toBe('deny')
    expect(listed(only, { facts: { groups: ['a'] } })).toBe('allow')
    expect(listed(only, { facts: { groups: ['a', 'c'] } })).toBe('deny')
    expect(listed(only, { facts: { groups: [] } })).toBe('deny')
    const equal = '- can: devices:list\n  where: { region: eu }'
    expect(listed(equal, { facts: { region: ['eu'] } })).toBe('deny')
  })

  it('needs its facts only where they decide', () => {
    const online = '- can: devices:list\n  where: { online: true }'
    expect(listed(online, { facts: null })).toBe('needs_facts')
    expect(listed('- can: devices:list', { facts: null })).toBe('allow')
    expect(listed('- can: devices:list', { facts: null }, 'devices: { online: true }')).toBe(
      'needs_facts',
    )
    expect(listed(online, { facts: null, resource: otherDevice }, `devices: [${MINE}]`)).toBe(
      'deny',
    )
    expect(listed(`${online}\n- cannot: devices:list`, { facts: null })).toBe('deny')
    expect(listed(`${online}\n- can: devices:list`, { facts: null })).toBe('allow')
    expect(listed(`${online}\n  hide: [id]\n- can: devices:list`, { facts: null })).toBe(
      'needs_facts',
    )
  })

  it('shows the keys of the rules that hold for it', () => {
    const judge = gateWith(
      '- can: devices:list\n  answer: [id]\n- can: devices:list\n  where: { online: true }\n  answer: [name]\n- cannot: devices:list\n  where: { region: { $ne: eu } }\n  hide: [id]',
    ).items('devices:list')
    const shown = (facts: object) => {
      const verdict = judge.judge({ resource: myDevice, facts: { ...facts } }, NOON)
      return verdict.outcome === 'allow' ? verdict.obligations : verdict.outcome
    }
    expect(shown({ online: true, region: 'eu' })).toEqual({
      answer: new Set(['id', 'name']),
      hide: new Set(),
      reveal: new Set(),
    })
    expect(shown({ online: false, region: 'us' })).toEqual({
      answer: new Set(),
      hide: new Set(['id']),
      reveal: new Set(),
    })
    expect(shown({ online: true, region: 'eu' })).toBe(shown({ online: true, region: 'eu' }))
  })

  it('of a product reads that product, and stays inside the boundary', () => {
    const item = (rules: string, product: string, facts = {}) =>
      gateWith(rules, `devices: [${MINE}]`).item('products:list', {
        resource: { ...myProduct, product },
        facts,
      })
    const gold = '- can: products:list\n  where: { tier: gold }'
    expect(item('- can: products:list', '12345')).toBe('allow')
    expect(item('- can: products:list', '67890')).toBe('deny')
    expect(item(gold, '12345', { tier: 'gold' })).toBe('allow')
    expect(item(gold, '12345', { tier: 'tin' })).toBe('deny')
    const organization = { type: 'organization', organization: ACME } as const
    expect(gateWith('- can: products:list').item('products:list', { resource: organization })).toBe(
      'deny',
    )
  })

  it('that is of no device is for whoever reaches all of them', () => {
    const instance = (rules: string, more?: string) =>
      gateWith(rules, more).item('instances:list', {
        resource: myProduct,
        facts: { online: true },
        fields: { ledgers: ['a'] },
      })
    expect(instance('- can: instances:list')).toBe('allow')
    expect(instance('- can: instances:list', `devices: [${MINE}]`)).toBe('deny')
    expect(instance('- can: instances:list', 'devices: { online: true }')).toBe('deny')
    expect(instance('- can: instances:list\n  where: { online: true }')).toBe('deny')
    expect(instance('- can: instances:list\n  ledgers: [a]')).toBe('allow')
    expect(instance('- can: instances:list\n  ledgers: [b]')).toBe('deny')
  })
})

describe('an event of a stream', () => {
  const temp = (source: 'device' | 'cloud' | 'api') => ({ name: 'temp', source })
  const ofCloud = { resource: myProduct }

  it('passes by its source: a can means what devices send, a cannot means all', () => {
    expect(heard('- can: events:get', temp('device'))).toBe('allow')
    expect(heard('- can: events:get', temp('cloud'), ofCloud)).toBe('deny')
    expect(heard('- can: events:get\n  sources: [cloud]', temp('cloud'), ofCloud)).toBe('allow')
    expect(heard('- can: events:get\n  sources: [cloud]', temp('api'), ofCloud)).toBe('deny')
    expect(heard('- can: events:get\n  sources: [cloud]', temp('device'))).toBe('deny')
    const cannot = `- can: events:get\n  ${all}\n- cannot: events:get`
    expect(heard(`${cannot}\n  sources: [api]`, temp('api'), ofCloud)).toBe('deny')
    expect(heard(`${cannot}\n  sources: [api]`, temp('cloud'), ofCloud)).toBe('allow')
    expect(heard(`${cannot}\n  events: [temp]`, temp('cloud'), ofCloud)).toBe('deny')
  })

  it('passes by its own name, not by what the client asked for', () => {
    const rules = '- can: events:get\n  events: [temp*, door]'
    const named = (name: string) =>
      heard(rules, { name, source: 'device' }, { fields: { events: ['x*'] } })
    expect(named('temp')).toBe('allow')
    expect(named('temp/inside')).toBe('allow')
    expect(named('door')).toBe('allow')
    expect(named('door/front')).toBe('deny')
    expect(named('Temp')).toBe('deny')
    const cannot = `- can: events:get\n  ${all}\n- cannot: events:get\n  events: [door*]`
    expect(heard(cannot, { name: 'DOOR/front', source: 'device' })).toBe('deny')
    expect(heard(cannot, { name: 'temp', source: 'device' })).toBe('allow')
  })

  it('of the cloud or the API is heard by a limited API user only by a rule of that source', () => {
    const limited = `devices: [${MINE}]`
    expect(heard('- can: events:get', temp('api'), ofCloud, limited)).toBe('deny')
    expect(heard(`- can: events:get\n  ${all}`, temp('api'), ofCloud, limited)).toBe('allow')
    expect(heard(`- can: events:get\n  ${all}`, temp('device'), {}, limited)).toBe('allow')
    const other = { resource: otherDevice }
    expect(heard(`- can: events:get\n  ${all}`, temp('device'), other, limited)).toBe('deny')
    const foreign = { resource: { ...myProduct, product: '67890' } }
    expect(heard(`- can: events:get\n  ${all}`, temp('api'), foreign, limited)).toBe('deny')
  })

  it('of no device leaves every condition on a device unknown, absence too', () => {
    const where = (condition: string) => `- can: events:get\n  ${all}\n  where: ${condition}`
    for (const condition of [
      '{ online: true }',
      '{ region: { $exists: false } }',
      '{ $not: { region: { $exists: true } } }',
      `{ id: { $ne: ${OTHER} } }`,
    ]) {
      expect(heard(where(condition), temp('cloud'), { ...ofCloud, facts: { online: true } })).toBe(
        'deny',
      )
    }
    const cannot = `- can: events:get\n  ${all}\n- cannot: events:get\n  where: { region: { $exists: true } }`
    expect(heard(cannot, temp('cloud'), ofCloud)).toBe('deny')
    expect(heard(cannot, temp('device'), { facts: {} })).toBe('allow')
  })

  it('said to be of a device that is not known is for whoever reaches all of them', () => {
    expect(heard('- can: events:get', temp('device'), ofCloud)).toBe('allow')
    expect(heard('- can: events:get', temp('device'), ofCloud, `devices: [${MINE}]`)).toBe('deny')
  })

  it('that is not told apart passes only under rules that tell none apart', () => {
    expect(heard(`- can: events:get\n  ${all}`, undefined)).toBe('allow')
    expect(heard('- can: events:get', undefined)).toBe('deny')
    expect(heard(`- can: events:get\n  ${all}\n  events: [temp]`, undefined)).toBe('deny')
    const cannot = `- can: events:get\n  ${all}\n- cannot: events:get\n  `
    expect(heard(`${cannot}events: [temp]`, undefined)).toBe('deny')
    expect(heard(`${cannot}sources: [api]`, undefined)).toBe('deny')
  })
})

describe('a judge', () => {
  it('takes nothing of one event over to the next', () => {
    const judge = gateWith('- can: events:get\n  events: [temp]').items('events:get')
    const outcome = (event: Item['event']) =>
      judge.judge({ resource: myDevice, facts: {}, ...(event && { event }) }, NOON).outcome
    expect(outcome({ name: 'temp', source: 'device' })).toBe('allow')
    expect(outcome({ name: 'door', source: 'device' })).toBe('deny')
    expect(outcome({ name: 'temp', source: 'device' })).toBe('allow')
    expect(outcome({ name: 'temp', source: 'api' })).toBe('deny')

    const cannot = `- can: events:get\n  ${all}\n- cannot: events:get\n  events: [door]`
    const other = gateWith(cannot).items('events:get')
    const named = { resource: myDevice, facts: {} }
    const temp: Item = { ...named, event: { name: 'temp', source: 'device' } }
    expect(other.judge(temp, NOON).outcome).toBe('allow')
    expect(other.judge(named, NOON).outcome).toBe('deny')
  })

  it('takes nothing of one item over to another that differs in what a rule reads', () => {
    const judge = gateWith(
      '- can: devices:list\n  where: { firmware_version: 2, region: { $ne: us } }\n  unless: { groups: { $any: [held] } }\n- cannot: devices:list\n  where: { online: { $exists: false } }',
    ).items('devices:list')
    const outcome = (facts: object, resource = myDevice) =>
      judge.judge({ resource, facts: { ...good, ...facts } }, NOON).outcome
    const good = { firmware_version: 2, region: 'eu', groups: ['a'], online: false }
    for (let round = 0; round < 2; round += 1) {
      expect(outcome({})).toBe('allow')
      expect(outcome({ firmware_version: '2' })).toBe('deny')
      expect(outcome({ region: 'us' })).toBe('deny')
      expect(outcome({ region: null })).toBe('deny')
      expect(outcome({ groups: ['a', 'held'] })).toBe('deny')
      expect(outcome({ groups: [['a']] })).toBe('deny')
      expect(outcome({ groups: 'a' })).toBe('deny')
      expect(outcome({ online: undefined })).toBe('deny')
      expect(outcome({ online: 'no' })).toBe('allow')
      expect(outcome({}, { ...myDevice, product: '67890' })).toBe('deny')
      expect(outcome({}, otherDevice)).toBe('allow')
    }
  })

  it('knows devices of equal facts apart where a rule or the devices name ids', () => {
    const facts = { online: true }
    const both = (rules: string, more?: string) => {
      const { judge } = gateWith(rules, more).items('devices:list')
      return [myDevice, otherDevice, myDevice].map(
        (resource) => judge({ resource, facts }, NOON).outcome,
      )
    }
    const online = '- can: devices:list\n  where: { online: true'
    const mine = ['allow', 'deny', 'allow']
    expect(both(`${online}, id: ${MINE} }`)).toEqual(mine)
    expect(both(`${online} }`, `devices: [${MINE}]`)).toEqual(mine)
    expect(both(`${online} }\n- cannot: devices:list\n  where: { id: ${OTHER} }`)).toEqual(mine)
    expect(both(`${online} }`, `devices: { id: ${MINE} }`)).toEqual(mine)
    expect(both(`${online} }`)).toEqual(['allow', 'allow', 'allow'])
  })

  it('says of equal values the one verdict that it has made of them', () => {
    const judge = gateWith('- can: devices:list\n  where: { online: true }\n  answer: [id]').items(
      'devices:list',
    )
    const verdict = (resource: Item['resource'], online: unknown) =>
      judge.judge({ resource, facts: { online, name: Math.random() } }, NOON)
    const first = verdict(myDevice, true)
    expect(first.outcome).toBe('allow')
    expect(verdict(otherDevice, false).outcome).toBe('deny')
    expect(verdict(otherDevice, true)).toBe(first)
  })

  it('goes by the hour of each item, and says that it does', () => {
    const judge = gateWith(
      '- can: devices:list\n  when: { hours: 08:00-18:00, days: mon-fri, zone: Europe/Berlin }',
    ).items('devices:list')
    const at = (iso: string) =>
      judge.judge({ resource: myDevice, facts: {} }, Date.parse(iso)).outcome
    expect(judge.timed).toBe(true)
    expect(at('2026-11-23T16:59:59Z')).toBe('allow')
    expect(at('2026-11-23T17:00:00Z')).toBe('deny')
    expect(at('2026-11-23T07:00:00Z')).toBe('allow')
    expect(at('2026-11-28T12:00:00Z')).toBe('deny')
    expect(at('2026-11-23T07:00:00Z')).toBe('allow')
    const cannot = '- can: devices:list\n- cannot: devices:list\n  hide: [id]\n  when: '
    expect(gateWith(`${cannot}{ days: sun, zone: UTC }`).items('devices:list').timed).toBe(true)
    expect(gateWith('- can: devices:list').items('devices:list').timed).toBe(false)
  })

  it('lets pass what today and the issued grant both let pass, and shows what both show', () => {
    const issued = mustLoad(
      userWith('- can: devices:list\n  answer: [id, name]', `devices: [${MINE}, ${OTHER}]`),
    ).set.users.get('u')
    if (issued === undefined) throw new Error('no user')
    const gate = gateWith(
      '- can: devices:list\n  answer: [name, online]',
      'devices: { online: true }',
    )
    const third = { ...myDevice, device: 'c'.repeat(24) }
    const item = (more: AnItem) => gate.item('devices:list', { issued, ...more })
    expect(item({ facts: { online: true } })).toBe('allow')
    expect(item({ facts: { online: false } })).toBe('deny')
    expect(item({ facts: { online: true }, resource: third })).toBe('deny')
    expect(item({ facts: null })).toBe('needs_facts')
    expect(item({ facts: null, resource: third })).toBe('deny')
    const today = gate.set.users.get('u')
    const other = gateWith('- can: devices:list')
    expect(other.item('devices:list', { facts: null })).toBe('allow')
    expect(other.item('devices:list', { facts: null, ...(today && { issued: today }) })).toBe(
      'needs_facts',
    )
    expect(gate.item('devices:list', { facts: { online: true }, resource: third })).toBe('allow')
    const judge = gate.items('devices:list', { issued })
    expect(judge.judge({ resource: myDevice, facts: { online: true } }, NOON)).toEqual({
      outcome: 'allow',
      obligations: { answer: new Set(['name']), hide: new Set(), reveal: new Set() },
    })
  })

  it('lets nothing pass for an API user that today has no place in the set', () => {
    const gate = gateWith('- can: devices:list')
    const issued = gate.set.users.get('u')
    gate.use(mustLoad(userWith('- can: devices:list').replace('  u:', '  v:')).set)
    if (issued === undefined) throw new Error('no user')
    expect(gate.item('devices:list', { issued })).toBe('deny')
    expect(gate.item('devices:list', { issued, user: 'v' })).toBe('allow')
  })

  it('has the key of another only where both answer alike', () => {
    const gate = gateWith('- can: [devices:list, instances:list, events:get]')
    const other = mustLoad(userWith('- can: devices:list')).set.users.get('u')
    if (other === undefined) throw new Error('no user')
    const { key } = gate.items('devices:list')
    expect(gate.items('devices:list').key).toBe(key)
    expect(gate.items('devices:list', { values: { page: 2 } }).key).toBe(key)
    expect(gate.items('devices:list', { issued: other }).key).not.toBe(key)
    expect(gate.items('events:get').key).not.toBe(key)
    const events = (name: string) => gate.items('events:get', { fields: { events: [name] } }).key
    expect(events('temp*')).toBe(events('door*'))
    const ledger = (name: string) =>
      gate.items('instances:list', { fields: { ledgers: [name] } }).key
    expect(ledger('a')).not.toBe(ledger('b'))
  })
})
