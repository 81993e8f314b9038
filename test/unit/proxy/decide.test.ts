import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../src/domain/access-request.ts'
import { Problem } from '../../../src/domain/problem.ts'
import type { FactsInHand, NeedsFacts } from '../../../src/policy/policy-engine.ts'
import { createPolicyEngine } from '../../../src/policy/engine.ts'
import { createDecide } from '../../../src/proxy/decide.ts'
import type { Asked } from '../../../src/proxy/describe.ts'
import { aRoute, mine, other } from '../../kit/a-route.ts'
import { particleCatalog } from '../../kit/catalog.ts'
import { aPrincipal, allowed, denied, fakeDirectory, fakePolicy } from '../../kit/fakes.ts'
import { mustLoad, NOON, principalOf, PRODUCT, userWith } from '../../kit/policies.ts'

const context = { requestId: 'r', atMs: 0, address: '' }
const device = (id: string): Resource => ({ type: 'device', product: '1', device: id })
const asked: Asked = {
  route: aRoute(),
  target: '/',
  requests: [{ action: 'devices:get', resource: device(mine), fields: {}, values: {} }],
  unresolved: undefined,
  resource: device(mine),
  upstream: { target: '/', body: undefined, contentType: '', guard: { kind: 'none' } },
}

const needs = (resources: readonly Resource[], maxAgeMs?: number): NeedsFacts => ({
  ...{ outcome: 'needs_facts', resources, maxAgeMs },
})

describe('decide', () => {
  it('denies what could not be resolved without asking the engine', async () => {
    const decide = createDecide(
      fakePolicy(() => {
        throw new Error('asked')
      }),
      fakeDirectory(),
    )
    const decision = await decide(aPrincipal, { ...asked, unresolved: 'outside_devices' }, context)
    expect(decision).toMatchObject({ outcome: 'deny', reason: 'outside_devices', tell: undefined })
  })

  it('fetches what is missing and asks once more, with all it has seen still in hand', async () => {
    const cache = new Map([[mine, { groups: ['a'] }]])
    const directory = fakeDirectory({
      cached: ({ device: id = '' }) => cache.get(id),
      attributes: async () => {
        // A write of somebody else's empties the cache meanwhile.
        cache.clear()
        return { groups: ['b'] }
      },
    })
    const seen: unknown[] = []
    const policy = fakePolicy((_principal, _requests, facts: FactsInHand) => {
      const known = [facts(device(mine), undefined), facts(device(other), undefined)]
      seen.push(known)
      const missing = known.includes(undefined)
      return missing ? needs([device(other)]) : allowed
    })
    expect(await createDecide(policy, directory)(aPrincipal, asked, context)).toBe(allowed)
    expect(seen).toEqual([
      [{ groups: ['a'] }, undefined],
      [{ groups: ['a'] }, { groups: ['b'] }],
    ])
  })

  it('answers 503 where the engine is never satisfied, and passes a failed look-up on', async () => {
    const wanting = fakePolicy(() => needs([device(mine)]))
    await expect(
      createDecide(wanting, fakeDirectory())(aPrincipal, asked, context),
    ).rejects.toThrow(/attribute_unavailable/)
    const rationed = fakeDirectory({
      attributes: () => Promise.reject(new Problem('rationed')),
    })
    await expect(createDecide(wanting, rationed)(aPrincipal, asked, context)).rejects.toThrow(
      /rationed/,
    )
  })

  it('asks for facts as young as a rule wants them, and believes no older ones', async () => {
    const ages: unknown[] = []
    const directory = fakeDirectory({
      cached: (_, maxAgeMs) => (maxAgeMs === undefined ? { groups: ['old'] } : undefined),
      attributes: async (_, __, maxAgeMs) => {
        ages.push(maxAgeMs)
        return { groups: ['new'] }
      },
    })
    const seen: unknown[] = []
    const policy = fakePolicy((_principal, _requests, facts) => {
      seen.push([facts(device(mine), undefined), facts(device(mine), 5000)])
      return seen.length === 1 ? needs([device(mine)], 5000) : allowed
    })
    await createDecide(policy, directory)(aPrincipal, asked, context)
    expect(ages).toEqual([5000])
    expect(seen).toEqual([
      [{ groups: ['old'] }, undefined],
      [{ groups: ['new'] }, { groups: ['new'] }],
    ])
  })

  it('has many devices read at once, and decides on what was read although it is old by then', async () => {
    const many = Array.from({ length: 20 }, (_, index) => device(String(index)))
    let prepared: readonly Resource[] = []
    const directory = fakeDirectory({
      prepare: async (resources) => {
        prepared = resources
        return ({ device }) => ({ name: device })
      },
      attributes: () => Promise.reject(new Error('one by one')),
    })
    const seen: unknown[] = []
    const policy = fakePolicy((_principal, _requests, facts) => {
      seen.push(facts(device('19'), 10))
      return seen.length === 1 ? needs(many, 10) : allowed
    })
    expect(await createDecide(policy, directory)(aPrincipal, asked, context)).toBe(allowed)
    expect(prepared).toBe(many)
    expect(seen).toEqual([undefined, { name: '19' }])
  })

  it('denies a part of an answer that goes by whole, and lets a whole one by', async () => {
    const stream = {
      ...asked,
      route: aRoute('GET /e', { way: 'streaming', answer: { kind: 'opaque' } }),
    }
    const part = { ...allowed, obligations: { ...allowed.obligations, hide: new Set(['a']) } }
    const decide = (decision: typeof allowed | typeof denied) =>
      createDecide(
        fakePolicy(() => decision),
        fakeDirectory(),
      )
    expect(await decide(part)(aPrincipal, stream, context)).toMatchObject({
      ...{ outcome: 'deny', reason: 'cannot_filter' },
      failed: { action: 'devices:get', resource: mine },
    })
    expect(await decide(part)(aPrincipal, asked, context)).toBe(part)
    expect(await decide(allowed)(aPrincipal, stream, context)).toBe(allowed)
    expect(await decide(denied)(aPrincipal, stream, context)).toBe(denied)
  })
})

