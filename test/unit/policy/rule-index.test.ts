import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { gateOf, myDevice, myProduct, NOON, userWith } from '../../kit/policies.ts'

const call = 'devices.function:call'

describe('rule index', () => {
  const many = Array.from(
    { length: 60 },
    (_, n) =>
      `- can: ${call}\n  functions: [f${n % 20}]\n  where: { groups: { $any: [g${n}] } }\n- can: ${call}\n  where: { region: r${n} }`,
  ).join('\n')
  const plain = gateOf(userWith(many))

  it('finds the last rule of many, and the first of equals', () => {
    expect(plain.ask(call, { fields: { functions: ['f19'] }, facts: { groups: ['g59'] } })).toBe(
      'allow',
    )
    expect(plain.ask(call, { fields: { functions: ['f18'] }, facts: { groups: ['g59'] } })).toBe(
      'not_granted',
    )
    const both = gateOf(userWith(`${many}\n- can: ${call}\n  functions: [f0]`))
    expect(
      both.full(call, { fields: { functions: ['f0'] }, facts: { groups: ['g0'], region: 'r1' } }),
    ).toMatchObject({
      rule: { line: 8 },
    })
    expect(
      both.full(call, { fields: { functions: ['f0'] }, facts: { groups: ['g5'], region: 'r59' } }),
    ).toMatchObject({
      rule: { line: 8 + 59 * 5 + 3 },
    })
  })

  it('decides as a walk over the rules would', () => {
    // One rule by itself is below the size that is indexed.
    const single = (n: number) =>
      gateOf(
        userWith(
          `- can: ${call}\n  functions: [f${n % 20}]\n  where: { groups: { $any: [g${n}] } }\n- can: ${call}\n  where: { region: r${n} }`,
        ),
      )
    const walked = Array.from({ length: 60 }, (_, n) => single(n))
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 25 }),
        fc.subarray(['g1', 'g7', 'g27', 'g47', 'g59', 'x']),
        fc.constantFrom('r1', 'r59', 'r60', null, undefined),
        fc.boolean(),
        (f, groups, region, named) => {
          const question = {
            fields: named ? { functions: [`f${f}`] } : {},
            facts: { groups, region },
          }
          const want = walked.some((gate) => gate.ask(call, question) === 'allow')
          expect(plain.ask(call, question) === 'allow').toBe(want)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('shows the keys of all rules that hold for an item, and of a list those of all rules', () => {
    const keys = ['id', 'name', 'online', 'groups', 'last_heard']
    const keyOf = (n: number) => keys[n % keys.length] ?? 'id'
    const count = 40
    const rules = Array.from(
      { length: count },
      (_, n) =>
        `- can: devices:list\n  where: { groups: { $any: [g${n}, h${n % 7}] }, region: r${n % 2} }\n  answer: [${keyOf(n)}]`,
    )
    const gate = gateOf(userWith(rules.join('\n')))
    const list = gate.full('devices:list', { resource: myProduct, facts: null })
    expect(list).toMatchObject({ obligations: { answer: new Set(keys), items: 'each' } })
    const judge = gate.items('devices:list')
    fc.assert(
      fc.property(
        fc.subarray(['g1', 'g12', 'g39', 'h3', 'h6', 'x']),
        fc.constantFrom('r0', 'r1', 'r2'),
        (groups, region) => {
          const matching = Array.from({ length: count }, (_, n) => n).filter(
            (n) =>
              region === `r${n % 2}` && (groups.includes(`g${n}`) || groups.includes(`h${n % 7}`)),
          )
          const verdict = judge.judge({ resource: myDevice, facts: { groups, region } }, NOON)
          if (matching.length === 0) expect(verdict).toEqual({ outcome: 'deny' })
          else {
            const answer = new Set(matching.map(keyOf))
            expect(verdict).toMatchObject({ obligations: { answer } })
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})
