import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { heldBack } from '../../../src/policy/held-back.ts'
import { aCatalog } from '../../kit/a-catalog.ts'
import {
  gateOf,
  MINE,
  mustLoad,
  myDevice,
  OTHER,
  otherDevice,
  userWith,
} from '../../kit/policies.ts'

function userOf(text: string) {
  const user = mustLoad(text).set.users.get('u')
  if (user === undefined) throw new Error('no user')
  return user
}

const held = (issued: string, today: string) =>
  heldBack(userOf(today), userOf(issued).grant, aCatalog())
const brief = (issued: string, today: string) =>
  held(issued, today).map((one) =>
    one.what === 'rule'
      ? `${one.rule.text}: ${one.actions.join(' ')}`
      : `${one.what}: ${one.issued} -> ${one.today}`,
  )

const GET = '- can: devices:get'

describe('heldBack', () => {
  it('is empty for the same grant, for one that moved, and for one that took away', () => {
    const wide = userWith(`- can: [devices:get, devices:ping]\n- can: devices.variable:get`)
    expect(held(wide, wide)).toEqual([])
    expect(held(wide, `# moved\n${wide}`)).toEqual([])
    expect(held(wide, userWith(GET))).toEqual([])
    expect(
      held(wide, userWith(`${GET}\n- cannot: devices:get\n  where: { online: true }`)),
    ).toEqual([])
    expect(held(wide, userWith(`${GET}\n  because: now with a reason\n  id: x`))).toEqual([])
    expect(held(wide, userWith(`${GET}\n  limit: { calls: 1, per: 1m }`))).toEqual([])
  })

  it('names the rule, and of a rule that has grown the new actions alone', () => {
    expect(brief(userWith(GET), userWith('- can: [devices:get, devices:ping]'))).toEqual([
      'can devices:get, devices:ping: devices:ping',
    ])
    expect(held(userWith(GET), userWith(`${GET}\n- can: devices:ping`))).toMatchObject([
      { what: 'rule', rule: { file: 'policies/all.yaml', line: 9 } },
    ])
  })

  it('names a cannot that was lifted, and one that was narrowed', () => {
    const forbidden = userWith(`${GET}\n- cannot: devices:get`)
    expect(brief(forbidden, userWith(GET))).toEqual(['cannot devices:get: devices:get'])
    const narrowed = userWith(`${GET}\n- cannot: devices:get\n  where: { online: true }`)
    expect(brief(forbidden, narrowed)).toEqual(['cannot devices:get: devices:get'])
    expect(brief(userWith(GET), forbidden)).toEqual([])
  })

  it('names a limit that was raised or lifted, and none that was lowered', () => {
    const five = userWith(`${GET}\n  limit: { calls: 5, per: 1m }`)
    const nine = userWith(`${GET}\n  limit: { calls: 9, per: 1m }`)
    const hour = userWith(`${GET}\n  limit: { calls: 5, per: 1h }`)
    expect(brief(five, nine)).toHaveLength(1)
    expect(brief(five, userWith(GET))).toHaveLength(1)
    expect(brief(five, hour)).toHaveLength(1)
    expect(brief(nine, five)).toEqual([])
  })

  it.each([
    [
      'rate: { calls: 5, per: 1m }',
      'rate: { calls: 9, per: 1m }',
      'rate: 5 calls in 60 s -> 9 calls in 60 s',
    ],
    ['rate: { calls: 5, per: 1m }', '', 'rate: 5 calls in 60 s -> any'],
    [
      'from: 10.0.0.0/8',
      'from: [10.0.0.0/8, 11.0.0.0/8]',
      'from: 10.0.0.0/8 -> 10.0.0.0/8, 11.0.0.0/8',
    ],
    ['from: 10.0.0.0/8', '', 'from: 10.0.0.0/8 -> anywhere'],
  ])('of %s, today %j: %s, and nothing the other way', (issued, today, says) => {
    const [a, b] = [issued, today].map((more) => userWith(GET, `devices: all\n${more}`))
    if (a === undefined || b === undefined) throw new Error('two texts')
    expect(brief(a, b)).toEqual([says])
    expect(brief(b, a)).toEqual([])
  })

  it('names a write that was forbidden only while the grant read what it writes', () => {
    const write = '- can: devices:update.groups'
    const reads = userWith(`${GET}\n  where: { groups: { $any: [a] } }\n${write}`)
    const free = userWith(write)
    expect(brief(reads, free)).toEqual(['can devices:update.groups: devices:update.groups'])
    expect(brief(free, free)).toEqual([])
    const asked = { fields: { body: ['groups'] }, facts: { groups: ['a'] } }
    expect(gateOf(free).ask('devices:update.groups', asked)).toBe('allow')
    expect(gateOf(free).ask('devices:update.groups', { ...asked, issued: userOf(reads) })).toBe(
      'not_in_issued_grant',
    )
  })

  it('names boundary and devices that have grown', () => {
    const one = userWith(GET, `devices: [${MINE}]`)
    const two = userWith(GET, `devices: [${MINE}, ${OTHER}]`)
    expect(brief(one, two)).toEqual([
      `devices: *: ${OTHER}, ${MINE} -> `.replace(`${OTHER}, `, '') + `*: ${OTHER}, ${MINE}`,
    ])
    expect(brief(two, one)).toEqual([])
    expect(brief(two, userWith(GET))).toEqual([expect.stringMatching(/^devices: .* -> \*: all$/)])
    const more = one.replace('product: 12345', 'products: [12345, 67890]')
    expect(brief(one, more)).toEqual(['boundary: 12345 -> 12345, 67890'])
    expect(brief(more, one)).toEqual([])
  })
})

const rules = fc
  .array(
    fc.record({
      effect: fc.constantFrom('can', 'can', 'cannot'),
      action: fc.constantFrom('devices:get', 'devices:ping', '[devices:get, devices:ping]'),
      where: fc.option(fc.constantFrom('{ online: true }', '{ region: eu }')),
    }),
    { maxLength: 4 },
  )
  .map((all) =>
    all
      .map(({ effect, action, where }) =>
        [`- ${effect}: ${action}`, ...(where === null ? [] : [`  where: ${where}`])].join('\n'),
      )
      .join('\n'),
  )
const more = fc.constantFrom('devices: all', `devices: [${MINE}]`, `devices: [${MINE}, ${OTHER}]`)

describe('heldBack against decide', () => {
  it('where it is empty, today gives nothing that the issued grant does not', () => {
    let empty = 0
    fc.assert(
      fc.property(rules, more, rules, more, (old, oldMore, now, nowMore) => {
        const issued = userOf(userWith(old, oldMore))
        const gate = gateOf(userWith(now, nowMore))
        const user = gate.engine.user('u')
        if (user === undefined || gate.engine.heldBack(user, issued.grant).length > 0) return
        empty++
        for (const action of ['devices:get', 'devices:ping']) {
          for (const resource of [myDevice, otherDevice]) {
            for (const facts of [
              {},
              { online: true, region: 'eu' },
              { online: false, region: 'us' },
            ]) {
              const asked = { resource, facts }
              const today = gate.ask(action, asked)
              expect(gate.ask(action, { ...asked, issued })).toBe(today)
            }
          }
        }
      }),
      { numRuns: 500 },
    )
    expect(empty).toBeGreaterThan(20)
  })
})
