import { describe, expect, it } from 'vitest'
import { gateOf, myProduct, userWith } from '../../kit/policies.ts'

describe('field words', () => {
  it('ask for each name, and all must pass', () => {
    const gate = gateOf(userWith('- can: devices.variable:get\n  variables: [battery, temp*]'))
    const ask = (...variables: string[]) =>
      gate.ask('devices.variable:get', { fields: { variables } })
    expect(ask('battery')).toBe('allow')
    expect(ask('temperature', 'temp')).toBe('allow')
    expect(ask('battery', 'key')).toBe('not_granted')
    expect(ask('Battery')).toBe('not_granted')
    expect(ask('battery2')).toBe('not_granted')
  })

  it('C06 a request that shows no name needs a can without the word', () => {
    const narrow = gateOf(userWith('- can: devices.function:call\n  functions: [reboot]'))
    expect(narrow.ask('devices.function:call')).toBe('not_granted')
    expect(narrow.ask('devices.function:call', { fields: { functions: [] } })).toBe('not_granted')
    const wide = gateOf(userWith('- can: devices.function:call'))
    expect(wide.ask('devices.function:call')).toBe('allow')
  })

  it('a cannot matches any of the names, without case, and where there is none to see', () => {
    const gate = gateOf(
      userWith(
        '- can: devices.function:call\n- cannot: devices.function:call\n  functions: [unlock]',
      ),
    )
    const ask = (...functions: string[]) =>
      gate.ask('devices.function:call', { fields: { functions } })
    expect(ask('reboot')).toBe('allow')
    expect(ask('unlock')).toBe('forbidden')
    expect(ask('UnLock')).toBe('forbidden')
    expect(ask('reboot', 'unlock')).toBe('forbidden')
    expect(ask()).toBe('forbidden')
  })

  it('a * is a dot like any other letter, and only at the end of events and variables', () => {
    const gate = gateOf(userWith('- can: events:send\n  events: [temp*]'))
    const ask = (name: string) =>
      gate.ask('events:send', { fields: { events: [name] }, resource: myProduct })
    expect(ask('temp.a.b')).toBe('allow')
    expect(ask('a.temp')).toBe('not_granted')
  })

  it('a cannot on events matches whoever asks for all names of a beginning that holds one', () => {
    const rules = '- can: events:send\n- cannot: events:send\n  events: [alarm, door/*]'
    const gate = gateOf(userWith(rules))
    const ask = (name: string) =>
      gate.ask('events:send', { fields: { events: [name] }, resource: myProduct })
    for (const beginning of ['alarm*', 'ALA*', '*', 'door*', 'door/front*', 'd*']) {
      expect([beginning, ask(beginning)]).toEqual([beginning, 'forbidden'])
    }
    for (const other of ['alarms', 'alarms*', 'temp*', 'doors*']) {
      expect([other, ask(other)]).toEqual([other, 'allow'])
    }
  })

  it('never mix two rules into a right that neither gives', () => {
    const gate = gateOf(
      userWith(
        '- can: ledger.instances:set\n  ledgers: [a]\n  body: [data]\n- can: ledger.instances:set\n  ledgers: [b]\n  body: [note]',
      ),
    )
    const ask = (ledger: string, ...body: string[]) =>
      gate.ask('ledger.instances:set', { resource: myProduct, fields: { ledgers: [ledger], body } })
    expect(ask('a', 'data')).toBe('allow')
    expect(ask('b', 'note')).toBe('allow')
    expect(ask('a', 'note')).toBe('not_granted')
    expect(ask('b', 'data')).toBe('not_granted')
    expect(ask('a', 'data', 'note')).toBe('not_granted')
  })
})

describe('wildcards and classes', () => {
  it('in a can never reach secret or escalating actions, which exact names do', () => {
    const broad = gateOf(
      userWith("- can: ['devices.backup:*', control, 'teams.users:*', devices:get]"),
    )
    expect(broad.ask('devices:ping')).toBe('allow')
    expect(broad.ask('devices.backup:get')).toBe('not_granted')
    expect(broad.ask('teams.users:invite', { resource: myProduct })).toBe('not_granted')
    const exact = gateOf(userWith('- can: [devices.backup:get, teams.users:invite]'))
    expect(exact.ask('devices.backup:get')).toBe('allow')
    expect(exact.ask('teams.users:invite', { resource: myProduct })).toBe('allow')
  })

  it('in a cannot always reach them', () => {
    const gate = gateOf(userWith('- can: [devices.backup:get, devices:get]\n- cannot: secret'))
    expect(gate.ask('devices.backup:get')).toBe('forbidden')
    expect(gate.ask('devices:get')).toBe('allow')
  })

  it('a family does not reach into the next one', () => {
    const gate = gateOf(userWith("- can: 'devices:*'"))
    expect(gate.ask('devices:ping')).toBe('allow')
    expect(gate.ask('devices:update.name', { fields: { body: ['name'] } })).toBe('allow')
    expect(gate.ask('devices.function:call')).toBe('not_granted')
  })

  it('a scope in scopes means all of its deeds', () => {
    const gate = gateOf(userWith('', 'devices: all\nscopes: [devices:update]'))
    expect(gate.ask('devices:update.name')).toBe('allow')
    expect(gate.ask('devices:update.flash')).toBe('allow')
    expect(gate.ask('devices:get')).toBe('not_granted')
  })
})
