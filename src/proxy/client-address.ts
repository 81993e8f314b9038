/** The client's address for the audit log: the socket's peer, unless that is a proxy the configuration names. */

import { BlockList, isIP, SocketAddress } from 'node:net'
import { valuesOf } from './credentials.ts'

export type TrustedProxies = {
  trusts(address: string): boolean
  /** How many proxies every request passes. */
  hops: number
}

/** Peers on a unix socket have no address; they go by this word, in networks and in the log. */
const unixPeer = 'unix'

/** `networks` are CIDRs, addresses or `unix`, as the configuration checked them. */
export function createTrustedProxies(networks: readonly string[], hops: number): TrustedProxies {
  const list = new BlockList()
  for (const network of networks.filter((name) => name !== unixPeer)) {
    const [address = '', prefix] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  const unix = networks.includes(unixPeer)
  if (networks.length === 0) return { hops: 0, trusts: () => false }
  return {
    hops,
    trusts: (address) =>
      address === unixPeer ? unix : list.check(address, address.includes(':') ? 'ipv6' : 'ipv4'),
  }
}

/** From the socket's peer and the headers as received. */
export function createAddressOf(proxies: { networks: readonly string[]; hops: number }) {
  const trusted = createTrustedProxies(proxies.networks, proxies.hops)
  const believes = proxies.networks.length > 0
  return (peer: string | undefined, rawHeaders: readonly string[]): string =>
    clientAddress(peer, believes ? valuesOf(rawHeaders, 'x-forwarded-for') : [], trusted)
}

/**
 * Counts from the right, where our own proxies wrote: what stands further left is the client's to forge (H11). Where a
 * proxy is not one of ours, or wrote no address, the last one known for sure is the answer.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: readonly string[],
  trusted: TrustedProxies,
): string {
  let known = peer === undefined ? unixPeer : ofPeer(peer)
  const entries = forwardedFor.flatMap((line) => line.split(','))
  for (let hop = 0; hop < trusted.hops && trusted.trusts(known); hop++) {
    const next = canonical((entries.pop() ?? '').trim())
    if (next === undefined) break
    known = next
  }
  return known
}

/** The zone of a link-local address is the kernel's word, and no part of what a network is compared with (RFC 4007 §11). */
function ofPeer(peer: string): string {
  const [address = ''] = peer.split('%', 1)
  return canonical(address) ?? peer
}

/** One spelling per address, IPv4 in IPv6 unwrapped; `undefined` for what is no address, a zone or a port included. */
function canonical(text: string): string | undefined {
  const family = isIP(text)
  if (family === 4) return text
  if (family === 0 || text.includes('%')) return undefined
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  return mapped?.[1] ?? address
}
