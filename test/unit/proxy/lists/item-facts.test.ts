import { describe, expect, it } from 'vitest'
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
    expect(facts('device', [grantOf(deep, '{ groups: { $any: [x] } }')])(item)).toEqual(named)
  })

  it('reads for two grants what either names, and nothing where none does', () => {
    const one = grantOf('- can: devices:list', '{ groups: { $any: [x] } }')
    const two = grantOf('- can: devices:list\n  where: { online: true }', 'all')
    expect(facts('device', [one, two])(item)).toEqual({ groups: ['x'], online: true })
    expect(facts('device', [grantOf('- can: devices:list', 'all')])(item)).toEqual({})
    expect(facts('none', [one])(item)).toEqual({})
  })

  it('sees absence where a condition asks for it', () => {
    const where: Condition = { attribute: 'groups', test: { op: '$exists', value: false } }
    const grant: Grant = { ...grantOf('- can: devices:list', 'all'), devices: { '*': { where } } }
    expect(facts('device', [grant])(item)).toHaveProperty('groups')
  })
})
