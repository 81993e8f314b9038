import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import type { ApiUser } from '../../../src/domain/grant.ts'
import type { Permission } from '../../../src/policy/policy-engine.ts'
import { particleCatalog } from '../../kit/catalog.ts'
import {
  gateOf,
  mustLoad,
  myDevice,
  myProduct,
  NOON,
  principalOf,
  userWith,
  type Gate,
} from '../../kit/policies.ts'

const context = { requestId: 'r', atMs: NOON, address: 'operator' }

function permissionsOf(
  gate: Gate,
  facts: Readonly<Record<string, unknown>> | undefined = {},
  issued?: ApiUser,
  resource = myDevice,
  more: Partial<typeof context> & { wait?: () => number } = {},
): Permission[] {
  const user = gate.engine.user('u')
  if (user === undefined) throw new Error('no user')
  const asked = { ...context, ...more }
  const found = gate.engine.permissions(user, issued?.grant, resource, () => facts, asked)
  if ('outcome' in found) throw new Error('needs facts')
  return found.permissions
}

const of = (permissions: readonly Permission[], action: string) =>
  permissions.filter((one) => one.action === action)

const short = ({ outcome, fields, reason }: Permission) => ({
  outcome,
  ...(reason && { reason }),
  ...(Object.keys(fields).length > 0 && { fields }),
})

