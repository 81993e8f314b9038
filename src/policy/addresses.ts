/** `from`: the addresses and CIDR ranges from which an API user may call. One spelling each, mapped IPv4 is IPv4. */

import { BlockList } from 'node:net'
import { canonicalAddress, formatAddressRange, parseAddressRange } from '../lib/address-range.ts'
import { mistakeAt, within, type Part, type Report } from './report.ts'

/** Canonical and sorted; what is none, or means less than it says, is reported. */
export function readFrom(texts: readonly string[], part: Part, report: Report): readonly string[] {
  const ranges = texts.flatMap((text, index) => {
    const place = Array.isArray(part.value) ? within(part, index) : part
    const range = parseAddressRange(text)
    if (typeof range === 'string') {
      mistakeAt(report, place, range)
      return []
    }
    return [formatAddressRange(range)]
  })
  return [...new Set(ranges)].toSorted()
}

/** Whether an address, as the gate derived it, lies in one of these ranges. What is no IP address lies in none. */
export function compileFrom(from: readonly string[]): (address: string) => boolean {
  // A list of both would find IPv4 addresses in IPv6 ranges such as ::/0.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const text of from) {
    const range = parseAddressRange(text)
    // A kept grant that cannot be read any more names one place less.
    if (typeof range === 'string') continue
    lists[range.family].addSubnet(range.network, range.prefix, range.family)
  }
  return (address) => {
    const plain = canonicalAddress(address)
    return plain !== undefined && lists[plain.family].check(plain.text, plain.family)
  }
}

/** Whether all that lies in `inner` lies in `outer` too; both canonical. */
export function isInRange(inner: string, outer: string): boolean {
  const [a, b] = [parseAddressRange(inner), parseAddressRange(outer)]
  if (typeof a === 'string' || typeof b === 'string' || a.family !== b.family) return false
  return b.prefix <= a.prefix && compileFrom([outer])(a.network)
}

/** The first address of a canonical range. */
export function firstAddress(range: string): string {
  return range.split('/')[0] ?? range
}
