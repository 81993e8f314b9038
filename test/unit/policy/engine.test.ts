import { describe, expect, it } from 'vitest'
import {
  ACME,
  gateOf,
  MINE,
  mustLoad,
  myDevice,
  myProduct,
  OTHER,
  otherDevice,
  userWith,
} from '../../kit/policies.ts'

describe('boundary', () => {
  const gate = gateOf(userWith('- can: [devices:get, products:get]'))

  it('allows inside the product and denies outside_boundary in another, or in none', () => {
    expect(gate.ask('devices:get')).toBe('allow')
    expect(gate.ask('devices:get', { resource: { ...myDevice, product: '67890' } })).toBe(
      'outside_boundary',
    )
    expect(gate.ask('devices:get', { resource: { type: 'device', device: MINE } })).toBe(
      'outside_boundary',
    )
    expect(
      gate.ask('products:get', { resource: { type: 'organization', organization: ACME } }),
    ).toBe('outside_boundary')
  })

  it('says outside_boundary before not_granted, for actions that no rule names too', () => {
    expect(gate.ask('devices:ping', { resource: { ...myDevice, product: '67890' } })).toBe(
      'outside_boundary',
    )
    expect(gate.ask('devices:ping')).toBe('not_granted')
  })

  it('holds an organization to its id, and needs the id to be known', () => {
    const text = userWith('- can: devices:get').replace('product: 12345', `organization: ${ACME}`)
    const organization = gateOf(text)
    expect(organization.ask('devices:get')).toBe('allow')
    expect(
      organization.ask('devices:get', { resource: { ...myDevice, organization: OTHER } }),
    ).toBe('outside_boundary')
    const { organization: _, ...unknown } = myDevice
    expect(organization.ask('devices:get', { resource: unknown })).toBe('outside_boundary')
  })

  it('counts a route about nothing of the fleet as inside', () => {
    expect(gate.ask('products:get', { resource: { type: 'none' } })).toBe('allow')
    expect(gate.ask('devices:ping', { resource: { type: 'none' } })).toBe('not_granted')
  })
})

describe('devices', () => {
  it('C01 allows listed ids and no other, whatever number they look like', () => {
    const gate = gateOf(userWith('- can: devices:get', `devices: [${MINE}]`))
    expect(gate.ask('devices:get')).toBe('allow')
    expect(gate.ask('devices:get', { resource: otherDevice })).toBe('outside_devices')
  })

  it('goes by product where products are named, and by * for the rest', () => {
    const gate = gateOf(
      userWith(
        '- can: devices:get',
        `products: [12345, 12346, 12347]\ndevices: { 12345: [${MINE}], 12346: all, '*': [${OTHER}] }`,
      ).replace('    product: 12345\n', ''),
    )
    const inProduct = (product: string) => ({ resource: { ...otherDevice, product } })
    expect(gate.ask('devices:get')).toBe('allow')
    expect(gate.ask('devices:get', inProduct('12345'))).toBe('outside_devices')
    expect(gate.ask('devices:get', inProduct('12346'))).toBe('allow')
    expect(gate.ask('devices:get', inProduct('12347'))).toBe('allow')
    expect(gate.ask('devices:get', { resource: { ...myDevice, product: '12347' } })).toBe(
      'outside_devices',
    )
  })

  it('asks for facts where the limit is a condition, and decides with them', () => {
    const gate = gateOf(userWith('- can: devices:get', 'devices: { groups: { $any: [site-7] } }'))
    expect(gate.ask('devices:get', { facts: null })).toBe('needs_facts')
    expect(gate.ask('devices:get', { facts: { groups: ['site-7'] } })).toBe('allow')
    expect(gate.ask('devices:get', { facts: { groups: ['site-8'] } })).toBe('outside_devices')
    expect(gate.ask('devices:get', { facts: {} })).toBe('outside_devices')
  })

  it('reaches what is not one device by its exact name only', () => {
    const limited = `devices: [${MINE}]`
    const broad = gateOf(userWith("- can: ['firmware:*', devices:get]", limited))
    expect(broad.ask('firmware:create', { resource: myProduct })).toBe('not_granted')
    const exact = gateOf(userWith('- can: [firmware:create, devices:get]', limited))
    expect(exact.ask('firmware:create', { resource: myProduct })).toBe('allow')
    const unlimited = gateOf(userWith("- can: 'firmware:*'"))
    expect(unlimited.ask('firmware:create', { resource: myProduct })).toBe('allow')
  })

  it('is limited where a product of the boundary has no devices in reach', () => {
    const firmware = (devices: string, boundary: string) => {
      const text = userWith("- can: 'firmware:*'", `devices: ${devices}\n${boundary}`)
      return gateOf(text.replace('    product: 12345\n', '')).ask('firmware:create', {
        resource: myProduct,
      })
    }
    const two = 'products: [12345, 12346]'
    const organization = `organization: ${ACME}`
    expect(firmware('{ 12345: all }', two)).toBe('not_granted')
    expect(firmware('{ 12345: all, 12346: all }', two)).toBe('allow')
    expect(firmware('{ 12345: all }', 'products: [12345]')).toBe('allow')
    expect(firmware('{ 12345: all }', organization)).toBe('not_granted')
    expect(firmware("{ 12345: all, '*': all }", organization)).toBe('allow')
  })
})

