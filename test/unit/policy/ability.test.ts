/** The traps of CASL, each asked of our ability: rows C03 to C10 of the attack table and section 10 of the design. */

import { describe, expect, it } from 'vitest'
import type { Grant, GrantRule } from '../../../src/domain/grant.ts'
import { buildAbility } from '../../../src/policy/ability.ts'
import { Ask } from '../../../src/policy/ask.ts'
import { catalogFacts } from '../../../src/policy/catalog-facts.ts'
import { aCatalog } from '../../kit/a-catalog.ts'
import { gateOf, mistakesIn, myDevice, NOON, PRODUCT, userWith } from '../../kit/policies.ts'

const catalog = aCatalog()
const origin = { file: 'a.yaml', line: 1, text: '' }

function outcomeOf(rules: readonly Omit<GrantRule, 'origin'>[], facts = {}, name = 'devices:get') {
  const grant: Grant = {
    version: 1,
    user: 'u',
    boundary: { kind: 'products', products: [PRODUCT] },
    devices: { '*': { all: true } },
    rules: rules.map((rule) => ({ ...rule, origin })),
  }
  const zones = new Map()
  const known = catalogFacts(catalog)
  const ability = buildAbility(grant, { catalog, facts: known, zones })
  const request = { action: name, resource: myDevice, fields: {}, values: {} }
  const action = catalog.actions.get(name)
  if (action === undefined) throw new Error(name)
  const context = { requestId: 'r', atMs: NOON, address: '' }
  return ability.decide(new Ask({ request, action, known, context, facts: () => facts })).outcome
}

const can = { effect: 'can', actions: ['devices:get'] } as const
const cannot = { effect: 'cannot', actions: ['devices:get'] } as const

describe('ability', () => {
  it('C05 forbids whatever the order of the rules', () => {
    expect(outcomeOf([can, cannot])).toBe('forbidden')
    expect(outcomeOf([cannot, can])).toBe('forbidden')
    expect(outcomeOf([can])).toBe('can')
  })

  it('C06 never answers without looking at the conditions', () => {
    const online = { attribute: 'online', test: { op: '$eq', value: true } } as const
    expect(outcomeOf([{ ...can, condition: online }], { online: false })).toBe('not_granted')
    expect(outcomeOf([{ ...can, condition: online }], { online: true })).toBe('can')
  })

  it('C08 reads an absent attribute against the caller: cannot matches, $ne does not', () => {
    const quarantine = {
      attribute: 'groups',
      test: { op: '$any', values: ['quarantine'] },
    } as const
    const other = { attribute: 'region', test: { op: '$ne', value: 'us' } } as const
    for (const facts of [{}, { groups: null, region: null }, { groups: 'x', region: 7 }]) {
      expect(outcomeOf([can, { ...cannot, condition: quarantine }], facts)).toBe('forbidden')
      expect(outcomeOf([{ ...can, condition: other }], facts)).toBe('not_granted')
    }
    const known = { groups: ['a'], region: 'eu' }
    expect(outcomeOf([can, { ...cannot, condition: quarantine }], known)).toBe('can')
    expect(outcomeOf([{ ...can, condition: other }], known)).toBe('can')
  })

  it('gives the words manage, all and <any action> no power', () => {
    for (const action of ['manage', 'all', '<any action>', '*']) {
      expect(outcomeOf([{ effect: 'can', actions: [action] }])).toBe('not_granted')
    }
  })

  it('grants nothing to an empty list of rules', () => {
    expect(outcomeOf([])).toBe('not_granted')
  })
})

describe('the loader closes before the ability', () => {
  it('C03 a rule without actions', () => {
    expect(mistakesIn(userWith('- where: { online: true }'))).toEqual([
      '8: the rule names no actions; say can: or cannot:',
    ])
  })

  it('C04 empty conditions', () => {
    expect(mistakesIn(userWith('- can: devices:get\n  where: {}'))).toEqual([
      '9: conditions are empty; delete them or say one',
    ])
    expect(mistakesIn(userWith('- can: devices.function:call\n  with: {}'))).toEqual([
      '9: conditions are empty; delete them or say one',
    ])
    expect(mistakesIn(userWith('- can: devices:get\n  where:'))[0]).toMatch(
      /^9: a value is missing here/,
    )
  })

  it('C07 a mistyped operator', () => {
    expect(
      mistakesIn(userWith('- cannot: devices:get\n  where: { region: { $equals: x } }')),
    ).toEqual([expect.stringMatching(/^9: unknown operator "\$equals"/)])
    expect(
      mistakesIn(userWith('- cannot: devices:get\n  where: { region: { $In: [x] } }')),
    ).toEqual(['9: unknown operator "$In"; did you mean "$in"?'])
  })

  it('C09 equality on a list', () => {
    expect(mistakesIn(userWith('- can: devices:get\n  where: { groups: site-7 }'))).toEqual([
      '9: "groups" cannot be compared with a bare value; use $any, $all or $only',
    ])
    expect(mistakesIn(userWith('- can: devices:get\n  where: { region: [eu] }'))).toEqual([
      '9: a bare list under "region" says too little; use $in',
    ])
  })

  it('C10 null, and numbers that are texts', () => {
    expect(mistakesIn(userWith('- can: devices:get\n  where: { region: null }'))).toHaveLength(1)
    const gate = gateOf(userWith('- can: devices:get\n  where: { serial_number: 1337 }'))
    expect(gate.ask('devices:get', { facts: { serial_number: '1337' } })).toBe('allow')
    expect(gate.ask('devices:get', { facts: { serial_number: 1337 } })).toBe('not_granted')
  })

  it('C11 regular expressions', () => {
    expect(
      mistakesIn(userWith("- can: devices:get\n  where: { region: { $regex: '^(a+)+$' } }")),
    ).toEqual([expect.stringMatching(/^9: unknown operator "\$regex"/)])
  })

  it('the reserved words manage, all and *', () => {
    for (const word of ['manage', 'all', "'*'"]) {
      expect(mistakesIn(userWith(`- can: ${word}`))).toEqual([
        expect.stringMatching(/^8: "(manage|all|\*)" is reserved/),
      ])
    }
  })
})
