import { describe, expect, it } from 'vitest'
import { canonicalAddress } from '../../../src/lib/address-range.ts'
import { compileFrom, isInRange } from '../../../src/policy/addresses.ts'
import { gateOf, mistakesIn, mustLoad, userWith } from '../../kit/policies.ts'

const CAN = '- can: devices:get'
const from = (texts: string) => userWith(CAN, `devices: all\nfrom: ${texts}`)
const grantOf = (texts: string) => mustLoad(from(texts)).set.users.get('u')

describe('from', () => {
  it('is kept in one spelling, sorted, each once', () => {
    const user = grantOf(
      "[192.0.2.7, 10.0.0.0/8, '2001:DB8:0:0::/32', '::ffff:10.0.0.0/104', '::1/128']",
    )
    expect(user?.grant.from).toEqual(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'])
  })

  it('gives one hash to one set of addresses, and another to another', () => {
    const hash = grantOf('[10.0.0.0/8, 192.0.2.7]')?.grantHash
    expect(grantOf("[192.0.2.7/32, '::ffff:10.0.0.0/104']")?.grantHash).toBe(hash)
    expect(grantOf('[10.0.0.0/9, 192.0.2.7]')?.grantHash).not.toBe(hash)
  })

  it.each([
    ['10.0.0.1/8', /says more than its prefix holds; did you mean "10\.0\.0\.0\/8"/],
    ["'2001:db8::1/32'", /did you mean "2001:db8::\/32"/],
    ['10.0.0.0/33', /at most 32 bits/],
    ["'::/129'", /at most 128 bits/],
    ["'::ffff:0:0/90'", /mixes IPv4 and IPv6/],
    ['10.0.0', /is no IP address/],
    ['10.0.0.01', /is no IP address/],
    ['10.0.0.0/08', /is no IP address/],
    ["'fe80::1%eth0'", /is no IP address/],
    ['example.com', /is no IP address/],
    ['any', /is no IP address/],
    ['[]', /must not be an empty list/],
  ])('is refused as %s', (text, says) => {
    expect(mistakesIn(from(text))).toEqual([expect.stringMatching(says)])
  })

  it.each([
    ['10.1.2.3', 'allow'],
    ['::ffff:10.1.2.3', 'allow'],
    ['::ffff:a01:203', 'allow'],
    ['11.0.0.0', 'outside_addresses'],
    ['::ffff:11.0.0.0', 'outside_addresses'],
    ['2001:db8:ffff::1', 'allow'],
    ['2001:db9::', 'outside_addresses'],
    ['fe80::7%eth0', 'allow'],
    ['fe80::8%eth0', 'outside_addresses'],
    ['', 'outside_addresses'],
    ['/run/gate.sock', 'outside_addresses'],
    ['unix', 'outside_addresses'],
  ])('a call from %j is answered %s', (address, outcome) => {
    const gate = gateOf(from("[10.0.0.0/8, '2001:db8::/32', 'fe80::7']"))
    expect(gate.ask('devices:get', { address })).toBe(outcome)
  })

  it('asks from where before what: nothing else is told to who calls from elsewhere', () => {
    const gate = gateOf(from('10.0.0.0/8'))
    expect(gate.ask('devices:ping', { address: '10.0.0.1' })).toBe('not_granted')
    expect(gate.ask('devices:ping', { address: '11.0.0.1' })).toBe('outside_addresses')
  })

  it('an address that a policy edit added is held back; one that it took away is outside at once', () => {
    const gate = gateOf(from('[10.0.0.1, 10.0.0.2]'))
    const issued = grantOf('[10.0.0.1, 10.0.0.3]')
    const ask = (address: string) => gate.ask('devices:get', { address, ...(issued && { issued }) })
    expect(ask('10.0.0.1')).toBe('allow')
    expect(ask('10.0.0.2')).toBe('not_in_issued_grant')
    expect(ask('10.0.0.3')).toBe('outside_addresses')
  })

  it('shows no item of a list or a stream to who calls from elsewhere', () => {
    const gate = gateOf(userWith('- can: devices:list', 'devices: all\nfrom: 10.0.0.0/8'))
    const judge = (address: string) =>
      gate
        .items('devices:list', { address })
        .judge({ resource: { type: 'device', product: '12345', device: 'a' }, facts: {} }, 0)
        .outcome
    expect(judge('10.0.0.1')).toBe('allow')
    expect(judge('11.0.0.1')).toBe('deny')
  })

  it('a range that cannot be read any more in a kept grant admits nobody', () => {
    expect(compileFrom(['somewhere'])('10.0.0.1')).toBe(false)
    expect(compileFrom(['0.0.0.0/0'])('10.0.0.1')).toBe(true)
    expect(compileFrom(['::/0'])('10.0.0.1')).toBe(false)
  })
})

describe('canonicalAddress', () => {
  it.each([
    ['2001:DB8::0:1', '2001:db8::1'],
    ['::ffff:0:0', '0.0.0.0'],
    ['::FFFF:255.255.255.255', '255.255.255.255'],
    ['::1.2.3.4', '::102:304'],
  ])('writes %s as %s', (text, canonical) => {
    expect(canonicalAddress(text)?.text).toBe(canonical)
  })

  it.each(['', '1.2.3', '1.2.3.4.5', ':::', 'localhost', '[::1]', '::1]/x'])(
    'takes %j for no address',
    (text) => {
      expect(canonicalAddress(text)).toBeUndefined()
    },
  )
})

describe('isInRange', () => {
  it.each([
    ['10.1.0.0/16', '10.0.0.0/8', true],
    ['10.0.0.0/8', '10.1.0.0/16', false],
    ['10.0.0.1', '10.0.0.1', true],
    ['11.0.0.1', '10.0.0.0/8', false],
    ['::1', '0.0.0.0/0', false],
    ['2001:db8:1::/48', '2001:db8::/32', true],
  ])('%s in %s: %s', (inner, outer, held) => {
    expect(isInRange(inner, outer)).toBe(held)
  })
})