describe('permissions', () => {
  it('says of every action on a device whether it is allowed, and by which rule', () => {
    const gate = gateOf(userWith('- can: devices:get\n- can: devices:ping\n- cannot: devices:ping'))
    const all = permissionsOf(gate)
    expect(of(all, 'devices:get')).toEqual([
      {
        action: 'devices:get',
        outcome: 'allow',
        rule: { file: 'policies/all.yaml', line: 8, text: 'can devices:get' },
        reason: undefined,
        fields: {},
        obligations: undefined,
      },
    ])
    expect(of(all, 'devices:ping')).toMatchObject([
      { outcome: 'deny', reason: 'forbidden', rule: { line: 10 } },
    ])
    expect(of(all, 'devices:update.name')).toMatchObject([
      { outcome: 'deny', reason: 'not_granted', rule: undefined },
    ])
    expect(of(all, 'products:get')).toEqual([])
  })

  it('says which names are reached, and which of any are not', () => {
    const gate = gateOf(
      userWith(`- can: devices.function:call
  functions: [b, a]
- can: devices.variable:get
- cannot: devices.variable:get
  variables: [pin, key*]`),
    )
    const all = permissionsOf(gate)
    expect(of(all, 'devices.function:call').map(short)).toEqual([
      { outcome: 'allow', fields: { functions: ['a', 'b'] } },
    ])
    expect(of(all, 'devices.variable:get').map(short)).toEqual([
      { outcome: 'allow' },
      { outcome: 'deny', reason: 'forbidden', fields: { variables: ['key*', 'pin'] } },
    ])
  })

  it('says what is cut from the answer, and who is judged item by item', () => {
    const gate = gateOf(
      userWith('- can: [devices:get, devices:list]\n  answer: [id]', 'devices: { region: eu }'),
    )
    const inEu = permissionsOf(gate, { region: 'eu' })
    expect(of(inEu, 'devices:get')).toMatchObject([{ obligations: { answer: new Set(['id']) } }])
    expect(of(inEu, 'devices:list')).toMatchObject([{ outcome: 'allow' }])
    const elsewhere = permissionsOf(gate, { region: 'us' })
    expect(of(elsewhere, 'devices:get')).toMatchObject([
      { outcome: 'deny', reason: 'outside_devices' },
    ])
    expect(of(elsewhere, 'devices:list')).toMatchObject([{ outcome: 'deny' }])
  })

  it('says what depends on the values of the request, by which rule, and what no value changes', () => {
    const gate = gateOf(
      userWith(`- can: devices.function:call
  functions: [setpoint]
  with: { argument: { $in: ['', '20'] } }
- can: devices.function:call
  functions: [blink]
- cannot: devices.function:call
  functions: [blink]
  with: { argument: 'off' }
- can: devices.function:call
  functions: [ping, quiet]
- cannot: devices.function:call
  functions: [quiet]
- can: devices.function:call
  functions: [any]
  with: { argument: { $exists: false } }`),
    )
    const all = of(permissionsOf(gate), 'devices.function:call')
    expect(all.map(short)).toEqual([
      { outcome: 'depends', fields: { functions: ['any'] } },
      { outcome: 'depends', fields: { functions: ['blink'] } },
      { outcome: 'allow', fields: { functions: ['ping'] } },
      { outcome: 'depends', fields: { functions: ['setpoint'] } },
    ])
    expect(all.map(({ rule }) => rule?.text)).toEqual(
      Array(4).fill(expect.stringContaining('can devices.function:call')),
    )
  })

  it('denies what depends on the request where the issued grant does not give it at all', () => {
    const rules = "- can: devices.function:call\n  with: { argument: '20' }"
    const issued = mustLoad(userWith('- can: devices:get')).set.users.get('u')
    const held = permissionsOf(gateOf(userWith(rules)), {}, issued)
    expect(of(held, 'devices.function:call').map(short)).toEqual([
      { outcome: 'deny', reason: 'not_in_issued_grant' },
    ])
    const same = permissionsOf(gateOf(userWith(rules)))
    expect(of(same, 'devices.function:call').map(short)).toEqual([{ outcome: 'depends' }])
  })

  it('is true of every value: an allow of all, a denial of all, and what depends of some', () => {
    const tests = [
      "'20'",
      "{ $in: ['', '20'] }",
      "{ $ne: '20' }",
      '{ $exists: false }',
      '{ $exists: true }',
    ]
    const rule = fc.record({
      effect: fc.constantFrom('can', 'cannot'),
      test: fc.option(fc.constantFrom(...tests)),
    })
    const values = [undefined, '', '20', 'other', 5, null]
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 4 }), (rules) => {
        const text = rules
          .map(({ effect, test }) =>
            [
              `- ${effect}: devices.function:call`,
              ...(test === null ? [] : [`  with: { argument: ${test} }`]),
            ].join('\n'),
          )
          .join('\n')
        const gate = gateOf(userWith(text))
        const [said] = of(permissionsOf(gate), 'devices.function:call')
        const outcomes = new Set(
          values.map((argument) => {
            const request = {
              ...{ action: 'devices.function:call', resource: myDevice, fields: {} },
              values: argument === undefined ? {} : { argument },
            }
            return gate.engine.decide(
              principalOf('u', gate.engine.user('u')),
              [request],
              () => ({}),
              context,
            ).outcome
          }),
        )
        if (said?.outcome === 'allow') expect([...outcomes]).toEqual(['allow'])
        if (said?.outcome === 'deny') expect([...outcomes]).toEqual(['deny'])
        // Kleene's logic does not see that two conditions exclude each other: it may depend and be the same for all.
        if (outcomes.size === 2) expect(said?.outcome).toBe('depends')
      }),
    )
  })

  it('asks for the facts that it hangs on', () => {
    const gate = gateOf(userWith('- can: devices:get\n  where: { online: true }\n  max_age: 10s'))
    const user = gate.engine.user('u')
    if (user === undefined) throw new Error('no user')
    expect(gate.engine.permissions(user, undefined, myDevice, () => undefined, context)).toEqual({
      outcome: 'needs_facts',
      resources: [myDevice],
      maxAgeMs: 10_000,
    })
  })

  it('looks at the issued grant and at limits, and not at who asks from where', () => {
    const more = 'devices: all\nfrom: 10.0.0.0/8'
    const issued = mustLoad(userWith('- can: devices:get', more)).set.users.get('u')
    const gate = gateOf(
      userWith('- can: devices:get\n- can: devices:ping\n  limit: { calls: 1, per: 1m }', more),
    )
    expect(of(permissionsOf(gate, {}), 'devices:ping')).toMatchObject([{ outcome: 'allow' }])
    const held = permissionsOf(gate, {}, issued)
    expect(of(held, 'devices:ping')).toMatchObject([{ reason: 'not_in_issued_grant' }])
    expect(of(held, 'devices:get')).toMatchObject([{ outcome: 'allow' }])
    const over = permissionsOf(gate, {}, undefined, myDevice, { wait: () => 1 })
    expect(of(over, 'devices:ping')).toMatchObject([{ reason: 'over_limit' }])
  })

  it('speaks of a product by the routes of products', () => {
    const text = userWith('- can: [products:get, devices:ping, devices:list]')
    const gate = gateOf(text, particleCatalog())
    const ofProduct = permissionsOf(gate, {}, undefined, myProduct)
    expect(of(ofProduct, 'products:get')).toMatchObject([{ outcome: 'allow' }])
    expect(of(ofProduct, 'devices:list')).toMatchObject([{ outcome: 'allow' }])
    expect(of(ofProduct, 'devices:ping')).toEqual([])
    const outside = { ...myProduct, product: '99999' }
    expect(of(permissionsOf(gate, {}, undefined, outside), 'products:get')).toMatchObject([
      { outcome: 'deny', reason: 'outside_boundary' },
    ])
  })
})

