import { describe, expect, it } from 'vitest'
import { gateOf, MINE, myDevice, myProduct, userWith } from '../../kit/policies.ts'

const list = (rules: string, more?: string) =>
  gateOf(userWith(rules, more)).ask('devices:list', { resource: myProduct, facts: null })
const stream = (rules: string, more?: string) =>
  gateOf(userWith(rules, more)).ask('events:get', { resource: myProduct, facts: null })
const all = 'sources: [device, cloud, api]'

describe('lists', () => {
  it('are admitted whole, or not at all until items can be cut', () => {
    expect(list('- can: devices:list')).toBe('allow')
    expect(list('- can: devices:list', `devices: [${MINE}]`)).toBe('cannot_filter_yet')
    expect(list('- can: devices:list', 'devices: { online: true }')).toBe('cannot_filter_yet')
    expect(list('- can: devices:list\n  where: { online: true }')).toBe('cannot_filter_yet')
    expect(list('- can: devices:list\n  unless: { online: true }')).toBe('cannot_filter_yet')
    expect(list('- can: devices:list\n- cannot: devices:list\n  where: { online: true }')).toBe(
      'cannot_filter_yet',
    )
  })

  it('are denied like anything else where no item could pass', () => {
    expect(list('- can: devices:get')).toBe('not_granted')
    expect(list('- can: devices:list\n- cannot: devices:list')).toBe('forbidden')
  })

  it('of a narrower can are admitted by a wider one beside it', () => {
    expect(list('- can: devices:list\n- can: devices:list\n  where: { online: true }')).toBe(
      'allow',
    )
  })

  it('about nothing of the fleet wait for the cut to the boundary', () => {
    const gate = gateOf(userWith('- can: [devices:list, products:get]'))
    expect(gate.ask('devices:list', { resource: { type: 'none' } })).toBe('cannot_filter_yet')
    expect(gate.ask('products:get', { resource: { type: 'none' } })).toBe('allow')
  })

  it('hide in every item what is hidden in some', () => {
    const gate = gateOf(
      userWith(
        '- can: devices:list\n- can: devices:list\n  where: { online: true }\n  hide: [last_ip_address]',
      ),
    )
    expect(gate.full('devices:list', { resource: myProduct })).toMatchObject({
      obligations: { hide: new Set(['last_ip_address']) },
    })
  })
})

describe('streams', () => {
  it('need all sources and no names, which scopes have and rules must say', () => {
    expect(stream(`- can: events:get\n  ${all}`)).toBe('allow')
    expect(stream('', 'devices: all\nscopes: [events:get]')).toBe('allow')
    expect(stream('- can: events:get')).toBe('cannot_filter_yet')
    expect(stream('- can: events:get\n  sources: [device]')).toBe('cannot_filter_yet')
    expect(stream(`- can: events:get\n  ${all}\n  events: [temp*]`)).toBe('cannot_filter_yet')
    expect(stream(`- can: events:get\n  ${all}\n- cannot: events:get\n  events: [x]`)).toBe(
      'cannot_filter_yet',
    )
    expect(stream(`- can: events:get\n  ${all}`, `devices: [${MINE}]`)).toBe('cannot_filter_yet')
  })

  it('of one device outside the limit are outside_devices', () => {
    const gate = gateOf(
      userWith(`- can: events:get\n  ${all}`, 'devices: [bbbbbbbbbbbbbbbbbbbbbbbb]'),
    )
    expect(gate.ask('events:get', { resource: myDevice })).toBe('outside_devices')
  })
})

describe('a device that only the cloud can name', () => {
  it('is out of reach of device limits and conditions', () => {
    const ask = (rules: string, more?: string) =>
      gateOf(userWith(rules, more)).ask('ledger.instances:set', {
        resource: myProduct,
        relation: true,
        facts: null,
        fields: { ledgers: ['a'] },
      })
    expect(ask('- can: ledger.instances:set')).toBe('allow')
    expect(ask('- can: ledger.instances:set\n  ledgers: [a]')).toBe('allow')
    expect(ask('- can: ledger.instances:set\n  ledgers: [b]')).toBe('not_granted')
    expect(ask('- can: ledger.instances:set', `devices: [${MINE}]`)).toBe('cannot_filter_yet')
  })
})