describe('reasons', () => {
  it('says not_granted for what was never granted, though a cannot matches as well', () => {
    const gate = gateOf(
      userWith('- can: devices:get\n- cannot: devices:ping\n- cannot: devices:get'),
    )
    expect(gate.ask('devices:ping')).toBe('not_granted')
    expect(gate.ask('devices:get')).toBe('forbidden')
  })

  it('names the first rule by file and position, for either outcome', () => {
    const gate = gateOf({
      'policies/b.yaml': userWith('- can: devices:get\n- can: devices:get'),
      'policies/a.yaml': 'guardrails:\n  - cannot: devices:ping\n    because: never\n',
    })
    const allowed = gate.full('devices:get')
    expect(allowed).toMatchObject({ outcome: 'allow', rule: { file: 'policies/b.yaml', line: 8 } })
  })

  it('says outside_hours last, and only where nothing else was missing', () => {
    const gate = gateOf(
      userWith(
        '- can: devices:get\n  when: { hours: 08:00-10:00, zone: UTC }\n- cannot: devices:get\n  where: { online: false }',
      ),
    )
    const at = (hour: number, online: boolean) => ({
      atMs: Date.UTC(2026, 10, 23, hour),
      facts: { online },
    })
    expect(gate.ask('devices:get', at(9, true))).toBe('allow')
    expect(gate.ask('devices:get', at(12, true))).toBe('outside_hours')
    expect(gate.ask('devices:get', at(12, false))).toBe('forbidden')
    expect(gate.ask('devices:ping', at(12, true))).toBe('not_granted')
  })

  it('tells the client only where a can matched the device', () => {
    const gate = gateOf(
      userWith(
        '- can: devices:ping\n  where: { region: eu }\n  unless: { online: false }\n  tell: It sleeps.\n- cannot: devices:ping\n  where: { firmware_version: 1 }\n  tell: Too old.',
      ),
    )
    const facts = { region: 'eu', online: true, firmware_version: 2 }
    expect(gate.ask('devices:ping', { facts })).toBe('allow')
    expect(gate.full('devices:ping', { facts: { ...facts, online: false } })).toMatchObject({
      reason: 'not_granted',
      tell: 'It sleeps.',
    })
    expect(gate.full('devices:ping', { facts: { ...facts, firmware_version: 1 } })).toMatchObject({
      reason: 'forbidden',
      tell: 'Too old.',
    })
    expect(
      gate.full('devices:ping', { facts: { region: 'us', online: false, firmware_version: 1 } }),
    ).toMatchObject({ reason: 'not_granted', tell: undefined })
  })
})

