import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../../src/domain/access-request.ts'
import { sharedTarget } from '../../../../src/proxy/streams/place.ts'
import { aPattern, aRoute, mine } from '../../../kit/a-route.ts'

function shared(pattern: string, resource: Resource, form = '/x', target = '/x') {
  return sharedTarget(aPattern(pattern), { route: aRoute(`GET ${form}`), target, resource })
}

const device: Resource = {
  type: 'device',
  organization: 'acmeacme',
  product: '12345',
  device: mine,
}

describe('sharedTarget', () => {
  it.each([
    [
      '/v1/products/:product/events',
      '/v1/products/12345/events',
      { type: 'product', product: '12345' },
    ],
    [
      '/v1/orgs/:organization/events',
      '/v1/orgs/acmeacme/events',
      { type: 'organization', organization: 'acmeacme' },
    ],
    [
      '/v1/:product/of/:organization',
      '/v1/12345/of/acmeacme',
      { type: 'product', organization: 'acmeacme', product: '12345' },
    ],
    ['/v1/devices/:device/events', `/v1/devices/${mine}/events`, { type: 'device', device: mine }],
    ['/v1/events', '/v1/events', { type: 'none' }],
  ])('fills %s with the decided ids, and says what it is of', (pattern, target, place) => {
    expect(shared(pattern, device)).toEqual({ target, place })
  })

  it('fills other parameters with what the canonical target says, encoded once', () => {
    const { target } = shared(
      '/v1/sites/:site/events',
      { type: 'none' },
      '/v1/sites/:site/events/:prefix',
      '/v1/sites/north%2Fwest/events/t?nonce=1',
    )
    expect(target).toBe('/v1/sites/north%2Fwest/events')
  })

  it('takes the decided id, whatever the client called it', () => {
    const { target } = shared(
      '/v1/products/:product/events',
      { type: 'product', product: '12345' },
      '/v1/products/:product/events',
      '/v1/products/my-slug/events',
    )
    expect(target).toBe('/v1/products/12345/events')
  })

  it('throws where something is missing, rather than ask for another stream', () => {
    expect(() => shared('/v1/products/:product/events', { type: 'none' })).toThrow('internal')
  })
})
