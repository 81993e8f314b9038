/** By what callers are counted: an IPv4 address, or the /64 of an IPv6 address, of which one customer has all (RFC 6177 §2). */

const groups = 8
const groupsOfBlock = 4

/** @param address in its canonical form; what is no IPv6 address is its own block */
export function addressBlock(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail = ''] = address.split('::')
  const [first, last] = [groupsIn(head), groupsIn(tail)]
  // IPv4 at the end stands for two groups.
  const lastCount = last.length + (tail.includes('.') ? 1 : 0)
  const zeros = address.includes('::') ? groups - first.length - lastCount : 0
  const all = [...first, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...last]
  return `${all.slice(0, groupsOfBlock).join(':')}::/64`
}

function groupsIn(text: string): string[] {
  return text === '' ? [] : text.split(':')
}
