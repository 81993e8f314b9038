import { describe, expect, it } from 'vitest'
import type { AccessRequest, Resource } from '../../../src/domain/access-request.ts'
import type { Decision, DenyReason } from '../../../src/domain/decision.ts'
import { chargeDeadEnds } from '../../../src/proxy/dead-ends.ts'
import type { Asked } from '../../../src/proxy/describe.ts'
import { aRoute, mine, other } from '../../kit/a-route.ts'
import { allowed, aPrincipal, denied, fakeDirectory } from '../../kit/fakes.ts'

const context = { requestId: 'r', atMs: 0, address: '' }
const deviceOf = (device: string): Resource => ({ type: 'device', product: '1', device })

function asking(...requests: Pick<AccessRequest, 'resource' | 'relation'>[]): Asked {
  return {
    route: aRoute(),
    target: '/',
    requests: requests.map((request) => ({ action: 'a', fields: {}, values: {}, ...request })),
    unresolved: undefined,
    resource: { type: 'product', product: '1' },
    upstream: { target: '/', body: undefined, contentType: '', guard: { kind: 'none' } },
  }
}

const deny = (reason: DenyReason, resource: string): Decision => ({
  ...{ ...denied, reason },
  failed: { action: 'a', resource },
})

async function chargedFor(decision: Decision, asked: Asked, later = false): Promise<Resource[]> {
  const directory = fakeDirectory()
  const decide = chargeDeadEnds(() => (later ? Promise.resolve(decision) : decision), directory)
  expect(await decide(aPrincipal, asked, context)).toBe(decision)
  return directory.deadEnds
}

describe('chargeDeadEnds', () => {
  const both = asking({ resource: deviceOf(mine) }, { resource: deviceOf(other) })

  it('charges for the device that is outside, and for no other of the request', async () => {
    const foreign = deny('outside_boundary', other)
    expect(await chargedFor(foreign, both)).toEqual([deviceOf(other)])
    expect(await chargedFor(foreign, both, true)).toEqual([deviceOf(other)])
    // The product is theirs, the device is not.
    const outside = deny('outside_devices', other)
    expect(await chargedFor(outside, both)).toEqual([{ type: 'device', device: other }])
  })

  it('charges nothing for an allow, nor for a denial of something on a device in reach', async () => {
    expect(await chargedFor(allowed, both)).toEqual([])
    expect(await chargedFor(deny('not_granted', mine), both)).toEqual([])
    expect(await chargedFor(deny('forbidden', mine), both, true)).toEqual([])
  })

  it('does not charge a place for what was not found in it', async () => {
    const place: Resource = { type: 'product', product: '1' }
    const none = asking({ resource: place, relation: 'none' })
    expect(await chargedFor(deny('outside_devices', '1'), none)).toEqual([])
    expect(await chargedFor(deny('outside_boundary', '1'), asking({ resource: place }))).toEqual([
      place,
    ])
  })

  it('stays synchronous where deciding is', () => {
    const decide = chargeDeadEnds(() => allowed, fakeDirectory())
    expect(decide(aPrincipal, both, context)).toBe(allowed)
  })
})