/** As a reader would: the entry that names most of what is asked. */
function says(permissions: readonly Permission[], word: 'functions' | 'variables', name: string) {
  const weight = ({ rule: by, fields }: Permission) => {
    const names = fields[word]
    if (names === undefined) return 0
    const form = (text: string) => (by?.text.startsWith('cannot') ? text.toLowerCase() : text)
    const weights = names.map((one) => {
      if (form(one) === form(name)) return 1000
      const stem = one.slice(0, -1)
      const covers = word === 'variables' && one.endsWith('*') && form(name).startsWith(form(stem))
      return covers ? 1 + stem.length : -1
    })
    return Math.max(...weights)
  }
  const best = Math.max(-1, ...permissions.map(weight))
  // Of two that name alike the denial counts: a cannot is stronger than any can.
  const found = best < 0 ? [] : permissions.filter((one) => weight(one) === best)
  return found.length > 0 && found.every(({ outcome }) => outcome === 'allow') ? 'allow' : 'deny'
}

const WORDS = {
  'devices.function:call': ['functions', ['a', 'B', 'ab', 'cd']],
  'devices.variable:get': ['variables', ['a', 'b*', 'AB', 'a*', 'abc*', '*']],
} as const

const rule = fc
  .record({
    effect: fc.constantFrom('can', 'can', 'cannot'),
    action: fc.constantFrom('devices.function:call', 'devices.variable:get'),
    names: fc.option(fc.array(fc.nat(5), { minLength: 1, maxLength: 3 })),
    where: fc.option(fc.constantFrom('{ online: true }', '{ region: eu }')),
  })
  .map(({ effect, action, names, where }) => {
    const [word, known] = WORDS[action]
    const list = names?.map((index) => `'${known[index % known.length] ?? ''}'`).join(', ')
    const lines = [
      `- ${effect}: ${action}`,
      ...(list === undefined ? [] : [`  ${word}: [${list}]`]),
      ...(where === null ? [] : [`  where: ${where}`]),
    ]
    return lines.join('\n')
  })
const rules = fc.array(rule, { minLength: 1, maxLength: 5 }).map((all) => all.join('\n'))
const facts = fc.record({ online: fc.boolean(), region: fc.constantFrom('eu', 'us') })
const name = fc.constantFrom('a', 'A', 'b', 'B', 'ab', 'AB', 'abc', 'bx', 'abcd', 'cd', 'zz')

describe('permissions against decide', () => {
  it('says allow exactly where a request with those names is allowed', () => {
    const seen = { allow: 0, deny: 0 }
    fc.assert(
      fc.property(
        rules,
        rules,
        facts,
        fc.array(name),
        fc.boolean(),
        (text, old, at, names, both) => {
          const gate = gateOf(userWith(text))
          const issued = both ? mustLoad(userWith(old)).set.users.get('u') : undefined
          const all = permissionsOf(gate, at, issued)
          for (const action of ['devices.function:call', 'devices.variable:get'] as const) {
            const [word] = WORDS[action]
            for (const one of names) {
              const asked = { fields: { [word]: [one] }, facts: at, ...(issued && { issued }) }
              const decided = gate.full(action, asked).outcome
              expect(says(of(all, action), word, one), `${action} ${one}`).toBe(decided)
              seen[decided === 'allow' ? 'allow' : 'deny']++
            }
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan(100)
  })
})
