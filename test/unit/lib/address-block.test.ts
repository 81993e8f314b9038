import { SocketAddress } from 'node:net'
import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { addressBlock } from '../../../src/lib/address-block.ts'

describe('addressBlock', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['unix', 'unix'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1::', '2001:db8:1:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  ])('%s counts as %s', (address, block) => {
    expect(addressBlock(address)).toBe(block)
  })

  it('is the same for all of a /64 and another for any other, however they are spelled', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    const half = fc.tuple(group, group, group, group)
    const spelled = (all: readonly number[]) => {
      const text = all.map((one) => one.toString(16)).join(':')
      return new SocketAddress({ address: text, family: 'ipv6' }).address
    }
    fc.assert(
      fc.property(half, half, half, half, (network, host, otherNetwork, otherHost) => {
        const one = addressBlock(spelled([...network, ...host]))
        expect(addressBlock(spelled([...network, ...otherHost]))).toBe(one)
        const elsewhere = addressBlock(spelled([...otherNetwork, ...host]))
        expect(elsewhere === one).toBe(network.join() === otherNetwork.join())
      }),
    )
  })
})
