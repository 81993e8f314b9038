import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../../../src/domain/catalog.ts'
import type { Condition, Grant } from '../../../../src/domain/grant.ts'
import { createItemFacts } from '../../../../src/proxy/lists/item-facts.ts'
import { particleCatalog } from '../../../kit/catalog.ts'
import { mustLoad, userWith } from '../../../kit/policies.ts'

const catalog = particleCatalog()
const facts = createItemFacts(catalog)
const item = {
  id: 'a',
  groups: ['x'],
  online: true,
  firmware_version: 3,
  quarantined: false,
  serial_number: 's',
}

function grantOf(rules: string, devices: string): Grant {
  const user = mustLoad(userWith(rules, `devices: ${devices}`), catalog).set.users.get('u')
  if (user === undefined) throw new Error('kit')
  return user.grant
}

describe('createItemFacts', () => {
  it('reads what any condition names, wherever it stands', () => {
    const deep = `
- can: devices:list
  where: { $or: [{ $not: { online: true } }, { $and: [{ firmware_version: { $gt: 1 } }] }] }
  unless: { quarantined: true }`
    const { id: _, serial_number: __, ...named } = item
    expect(facts('device', [grantOf(deep, '{ groups: { $any: [x] } }')]).read(item)).toEqual(named)
  })

  it('reads for two grants what either names, and nothing where none does', () => {
    const one = grantOf('- can: devices:list', '{ groups: { $any: [x] } }')
    const two = grantOf('- can: devices:list\n  where: { online: true }', 'all')
    expect(facts('device', [one, two]).read(item)).toEqual({ groups: ['x'], online: true })
    expect(facts('device', [grantOf('- can: devices:list', 'all')]).read(item)).toEqual({})
    expect(facts('none', [one]).read(item)).toEqual({})
  })

  it('says which keys of an item are looked at, deep ones by their first', () => {
    const grant = grantOf(
      '- can: devices:list\n  where: { online: true }',
      '{ groups: { $any: [x] } }',
    )
    expect(facts('device', [grant]).keys).toEqual(new Set(['groups', 'online']))
    expect(facts('device', [grantOf('- can: devices:list', 'all')]).keys).toEqual(new Set())

    const attributeAt = (name: string, from: string, place?: string): [string, Attribute] => [
      name,
      { name, type: 'boolean', from, says: '', ...(place !== undefined && { item: place }) },
    ]
    const factsAt = (...attributes: [string, Attribute][]) => {
      const device = { ...catalog.resources.device, attributes: new Map(attributes) }
      return createItemFacts({ resources: { ...catalog.resources, device } })('device', [grant])
    }
    const deep = factsAt(attributeAt('online', 'device.on'), attributeAt('groups', 'g', 'in.it.g'))
    expect(deep.keys).toEqual(new Set(['device', 'in']))
    expect(deep.read({ device: { on: true }, g: false, in: { it: { g: true } } })).toEqual({
      ...{ online: true, groups: true },
    })
    expect(factsAt(attributeAt('online', 'on'), attributeAt('groups', 'g', '')).keys).toBe('all')
  })

  it('sees absence where a condition asks for it', () => {
    const where: Condition = { attribute: 'groups', test: { op: '$exists', value: false } }
    const grant: Grant = { ...grantOf('- can: devices:list', 'all'), devices: { '*': { where } } }
    expect(facts('device', [grant]).read(item)).toHaveProperty('groups')
  })
})
