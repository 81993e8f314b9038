import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gateOf, userWith } from '../../kit/policies.ts'

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
})
