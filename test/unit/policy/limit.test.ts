import { describe, expect, it } from 'vitest'
import type { Charge } from '../../../src/domain/decision.ts'
import { gateOf, mistakesIn, mustLoad, myProduct, NOON, userWith } from '../../kit/policies.ts'

const limit = (calls: number, per = '1m') => `{ calls: ${calls}, per: ${per} }`
const CALL = { fields: { functions: ['a'] } }
const CALL_B = { fields: { functions: ['b'] } }

/** Room for so many calls under each limit of that many; what it is asked is written down. */
function used(...full: readonly number[]) {
  const asked: Charge[] = []
  const wait = (charge: Charge) => {
    asked.push(charge)
    return full.includes(charge.limit.calls) ? 1500 : 0
  }
  return { wait, asked }
}

function chargesOf(gate: ReturnType<typeof gateOf>, action: string, question = {}) {
  const decision = gate.full(action, question)
  if (decision.outcome !== 'allow') throw new Error(JSON.stringify(decision))
  return decision.charges ?? []
}

describe('limit', () => {
  const gate = gateOf(userWith(`- can: devices:get\n  limit: ${limit(5)}\n- can: devices:ping`))

  it('an allow says what it is counted by; one that no limit bears says nothing', () => {
    expect(gate.full('devices:get')).toMatchObject({
      outcome: 'allow',
      charges: [{ key: expect.stringMatching(/^[0-9a-f]{64}$/), limit: { calls: 5, perS: 60 } }],
    })
    expect(gate.full('devices:ping')).not.toHaveProperty('charges')
  })

  it('is denied where no room is left, with the seconds until there is, and only where it is used up', () => {
    expect(gate.full('devices:get', used(5))).toMatchObject({
      outcome: 'deny',
      reason: 'over_limit',
      retryAfterS: 2,
      rule: { text: 'can devices:get' },
    })
    expect(gate.ask('devices:get', used())).toBe('allow')
    expect(gate.ask('devices:ping', used(5))).toBe('allow')
  })

  it('never says less than a second', () => {
    expect(gate.full('devices:get', { wait: () => 1 })).toMatchObject({ retryAfterS: 1 })
  })

  it('takes a wait that is no number for no room', () => {
    expect(gate.ask('devices:get', { wait: () => Number.NaN })).toBe('over_limit')
  })

  it('another can takes the place of one that is used up', () => {
    const two = gateOf(
      userWith(
        `- can: devices:get\n  limit: ${limit(5)}\n- can: devices:get\n  limit: ${limit(9)}`,
      ),
    )
    expect(chargesOf(two, 'devices:get', used()).map(({ limit: { calls } }) => calls)).toEqual([5])
    expect(chargesOf(two, 'devices:get', used(5)).map(({ limit: { calls } }) => calls)).toEqual([9])
    expect(two.ask('devices:get', used(5, 9))).toBe('over_limit')
  })

  it('comes after every other reason', () => {
    const all = gateOf(
      userWith(
        `- can: devices.function:call
  functions: [a]
  where: { online: true }
  limit: ${limit(5)}
- cannot: devices.function:call
  where: { region: us }`,
      ),
    )
    const ask = (facts: Record<string, unknown>, more = CALL) =>
      all.ask('devices.function:call', { ...more, facts, ...used(5) })
    expect(ask({ online: true, region: 'eu' })).toBe('over_limit')
    expect(ask({ online: false, region: 'eu' })).toBe('not_granted')
    expect(ask({ online: true, region: 'us' })).toBe('forbidden')
    expect(ask({ online: true, region: 'eu' }, CALL_B)).toBe('not_granted')
  })

  it('comes after hours, and is said where waiting for room would be enough', () => {
    const day = '{ days: tue, zone: UTC }'
    const both = gateOf(userWith(`- can: devices:get\n  when: ${day}\n  limit: ${limit(5)}`))
    expect(both.ask('devices:get', used(5))).toBe('outside_hours')
    const tuesday = { atMs: NOON + 86_400_000 }
    expect(both.ask('devices:get', { ...tuesday, ...used(5) })).toBe('over_limit')
    expect(both.ask('devices:get', { ...tuesday, ...used() })).toBe('allow')
    const either = gateOf(
      userWith(`- can: devices:get\n  when: ${day}\n- can: devices:get\n  limit: ${limit(5)}`),
    )
    expect(either.ask('devices:get', used(5))).toBe('over_limit')
    expect(either.ask('devices:get', used())).toBe('allow')
  })

  it('does not ask the cloud for who is over it', () => {
    const open = gateOf(
      userWith(`- can: devices:get\n  limit: ${limit(5)}`, 'devices: { region: eu }'),
    )
    expect(open.ask('devices:get', { facts: null, ...used() })).toBe('needs_facts')
    expect(open.ask('devices:get', { facts: { region: 'eu' }, ...used(5) })).toBe('over_limit')
    expect(open.ask('devices:get', { facts: { region: 'us' }, ...used(5) })).toBe('outside_devices')
  })

  it('a rule that adds keys to the answer is counted, whichever decided', () => {
    const shown = gateOf(
      userWith(
        `- can: devices:get\n  answer: id\n- can: devices:get\n  answer: name\n  limit: ${limit(5)}`,
      ),
    )
    expect(shown.full('devices:get', used())).toMatchObject({
      obligations: { answer: new Set(['id', 'name']) },
      charges: [{ limit: { calls: 5 } }],
    })
    const without = shown.full('devices:get', used(5))
    expect(without).toMatchObject({ outcome: 'allow', obligations: { answer: new Set(['id']) } })
    expect(without).not.toHaveProperty('charges')
  })

  it('counts each limit once, over all names and requests', () => {
    const two = gateOf(
      userWith(
        `- can: devices.function:call\n  functions: [a, b]\n  limit: ${limit(5)}
- can: devices.function:call\n  functions: [c]\n  limit: ${limit(9)}`,
      ),
    )
    const calls = (functions: string[]) =>
      chargesOf(two, 'devices.function:call', { fields: { functions } })
        .map((charge) => charge.limit.calls)
        .toSorted((a, b) => a - b)
    expect(calls(['a', 'b'])).toEqual([5])
    expect(calls(['a', 'c'])).toEqual([5, 9])
  })

  it('is no word of a cannot or a guardrail', () => {
    expect(mistakesIn(userWith(`- cannot: devices:get\n  limit: ${limit(5)}`))).toEqual([
      expect.stringMatching(/limit stands on a can/),
    ])
    expect(mistakesIn(`guardrails:\n  - cannot: deploy\n    limit: ${limit(5)}\n`)).toEqual([
      expect.stringMatching(/limit stands on a can/),
    ])
  })
})

