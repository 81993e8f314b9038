import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { gateOf, load, MINE, OTHER, PRODUCT, type Gate } from '../../kit/policies.ts'

const ACTIONS = [
  'devices:get',
  'devices:ping',
  'devices:update.name',
  'devices.function:call',
  'live',
  "'devices.function:*'",
  "'devices:*'",
]
const CONDITIONS = [
  '{ region: eu }',
  '{ groups: { $any: [a] } }',
  '{ firmware_version: { $lt: 3 } }',
  '{ $not: { online: true } }',
  `{ id: ${MINE} }`,
]

const rule = (effect: 'can' | 'cannot') =>
  fc
    .record({
      action: fc.constantFrom(...ACTIONS),
      where: fc.option(fc.constantFrom(...CONDITIONS), { nil: undefined }),
      functions: fc.option(fc.constantFrom('[a]', '[b, c]'), { nil: undefined }),
      unless: fc.option(fc.constantFrom(...CONDITIONS), { nil: undefined }),
      hide: fc.boolean(),
    })
    .map(({ action, where, functions, unless, hide }) => [
      `${effect}: ${action}`,
      ...(where === undefined ? [] : [`where: ${where}`]),
      ...(functions === undefined || action !== 'devices.function:call'
        ? []
        : [`functions: ${functions}`]),
      ...(unless === undefined || effect === 'cannot' ? [] : [`unless: ${unless}`]),
      ...(hide && action === 'devices:get' && effect === 'can' ? ['answer: [id]'] : []),
    ])

const policy = fc.record({
  cans: fc.array(rule('can'), { maxLength: 5 }),
  cannots: fc.array(rule('cannot'), { maxLength: 3 }),
  role: fc.array(rule('can'), { minLength: 1, maxLength: 3 }),
  scopes: fc.subarray(['devices:get', 'devices:update', 'devices.function:call']),
  devices: fc.constantFrom('all', `[${MINE}]`, '{ region: eu }'),
})
type Policy = typeof policy extends fc.Arbitrary<infer T> ? T : never

const question = fc.record({
  action: fc.constantFrom(
    'devices:get',
    'devices:ping',
    'devices:update.name',
    'devices.function:call',
  ),
  device: fc.constantFrom(MINE, OTHER),
  functions: fc.subarray(['a', 'b', 'B', 'z']),
  facts: fc.option(
    fc.record(
      {
        region: fc.constantFrom('eu', 'us', null),
        groups: fc.subarray(['a', 'b']),
        firmware_version: fc.constantFrom(2, 3, null),
        online: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  ),
})

const indent = (lines: readonly string[], by: string) => `${by}- ${lines.join(`\n${by}  `)}\n`

function textsOf(p: Policy, order: 'as it is' | 'reversed' = 'as it is'): Record<string, string> {
  const own = [...p.cans, ...p.cannots]
  const rules = order === 'reversed' ? own.toReversed() : own
  const scopes = order === 'reversed' ? p.scopes.toReversed() : p.scopes
  const users =
    `users:\n  u:\n    owner: o\n    product: ${PRODUCT}\n    never: true\n    devices: ${p.devices}\n` +
    `    roles: [r]\n` +
    (scopes.length === 0 ? '' : `    scopes: [${scopes.join(', ')}]\n`) +
    (rules.length === 0
      ? ''
      : `    rules:\n${rules.map((lines) => indent(lines, '      ')).join('')}`)
  const role = order === 'reversed' ? p.role.toReversed() : p.role
  const roles = `roles:\n  r:\n    rules:\n${role.map((lines) => indent(lines, '      ')).join('')}`
  return order === 'reversed'
    ? { 'z.yaml': roles, 'a.yaml': users }
    : { 'a.yaml': roles, 'z.yaml': users }
}

type Question = typeof question extends fc.Arbitrary<infer T> ? T : never

function ask(gate: Gate, q: Question, rename: (id: string) => string = (id) => id) {
  const decision = gate.full(q.action, {
    resource: { type: 'device', product: PRODUCT, device: rename(q.device) },
    fields: { functions: q.functions },
    facts: q.facts,
  })
  if (decision.outcome === 'needs_facts') return decision.outcome
  return decision.outcome === 'deny' ? decision.reason : decision.obligations
}

const allows = (gate: Gate, q: Question) => typeof ask(gate, q) === 'object'
const RUNS = { numRuns: 300 }

describe('for any policy', () => {
  it('permuting files and rules changes no decision', () => {
    fc.assert(
      fc.property(policy, question, (p, q) => {
        expect(ask(gateOf(textsOf(p, 'reversed')), q)).toEqual(ask(gateOf(textsOf(p)), q))
      }),
      RUNS,
    )
  })

  it('adding a cannot never allows more', () => {
    fc.assert(
      fc.property(policy, rule('cannot'), question, (p, extra, q) => {
        const more = gateOf(textsOf({ ...p, cannots: [...p.cannots, extra] }))
        expect(allows(more, q) && !allows(gateOf(textsOf(p)), { ...q, facts: q.facts ?? {} })).toBe(
          false,
        )
      }),
      RUNS,
    )
  })

  it('deleting a scope, a role or a can never allows more', () => {
    fc.assert(
      fc.property(policy, question, fc.nat(), (p, q, pick) => {
        const without = <T>(list: readonly T[]) =>
          list.filter((_, index) => index !== pick % list.length)
        const before = gateOf(textsOf(p))
        const fewer = [
          { ...p, cans: without(p.cans) },
          { ...p, scopes: without(p.scopes) },
          { ...p, role: p.role.length > 1 ? without(p.role) : p.role },
        ]
        for (const less of fewer) {
          expect(allows(gateOf(textsOf(less)), q) && !allows(before, q)).toBe(false)
        }
      }),
      RUNS,
    )
  })

  it('renaming ids consistently changes nothing', () => {
    const rename = (id: string) =>
      id.replaceAll(/[0-9a-f]/g, (c) => ((Number.parseInt(c, 16) + 7) % 16).toString(16))
    fc.assert(
      fc.property(policy, question, (p, q) => {
        const texts = textsOf(p)
        const renamed = Object.fromEntries(
          Object.entries(texts).map(([file, text]) => [file, text.replaceAll(MINE, rename(MINE))]),
        )
        expect(ask(gateOf(renamed), q, rename)).toEqual(ask(gateOf(texts), q))
      }),
      RUNS,
    )
  })

  it('facts that are not needed change no outcome, and with facts in hand none are asked for', () => {
    fc.assert(
      fc.property(policy, question, (p, q) => {
        const gate = gateOf(textsOf(p))
        const blind = ask(gate, { ...q, facts: null })
        const seeing = ask(gate, { ...q, facts: q.facts ?? {} })
        expect(seeing).not.toBe('needs_facts')
        if (blind !== 'needs_facts') expect(typeof seeing).toBe(typeof blind)
        if (typeof blind === 'object') expect(seeing).toEqual(blind)
      }),
      RUNS,
    )
  })

  it('the generator makes policies that load, some allows and some denials', () => {
    const samples = fc.sample(fc.tuple(policy, question), { numRuns: 200, seed: 7 })
    expect(samples.every(([p]) => load(textsOf(p)).ok)).toBe(true)
    const allowed = samples.filter(([p, q]) => allows(gateOf(textsOf(p)), q)).length
    expect(allowed).toBeGreaterThan(20)
    expect(allowed).toBeLessThan(180)
  })
})
