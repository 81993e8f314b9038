import { describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { createCredentials } from '../../../src/upstream/credentials.ts'

describe('createCredentials', () => {
  const credentials = createCredentials({
    default: new Secret('default'),
    products: new Map([['1', new Secret('product')]]),
    organizations: new Map([['o', new Secret('organization')]]),
  })

  it('takes the most specific one', () => {
    const of = (resource: object) => credentials.for({ type: 'device', ...resource }).reveal()
    expect(of({ organization: 'o', product: '1', device: 'd' })).toBe('product')
    expect(of({ organization: 'o', product: '2' })).toBe('organization')
    expect(of({ organization: 'p', product: '2' })).toBe('default')
    expect(of({})).toBe('default')
  })

  it('fails where there is none', () => {
    const bare = createCredentials({ products: new Map([['1', new Secret('product')]]) })
    expect(() => bare.for({ type: 'product', product: '2' })).toThrow(
      expect.objectContaining({ code: 'upstream_refused' }),
    )
  })
})