describe('the key of a count', () => {
  const keyOf = (text: string, user = 'u') =>
    chargesOf(gateOf(text), 'devices:get', { user })[0]?.key ?? 'none'
  const text = userWith(`- can: devices:get\n  limit: ${limit(5)}`)

  it('is the same wherever the rule is written, and another for another API user, rule or limit', () => {
    const key = keyOf(text)
    expect(keyOf(`# moved\n\n${text}`)).toBe(key)
    expect(keyOf(userWith(`- can: devices:ping\n- limit: ${limit(5)}\n  can: devices:get`))).toBe(
      key,
    )
    expect(keyOf(text.replace('  u:', '  v:'), 'v')).not.toBe(key)
    expect(keyOf(text.replace('calls: 5', 'calls: 6'))).not.toBe(key)
    expect(keyOf(text.replace('devices:get', '[devices:get, devices:ping]'))).not.toBe(key)
  })

  it('is one for the same rule in both grants, and two where an edit changed the limit', () => {
    const issued = mustLoad(text).set.users.get('u')
    if (issued === undefined) throw new Error('no user')
    const more = `${text}      - can: devices:ping\n`
    expect(chargesOf(gateOf(more), 'devices:get', { issued })).toHaveLength(1)
    const looser = gateOf(text.replace('calls: 5', 'calls: 50'))
    expect(chargesOf(looser, 'devices:get', { issued })).toHaveLength(2)
    expect(looser.ask('devices:get', { issued, ...used(5) })).toBe('over_limit')
    expect(looser.ask('devices:get', used(5))).toBe('allow')
  })
})

