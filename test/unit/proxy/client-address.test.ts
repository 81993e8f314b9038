import { describe, expect, it } from 'vitest'
import {
  clientAddress,
  createAddressOf,
  createTrustedProxies,
} from '../../../src/proxy/client-address.ts'

const nobody = createTrustedProxies([], 1)
const office = createTrustedProxies(['10.0.0.0/8', 'fd00::/8'], 1)

describe('clientAddress', () => {
  it.each([
    ['a plain address', '1.2.3.4'],
    ['a word that another proxy would take', 'javascript'],
    ['an own network', '10.0.0.1'],
  ])('H11 ignores %s in X-Forwarded-For of a peer nobody named', (_, header) => {
    expect(clientAddress('203.0.113.9', [header], nobody)).toBe('203.0.113.9')
    expect(clientAddress('203.0.113.9', [header], office)).toBe('203.0.113.9')
  })

  it('takes what a trusted proxy wrote', () => {
    expect(clientAddress('10.0.0.1', ['198.51.100.7'], office)).toBe('198.51.100.7')
  })

  it('H11 counts from the right, so that what the client sent itself is not believed', () => {
    expect(clientAddress('10.0.0.1', ['1.2.3.4, 198.51.100.7'], office)).toBe('198.51.100.7')
    expect(clientAddress('10.0.0.1', ['1.2.3.4', '198.51.100.7'], office)).toBe('198.51.100.7')
  })

  it('H11 stops after the configured hops, even at a client inside the trusted network', () => {
    expect(clientAddress('10.0.0.1', ['1.2.3.4, 10.9.9.9'], office)).toBe('10.9.9.9')
  })

  it('walks several hops, but only through trusted proxies', () => {
    const two = createTrustedProxies(['10.0.0.0/8'], 2)
    expect(clientAddress('10.0.0.1', ['1.1.1.1, 198.51.100.7, 10.0.0.2'], two)).toBe('198.51.100.7')
    expect(clientAddress('10.0.0.1', ['1.1.1.1, 198.51.100.7'], two)).toBe('198.51.100.7')
  })

  it.each([
    '',
    ' ',
    'unknown',
    '198.51.100.7:443',
    '[2001:db8::1]',
    'fe80::1%eth0',
    '1.2.3',
    '::g',
  ])('falls back to the proxy where it wrote %j', (header) => {
    expect(clientAddress('10.0.0.1', [header], office)).toBe('10.0.0.1')
  })

  it('falls back to the proxy where it wrote nothing', () => {
    expect(clientAddress('10.0.0.1', [], office)).toBe('10.0.0.1')
  })

  it('gives every address one spelling', () => {
    expect(clientAddress('::ffff:203.0.113.9', [], nobody)).toBe('203.0.113.9')
    expect(clientAddress('2001:DB8:0:0::1', [], nobody)).toBe('2001:db8::1')
    expect(clientAddress('::ffff:10.0.0.1', ['::FFFF:c633:6407'], office)).toBe('198.51.100.7')
  })

  it('trusts IPv6 networks by their prefix and not beyond', () => {
    expect(clientAddress('fd12::1', ['198.51.100.7'], office)).toBe('198.51.100.7')
    expect(clientAddress('fe12::1', ['198.51.100.7'], office)).toBe('fe12::1')
  })

  it('calls a peer on a unix socket unix, and trusts it only where that is said', () => {
    const unix = createTrustedProxies(['unix'], 1)
    expect(clientAddress(undefined, ['198.51.100.7'], unix)).toBe('198.51.100.7')
    expect(clientAddress(undefined, ['198.51.100.7'], office)).toBe('unix')
    expect(clientAddress('203.0.113.9', ['198.51.100.7'], unix)).toBe('203.0.113.9')
  })

  it('H11 takes a link-local peer for its address, whatever its zone, and not for one on a unix socket', () => {
    const unix = createTrustedProxies(['unix'], 1)
    expect(clientAddress('fe80::1%eth0', ['198.51.100.7'], unix)).toBe('fe80::1')
    const link = createTrustedProxies(['fe80::/10'], 1)
    expect(clientAddress('fe80::1%eth0', ['198.51.100.7'], link)).toBe('198.51.100.7')
    expect(clientAddress('no address', ['198.51.100.7'], unix)).toBe('no address')
  })

  it('takes single addresses as networks of one', () => {
    const one = createTrustedProxies(['10.0.0.1', 'fd00::1'], 1)
    expect(clientAddress('10.0.0.1', ['198.51.100.7'], one)).toBe('198.51.100.7')
    expect(clientAddress('fd00::1', ['198.51.100.7'], one)).toBe('198.51.100.7')
    expect(clientAddress('10.0.0.2', ['198.51.100.7'], one)).toBe('10.0.0.2')
  })
})

describe('createAddressOf', () => {
  it('joins every line of the header in order, in any case, and no value that looks like its name', () => {
    const addressOf = createAddressOf({ networks: ['10.0.0.0/8'], hops: 1 })
    const raw = [
      'Host',
      'x-forwarded-for',
      'X-Forwarded-For',
      '1.1.1.1',
      'x-forwarded-FOR',
      '2.2.2.2',
    ]
    expect(addressOf('10.0.0.1', raw)).toBe('2.2.2.2')
    expect(addressOf('192.0.2.1', raw)).toBe('192.0.2.1')
  })
})
