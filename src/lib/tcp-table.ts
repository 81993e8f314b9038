/** What Linux says of TCP connections whose other end does not answer: Node itself cannot be told. */

import { createReadStream } from 'node:fs'

/** By the ends of a connection, see `endsOf`: how often in a row the same bytes were sent again in vain. */
export type Unanswered = ReadonlyMap<string, number>

/** Named by the addresses and ports of a connection, as Node writes them. */
export function endsOf(socket: {
  localPort?: number | undefined
  remoteAddress?: string | undefined
  remotePort?: number | undefined
}): string {
  return `${socket.localPort} ${socket.remoteAddress} ${socket.remotePort}`
}

/** Tables of the kernel, for IPv4 and IPv6. */
const tables = ['/proc/net/tcp', '/proc/net/tcp6']

/** Nothing where the tables cannot be read: on other systems, or without `/proc`. */
export async function readUnanswered(files: readonly string[] = tables): Promise<Unanswered> {
  const found = new Map<string, number>()
  if (process.platform !== 'linux') return found
  for (const file of files) {
    let rest = ''
    try {
      // Piece by piece: with many connections it is some megabytes.
      // oxlint-disable-next-line no-await-in-loop -- a machine without IPv6 has no second table
      for await (const chunk of createReadStream(file, { encoding: 'latin1' })) {
        const text = rest + String(chunk)
        const whole = text.lastIndexOf('\n') + 1
        rest = text.slice(whole)
        note(text.slice(0, whole), found)
      }
    } catch {
      continue
    }
  }
  return found
}

/** Established, with the timer that sends again (`01`) running, and not for the first time. */
const line =
  /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) 01 [0-9A-F]{8}:[0-9A-F]{8} 01:[0-9A-F]{8} (?!0{8})([0-9A-F]{8}) /gm

function note(lines: string, found: Map<string, number>): void {
  for (const [, localPort = '', address = '', remotePort = '', times = ''] of lines.matchAll(
    line,
  )) {
    const ends = endsOf({
      localPort: Number.parseInt(localPort, 16),
      remoteAddress: addressOf(Buffer.from(address, 'hex')),
      remotePort: Number.parseInt(remotePort, 16),
    })
    found.set(ends, Number.parseInt(times, 16))
  }
}

/** As the kernel keeps it: words of 32 bits in the machine's own order. */
function addressOf(words: Buffer): string {
  const bytes = littleEndian ? words.swap32() : words
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.subarray(0, 12).equals(mapped)) return `::ffff:${bytes.subarray(12).join('.')}`
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16))
  // The shortest spelling, which is Node's too.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1
const mapped = Buffer.from('00000000000000000000ffff', 'hex')
