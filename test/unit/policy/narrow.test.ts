import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import {
  aFleetCatalog,
  gateOf,
  MINE,
  mustLoad,
  myDevice,
  NOON,
  OTHER,
  userWith,
} from '../../kit/policies.ts'

const THIRD = 'c'.repeat(24)
const gateWith = (rules: string, more?: string) => gateOf(userWith(rules, more), aFleetCatalog())
const narrow = (rules: string, more?: string, action = 'devices:list') =>
  Object.fromEntries(
    gateWith(rules, more)
      .items(action)
      .narrow.map(({ attribute, values }) => [attribute, values]),
  )
const list = '- can: devices:list'

describe('narrow', () => {
  it('says what the device limit says', () => {
    expect(narrow(list)).toEqual({})
    expect(narrow(list, `devices: [${MINE}, ${OTHER}]`)).toEqual({ id: [OTHER, MINE] })
    expect(narrow(list, 'devices: { groups: { $any: [b, a] } }')).toEqual({ groups: ['a', 'b'] })
    expect(narrow(list, 'devices: { groups: { $only: [a] }, region: eu }')).toEqual({
      groups: ['a'],
      region: ['eu'],
    })
    expect(narrow(list, 'devices: { groups: { $all: [b, a] } }')).toEqual({ groups: ['a'] })
    expect(narrow(list, 'devices: { firmware_version: { $in: [2, 3] } }')).toEqual({
      firmware_version: [2, 3],
    })
    expect(narrow(list, 'devices: { firmware_version: { $gt: 2 } }')).toEqual({})
    expect(narrow(list, 'devices: { $not: { region: eu } }')).toEqual({})
  })

  it('says of alternatives only what all of them share', () => {
    const either = (a: string, b: string) => narrow(list, `devices: { $or: [${a}, ${b}] }`)
    expect(either('{ region: eu }', '{ region: us, online: true }')).toEqual({
      region: ['eu', 'us'],
    })
    expect(either('{ region: eu }', '{ online: true }')).toEqual({})
    const where = (a: string, b: string) => narrow(`${list}\n  where: ${a}\n${list}\n  where: ${b}`)
    expect(where('{ region: eu }', '{ region: us, online: true }')).toEqual({
      region: ['eu', 'us'],
    })
    expect(where('{ region: eu }', '{ online: true }')).toEqual({})
    expect(narrow(`${list}\n  where: { region: eu }\n${list}`)).toEqual({})
    expect(narrow(`${list}\n- cannot: devices:list\n  where: { region: eu }`)).toEqual({})
  })

  it('joins limit, rules and both grants: ids that both name, and the shorter of two other lists', () => {
    expect(
      narrow(
        `${list}\n  where: { id: { $in: [${MINE}, ${THIRD}] } }`,
        `devices: [${MINE}, ${OTHER}]`,
      ),
    ).toEqual({ id: [MINE] })
    expect(
      narrow(
        `${list}\n  where: { groups: { $any: [a] } }`,
        'devices: { groups: { $any: [b, c] } }',
      ),
    ).toEqual({ groups: ['a'] })
    const issued = mustLoad(userWith(list, `devices: [${MINE}]`)).set.users.get('u')
    if (issued === undefined) throw new Error('no user')
    expect(
      gateWith(list, 'devices: { region: eu }').items('devices:list', { issued }).narrow,
    ).toEqual([
      { attribute: 'id', values: [MINE] },
      { attribute: 'region', values: ['eu'] },
    ])
  })

  it('goes by the limits of the place', () => {
    const text = userWith(
      list,
      `products: [12345, 12346]\ndevices: { 12345: [${MINE}], 12346: [${OTHER}] }`,
    ).replace('    product: 12345\n', '')
    const at = (resource: object) =>
      gateOf(text).items('devices:list', { resource: { type: 'product', ...resource } }).narrow
    expect(at({ product: '12345' })).toEqual([{ attribute: 'id', values: [MINE] }])
    expect(at({ product: '12346' })).toEqual([{ attribute: 'id', values: [OTHER] }])
    expect(at({ type: 'none' })).toEqual([{ attribute: 'id', values: [OTHER, MINE] }])
    expect(at({ product: '12347' })).toEqual([{ attribute: 'id', values: [] }])
    const rest = gateOf(text.replace(`12346: [${OTHER}]`, "'*': all"))
    expect(rest.items('devices:list', { resource: { type: 'none' } }).narrow).toEqual([])
  })

  it('says nothing of streams, which carry events of no device, and of products only their rules', () => {
    expect(narrow('- can: events:get', `devices: [${MINE}]`, 'events:get')).toEqual({})
    const gold = '- can: products:list\n  where: { tier: gold }'
    expect(narrow(gold, `devices: [${MINE}]`, 'products:list')).toEqual({ tier: ['gold'] })
  })

  it('never leaves out an item that passes', () => {
    const condition = fc.constantFrom(
      '{ region: eu }',
      '{ region: { $in: [eu, us] } }',
      '{ groups: { $any: [a, b] } }',
      '{ groups: { $all: [a, b] } }',
      '{ groups: { $only: [a, c] } }',
      `{ id: { $in: [${MINE}, ${THIRD}] } }`,
      '{ $or: [{ region: eu }, { region: us, groups: { $any: [c] } }] }',
      '{ $and: [{ groups: { $any: [a] } }, { groups: { $any: [b] } }] }',
      '{ $not: { region: eu } }',
      '{ online: true }',
    )
    const facts = fc.record(
      {
        region: fc.constantFrom('eu', 'us', null),
        groups: fc.subarray(['a', 'b', 'c']),
        online: fc.boolean(),
      },
      { requiredKeys: [] },
    )
    let passed = 0
    fc.assert(
      fc.property(
        fc.array(fc.option(condition), { minLength: 1, maxLength: 3 }),
        fc.oneof(condition, fc.constantFrom('all', `[${MINE}, ${OTHER}]`)),
        fc.array(fc.tuple(fc.constantFrom(MINE, OTHER, THIRD), facts), { minLength: 5 }),
        (cans, devices, items) => {
          const rules = cans.map((where) => (where ? `${list}\n  where: ${where}` : list))
          const judge = gateOf(userWith(rules.join('\n'), `devices: ${devices}`)).items(
            'devices:list',
          )
          for (const [device, known] of items) {
            const resource = { ...myDevice, device }
            if (judge.judge({ resource, facts: known }, NOON).outcome !== 'allow') continue
            passed += 1
            const all: Record<string, unknown> = { ...known, id: device }
            for (const { attribute, values } of judge.narrow) {
              const value = all[attribute]
              const held: readonly unknown[] = Array.isArray(value) ? value : [value]
              expect(held.some((one) => values.some((wanted) => wanted === one))).toBe(true)
            }
          }
        },
      ),
      { numRuns: 500 },
    )
    expect(passed).toBeGreaterThan(300)
  })
})
