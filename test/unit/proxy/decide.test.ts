import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../src/domain/access-request.ts'
import { Problem } from '../../../src/domain/problem.ts'
import type { FactsInHand } from '../../../src/policy/policy-engine.ts'
import { createDecide } from '../../../src/proxy/decide.ts'
import type { Asked } from '../../../src/proxy/describe.ts'
import { aRoute, mine, other } from '../../kit/a-route.ts'
import { aPrincipal, allowed, denied, fakeDirectory, fakePolicy } from '../../kit/fakes.ts'

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
      const known = [facts(device(mine)), facts(device(other))]
      seen.push(known)
      const missing = known.includes(undefined)
      return missing ? { outcome: 'needs_facts', resources: [device(other)] } : allowed
    })
    expect(await createDecide(policy, directory)(aPrincipal, asked, context)).toBe(allowed)
    expect(seen).toEqual([
      [{ groups: ['a'] }, undefined],
      [{ groups: ['a'] }, { groups: ['b'] }],
    ])
  })

  it('answers 503 where the engine is never satisfied, and passes a failed look-up on', async () => {
    const needs = fakePolicy(() => ({ outcome: 'needs_facts', resources: [device(mine)] }))
    await expect(createDecide(needs, fakeDirectory())(aPrincipal, asked, context)).rejects.toThrow(
      /attribute_unavailable/,
    )
    const rationed = fakeDirectory({
      attributes: () => Promise.reject(new Problem('rationed')),
    })
    await expect(createDecide(needs, rationed)(aPrincipal, asked, context)).rejects.toThrow(
      /rationed/,
    )
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
      ...{ outcome: 'deny', reason: 'cannot_filter_yet' },
      failed: { action: 'devices:get', resource: mine },
    })
    expect(await decide(part)(aPrincipal, asked, context)).toBe(part)
    expect(await decide(allowed)(aPrincipal, stream, context)).toBe(allowed)
    expect(await decide(denied)(aPrincipal, stream, context)).toBe(denied)
  })
})