describe('rate', () => {
  const rated = `devices: all\nrate: ${limit(7, '1h')}`
  const gate = gateOf(userWith('- can: [devices:get, devices:ping, devices:list]', rated))

  it('counts every request of the API user by one key', () => {
    const [get] = chargesOf(gate, 'devices:get')
    const [ping] = chargesOf(gate, 'devices:ping')
    expect(get).toMatchObject({ limit: { calls: 7, perS: 3600 } })
    expect(ping?.key).toBe(get?.key)
  })

  it('denies all that would be allowed while it is used up, and comes last', () => {
    expect(gate.full('devices:get', used(7))).toMatchObject({
      reason: 'over_limit',
      retryAfterS: 2,
    })
    expect(gate.ask('devices.function:call', { ...CALL, ...used(7) })).toBe('not_granted')
    expect(gate.ask('devices:get', used())).toBe('allow')
  })

  it('of both grants counts', () => {
    const issued = mustLoad(userWith('- can: devices:get', `devices: all\nrate: ${limit(3)}`)).set
    const user = issued.users.get('u')
    const both = { ...(user && { issued: user }) }
    expect(chargesOf(gate, 'devices:get', both).map((one) => one.limit.calls)).toEqual([7, 3])
    expect(gate.ask('devices:get', { ...both, ...used(3) })).toBe('over_limit')
    expect(gate.ask('devices:get', used(3))).toBe('allow')
  })

  it('is part of the hash; a grant without it and without from keeps the hash it always had', () => {
    const hashOf = (more: string) =>
      mustLoad(userWith('- can: devices:get', more)).set.users.get('u')?.grantHash
    expect(hashOf(rated)).not.toBe(hashOf('devices: all'))
    // Made by the version before these words existed: live tokens carry such hashes.
    const before = userWith(
      `- can: devices:get\n  limit: ${limit(5)}\n- cannot: devices:ping\n  where: { online: true }`,
    )
    expect(mustLoad(before).set.users.get('u')?.grantHash).toBe(
      'ecb3621fa34d94a33865a2937dd268741094871a55472132a5cbafdcef343d67',
    )
  })

  it.each([
    ['{ calls: 5 }', /rate needs "per"/],
    ['{ per: 1m }', /rate needs "calls"/],
    ['{ calls: 0, per: 1m }', /must be from 1 to/],
    ['{ calls: 5, per: 1500ms }', /whole seconds/],
    ['{ calls: 5, per: 25d }', /24d at most/],
    ['{ calls: 5, per: 1m, burst: 2 }', /unknown key "burst"/],
    ['5', /must be a mapping/],
  ])('is refused as %s', (text, says) => {
    const mistakes = mistakesIn(userWith('- can: devices:get', `devices: all\nrate: ${text}`))
    expect(mistakes.join('\n')).toMatch(says)
  })
})

describe('limits of lists', () => {
  const gate = gateOf(
    userWith(
      `- can: devices:list\n  answer: id\n- can: devices:list\n  answer: name\n  limit: ${limit(5)}`,
      'devices: { region: eu }',
    ),
  )
  const list = { resource: myProduct }
  const shownBy = (spent?: ReadonlySet<string>) => {
    const judge = gate.items('devices:list', { wait: () => 1000, ...(spent && { spent }) })
    const verdict = judge.judge(
      { resource: { ...myProduct, type: 'device', device: 'd' }, facts: { region: 'eu' } },
      NOON,
    )
    return { key: judge.key, answer: verdict.outcome === 'allow' && verdict.obligations.answer }
  }

  it('count the request and none of its items', () => {
    expect(chargesOf(gate, 'devices:list', { ...list, ...used() })).toHaveLength(1)
    expect(shownBy().answer).toEqual(new Set(['id', 'name']))
  })

  it('a rule that had no room for the request shows nothing of its items', () => {
    const decision = gate.full('devices:list', { ...list, ...used(5) })
    if (decision.outcome !== 'allow') throw new Error('not admitted')
    expect(decision.charges).toBeUndefined()
    expect(shownBy(decision.spent).answer).toEqual(new Set(['id']))
    expect(shownBy(decision.spent).key).not.toBe(shownBy().key)
  })
})