describe('issued grant', () => {
  const narrow = userWith('- can: devices:get')
  const wide = userWith('- can: [devices:get, devices:ping]')

  it('holds back what a policy edit added, and says so', () => {
    const issued = mustLoad(narrow).set.users.get('u')
    const gate = gateOf(wide)
    if (issued === undefined) throw new Error('no user')
    expect(gate.ask('devices:ping', { issued })).toBe('not_in_issued_grant')
    expect(gate.ask('devices:get', { issued })).toBe('allow')
    expect(gate.ask('devices:ping')).toBe('allow')
  })

  it('takes away at once what an edit removed', () => {
    const issued = mustLoad(wide).set.users.get('u')
    const gate = gateOf(narrow)
    if (issued === undefined) throw new Error('no user')
    expect(gate.ask('devices:ping', { issued })).toBe('not_granted')
    expect(gate.ask('devices:get', { issued })).toBe('allow')
  })

  it('shows the lesser of both answers', () => {
    const issued = mustLoad(userWith('- can: devices:get\n  answer: [id, name]')).set.users.get('u')
    const gate = gateOf(userWith('- can: devices:get\n  answer: [name, online]'))
    if (issued === undefined) throw new Error('no user')
    const decision = gate.full('devices:get', { issued })
    expect(decision).toMatchObject({ obligations: { answer: new Set(['name']) } })
  })

  it('denies an API user that today has no place in the set', () => {
    const issued = mustLoad(wide).set.users.get('u')
    const gate = gateOf(wide)
    gate.use(mustLoad(wide.replace('  u:', '  somebody-else:')).set)
    if (issued === undefined) throw new Error('no user')
    expect(gate.ask('devices:get', { issued })).toBe('not_granted')
    expect(gate.ask('devices:get', { issued, user: 'somebody-else' })).toBe('allow')
  })

  it('names rules where they stand now after a reload that moved them', () => {
    const gate = gateOf(narrow)
    expect(gate.full('devices:get')).toMatchObject({ rule: { line: 8 } })
    gate.use(mustLoad(`# moved\n${narrow}`).set)
    expect(gate.full('devices:get')).toMatchObject({ rule: { line: 9 } })
  })
})

describe('facts', () => {
  it('are not asked for where the answer is the same without them', () => {
    const gate = gateOf(
      userWith(
        '- can: devices:get\n- can: devices:get\n  where: { online: true }\n- can: devices:ping\n  where: { online: true }\n- cannot: devices:ping',
      ),
    )
    expect(gate.ask('devices:get', { facts: null })).toBe('allow')
    expect(gate.ask('devices:ping', { facts: null })).toBe('forbidden')
    expect(gate.ask('devices.variable:get', { facts: null })).toBe('not_granted')
  })

  it('are asked for where what the answer shows hangs on them', () => {
    const gate = gateOf(
      userWith(
        '- can: devices:get\n  answer: [id]\n- can: devices:get\n  where: { online: true }\n  answer: [name]',
      ),
    )
    expect(gate.ask('devices:get', { facts: null })).toBe('needs_facts')
    expect(gate.full('devices:get', { facts: { online: true } })).toMatchObject({
      obligations: { answer: new Set(['id', 'name']) },
    })
    expect(gate.full('devices:get', { facts: { online: false } })).toMatchObject({
      obligations: { answer: new Set(['id']) },
    })
  })

  it('are asked for before a tell, which only a device that a can matched may hear', () => {
    const gate = gateOf(
      userWith(
        '- can: devices:ping\n  where: { online: true }\n- cannot: devices:ping\n  tell: Not today.',
      ),
    )
    expect(gate.ask('devices:ping', { facts: null })).toBe('needs_facts')
    expect(gate.full('devices:ping', { facts: { online: true } })).toMatchObject({
      tell: 'Not today.',
    })
    expect(gate.full('devices:ping', { facts: { online: false } })).toMatchObject({
      tell: undefined,
    })
  })

  it('that were looked at stand in the decision', () => {
    const gate = gateOf(userWith('- can: devices:get\n  where: { online: true }'))
    expect(gate.full('devices:get', { facts: { online: true, region: 'eu' } })).toMatchObject({
      facts: { [MINE]: { online: true } },
    })
  })
})
