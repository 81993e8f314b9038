import { describe, expect, it } from 'vitest'
import { createPolicyEngine } from '../../../src/policy/engine.ts'
import { aCatalog } from '../../kit/a-catalog.ts'
import {
  gateOf,
  mistakesIn,
  mustLoad,
  myDevice,
  NOON,
  principalOf,
  userWith,
} from '../../kit/policies.ts'

const online = '- can: devices:ping\n  where: { online: true }\n  max_age: '

/** Decides with facts of this age, and tells what was asked of whoever has them. */
function ask(rules: string, { ageMs = 0, issued = rules, action = 'devices:ping' } = {}) {
  const catalog = aCatalog()
  const { set } = mustLoad(userWith(rules), catalog)
  const engine = createPolicyEngine({ catalog, set, cacheSize: 10 })
  const asked: (number | undefined)[] = []
  const decision = engine.decide(
    principalOf('u', mustLoad(userWith(issued)).set.users.get('u')),
    [{ action, resource: myDevice, fields: {}, values: {} }],
    (_, maxAgeMs) => {
      asked.push(maxAgeMs)
      return ageMs <= (maxAgeMs ?? 60_000) ? { online: true } : undefined
    },
    { requestId: 'r', atMs: NOON, address: '' },
  )
  return { decision, asked }
}

describe('max_age', () => {
  it('is told for actions that something else has to be found out for, from both grants', () => {
    const maxAge = (rules: string, actions: readonly string[], issued = rules) => {
      const catalog = aCatalog()
      const { set } = mustLoad(userWith(rules), catalog)
      const engine = createPolicyEngine({ catalog, set, cacheSize: 10 })
      const principal = principalOf('u', mustLoad(userWith(issued)).set.users.get('u'))
      return engine.maxAgeOf(principal, actions)
    }
    const rules = `${online}10s\n- cannot: devices:ping\n  max_age: 3s\n- can: devices:get\n  max_age: 1s`
    expect(maxAge(rules, ['devices:ping'])).toBe(3000)
    expect(maxAge(rules, ['devices:ping', 'devices:get'])).toBe(1000)
    expect(maxAge(rules, ['devices:list'])).toBeUndefined()
    expect(maxAge(rules, ['devices:ping'], `${online}2s`)).toBe(2000)
    expect(maxAge(`${online}2s`, ['devices:ping'], rules)).toBe(2000)
    expect(maxAge('- can: devices:ping', ['devices:ping'])).toBeUndefined()
  })

  it('says how old the facts may be, and asks for fresher ones', () => {
    expect(ask(`${online}10s`, { ageMs: 10_000 })).toMatchObject({
      decision: { outcome: 'allow' },
      asked: [10_000],
    })
    expect(ask(`${online}10s`, { ageMs: 10_001 }).decision).toEqual({
      outcome: 'needs_facts',
      resources: [myDevice],
      maxAgeMs: 10_000,
    })
    expect(ask(`${online}10s`.replace(/ {2}max_age.*/, ''), { ageMs: 30_000 })).toMatchObject({
      decision: { outcome: 'allow' },
      asked: [undefined],
    })
  })

  it('is the tightest of all rules on the action, a cannot too, and of no other action', () => {
    const cannot = '- cannot: devices:ping\n  where: { online: false }\n  max_age: 2s'
    const other = '- can: devices:get\n  where: { online: true }\n  max_age: 1s'
    const rules = `${online}10s\n${cannot}\n${other}`
    expect(ask(rules, { ageMs: 3000 }).decision).toMatchObject({ maxAgeMs: 2000 })
    expect(ask(rules, { ageMs: 1500 }).decision).toMatchObject({ outcome: 'allow' })
    expect(ask(rules, { ageMs: 1500, action: 'devices:get' }).decision).toMatchObject({
      outcome: 'needs_facts',
      maxAgeMs: 1000,
    })
  })

  it('holds for the facts of a device limit as well', () => {
    const gate = gateOf(userWith('- can: devices:list\n  max_age: 5s', 'devices: { online: true }'))
    expect(gate.items('devices:list').maxAgeMs).toBe(5000)
    expect(gate.items('devices:get').maxAgeMs).toBeUndefined()
  })

  it('is the tighter of today and the issued grant', () => {
    const tight = { ageMs: 3000, issued: `${online}2s` }
    expect(ask(`${online}10s`, tight).decision).toMatchObject({
      outcome: 'needs_facts',
      maxAgeMs: 2000,
    })
    expect(ask(`${online}2s`, { ...tight, issued: `${online}10s` }).decision).toMatchObject({
      outcome: 'needs_facts',
      maxAgeMs: 2000,
    })
    const issued = mustLoad(userWith(`${online}2s`)).set.users.get('u')
    if (issued === undefined) throw new Error('no user')
    expect(gateOf(userWith(`${online}10s`)).items('devices:ping', { issued }).maxAgeMs).toBe(2000)
  })

  it('is part of what a token was issued under', () => {
    const hash = (age: string) =>
      mustLoad(userWith(`${online}${age}`)).set.users.get('u')?.grantHash
    expect(hash('10s')).toBe(hash('10000ms'))
    expect(hash('10s')).not.toBe(hash('11s'))
  })

  it('must be a duration', () => {
    expect(mistakesIn(userWith(`${online}10`))).toEqual([
      '10: must be a duration such as 250ms, 30s, 15m, 12h or 90d',
    ])
  })
})
