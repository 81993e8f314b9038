/** Ranges of addresses as people write them: one spelling each, IPv4 in IPv6 is IPv4, and none says more than it holds. */

import { isIPv4, isIPv6 } from 'node:net'

export type AddressFamily = 'ipv4' | 'ipv6'
export type AddressRange = { family: AddressFamily; network: string; prefix: number }

const BITS = { ipv4: 32, ipv6: 128 } as const
/** Bits of `::ffff:0:0/96`, in which IPv6 speaks of IPv4 (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96

/** An address is a range of one. A text says what is wrong. */
export function parseAddressRange(text: string): AddressRange | string {
  const [, address = '', length] = /^([^/%]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  const plain = canonicalAddress(address)
  if (plain === undefined) return `"${text}" is no IP address and no range such as 10.0.0.0/8`
  const { family } = plain
  const bits = BITS[family]
  if (length === undefined) return { family, network: plain.text, prefix: bits }
  const isMapped = family === 'ipv4' && !isIPv4(address)
  const prefix = Number(length) - (isMapped ? MAPPED_BITS : 0)
  if (prefix < 0) return `"${text}" mixes IPv4 and IPv6; write the IPv4 range and the IPv6 range`
  if (prefix > bits) return `"${text}": a prefix has at most ${bits} bits`
  const network = firstOf(plain.text, family, prefix)
  const range: AddressRange = { family, network, prefix }
  return network === plain.text
    ? range
    : `"${text}" says more than its prefix holds; did you mean "${formatAddressRange(range)}"?`
}

export function formatAddressRange({ family, network, prefix }: AddressRange): string {
  return prefix === BITS[family] ? network : `${network}/${prefix}`
}

/** One form for each IPv4 or IPv6 address: mapped IPv4 is IPv4, a zone is left out; `undefined`: no IP address. */
export function canonicalAddress(
  text: string,
): { family: AddressFamily; text: string } | undefined {
  if (isIPv4(text)) return { family: 'ipv4', text }
  const [bare = ''] = text.split('%')
  if (!isIPv6(bare)) return undefined
  const full = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(full)
  if (mapped === null) return { family: 'ipv6', text: full }
  const bytes = mapped.slice(1).flatMap((group) => {
    const word = Number.parseInt(group, 16)
    return [word >> 8, word & 255]
  })
  return { family: 'ipv4', text: bytes.join('.') }
}

/** The address with every bit after the prefix cleared, in canonical form. */
function firstOf(text: string, family: AddressFamily, prefix: number): string {
  const width = family === 'ipv4' ? 8 : 16
  const groups = family === 'ipv4' ? text.split('.').map(Number) : groupsOf(text)
  const kept = groups.map((group, index) => {
    const keep = Math.min(Math.max(prefix - index * width, 0), width)
    return group & ~((1 << (width - keep)) - 1)
  })
  if (family === 'ipv4') return kept.join('.')
  return canonicalAddress(kept.map((group) => group.toString(16)).join(':'))?.text ?? text
}

function groupsOf(text: string): number[] {
  const [head = '', tail] = text.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':'))
  const [first, last] = [words(head), words(tail ?? '')]
  const gap = tail === undefined ? 0 : 8 - first.length - last.length
  const all = [...first, ...Array.from({ length: gap }, () => '0'), ...last]
  return all.map((word) => Number.parseInt(word, 16))
}
