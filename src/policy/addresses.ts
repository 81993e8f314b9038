/** `from`: the addresses and CIDR ranges from which an API user may call. One spelling each, mapped IPv4 is IPv4. */

import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { mistakeAt, within, type Part, type Report } from './report.ts'

type Range = { family: 'ipv4' | 'ipv6'; network: string; prefix: number }

const BITS = { ipv4: 32, ipv6: 128 } as const
/** Bits of `::ffff:0:0/96`, in which IPv6 speaks of IPv4 (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96

/** Canonical and sorted; what is none, or means less than it says, is reported. */
export function readFrom(texts: readonly string[], part: Part, report: Report): readonly string[] {
  const ranges = texts.flatMap((text, index) => {
    const place = Array.isArray(part.value) ? within(part, index) : part
    const range = toRange(text)
    if (typeof range === 'string') {
      mistakeAt(report, place, range)
      return []
    }
    return [textOf(range)]
  })
  return [...new Set(ranges)].toSorted()
}

/** Whether an address, as the gate derived it, lies in one of these ranges. What is no IP address lies in none. */
export function compileFrom(from: readonly string[]): (address: string) => boolean {
  // A list of both would find IPv4 addresses in IPv6 ranges such as ::/0.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const text of from) {
    const range = toRange(text)
    // A kept grant that cannot be read any more names one place less.
    if (typeof range === 'string') continue
    lists[range.family].addSubnet(range.network, range.prefix, range.family)
  }
  return (address) => {
    const plain = canonicalAddress(address)
    return plain !== undefined && lists[plain.family].check(plain.text, plain.family)
  }
}

/** One form for each IPv4 or IPv6 address: mapped IPv4 is IPv4, a zone is left out; `undefined`: no IP address. */
export function canonicalAddress(
  text: string,
): { family: Range['family']; text: string } | undefined {
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

/** Whether all that lies in `inner` lies in `outer` too; both canonical. */
export function isInRange(inner: string, outer: string): boolean {
  const [a, b] = [toRange(inner), toRange(outer)]
  if (typeof a === 'string' || typeof b === 'string' || a.family !== b.family) return false
  return b.prefix <= a.prefix && compileFrom([outer])(a.network)
}

/** The first address of a canonical range. */
export function firstAddress(range: string): string {
  return range.split('/')[0] ?? range
}

/** A text says what is wrong. */
function toRange(text: string): Range | string {
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
  const range: Range = { family, network, prefix }
  return network === plain.text
    ? range
    : `"${text}" says more than its prefix holds; did you mean "${textOf(range)}"?`
}

function textOf({ family, network, prefix }: Range): string {
  return prefix === BITS[family] ? network : `${network}/${prefix}`
}

/** The address with every bit after the prefix cleared, in canonical form. */
function firstOf(text: string, family: Range['family'], prefix: number): string {
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