describe('R25 a decision on many devices', () => {
  const idAt = (n: number) => n.toString(16).padStart(24, '0')
  const count = 5000
  const body = ['action', 'devices', 'metadata']
  const requests = Array.from({ length: count }, (_, n) => ({
    action: 'devices:update.groups',
    resource: { type: 'device' as const, product: PRODUCT, device: idAt(n) },
    fields: { body },
    values: {},
  }))
  const many: Asked = { ...asked, requests }
  const rule = (more = '') => `- can: devices:update.groups\n  body: [${body.join(', ')}]${more}`
  const below = (version: number) => rule(`\n  where: { firmware_version: { $lt: ${version} } }`)
  const at = { ...context, atMs: NOON, address: '127.0.0.1' }
  const lookedUp = {
    attributes: async ({ device: id = '' }: Resource) => ({ firmware_version: Number(`0x${id}`) }),
  }

  function engineOf(policies: string) {
    const catalog = particleCatalog()
    const policy = createPolicyEngine({
      catalog,
      set: mustLoad(policies, catalog).set,
      cacheSize: 10,
    })
    return { policy, principal: principalOf('u', policy.user('u')), catalog }
  }

  it.each([
    ['allows all', userWith(rule()), 'allow'],
    ['allows all by what they are', userWith(below(count)), 'allow'],
    ['denies the last for what it is', userWith(below(count - 1)), 'not_granted'],
    ['denies the first', userWith(rule(), `devices: [${idAt(count)}]`), 'outside_devices'],
    ['denies what nothing grants', userWith('- can: devices:get'), 'not_granted'],
  ])('%s, exactly as if it had been made at once', async (_, policies, outcome) => {
    const { policy, principal } = engineOf(policies)
    const decision = await createDecide(policy, fakeDirectory(lookedUp))(principal, many, at)
    const facts: FactsInHand = ({ device: id = '' }) => ({ firmware_version: Number(`0x${id}`) })
    expect(decision.outcome === 'deny' ? decision.reason : 'allow').toBe(outcome)
    expect(decision).toEqual(policy.decide(principal, requests, facts, at))
  })

  it('lets others have their turn in between', async () => {
    const { policy, principal } = engineOf(userWith(below(count)))
    const decide = createDecide(policy, fakeDirectory(lookedUp))
    let turns = 0
    let next: NodeJS.Immediate | undefined
    const turn = () => {
      turns += 1
      next = setImmediate(turn)
    }
    turn()
    const decision = await decide(principal, many, at)
    clearImmediate(next)
    expect(decision.outcome).toBe('allow')
    // Twice over all questions, and once over all look-ups, 500 a turn.
    expect(turns).toBeGreaterThanOrEqual((2 * count * body.length) / 500 + count / 500)
  })

  it('is made anew where other policies come into force meanwhile', async () => {
    const { policy, principal, catalog } = engineOf(userWith(rule()))
    const decide = createDecide(policy, fakeDirectory(lookedUp))
    const before = decide(principal, many, at)
    await new Promise((resolve) => setImmediate(resolve))
    policy.use(mustLoad(userWith('- can: devices:get'), catalog).set)
    expect(await before).toMatchObject({ outcome: 'deny', reason: 'not_granted' })
    policy.use(mustLoad(userWith(rule()), catalog).set)
    const last = decide(principal, many, at)
    await new Promise((resolve) => setImmediate(resolve))
    expect(await last).toMatchObject({ outcome: 'allow' })
  })
})
