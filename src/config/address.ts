/** Where the gate listens: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `unix:/run/fleetgate.sock`. */

import { isIP } from 'node:net'

export type ListenAddress =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'unix'; path: string }

export type AddressResult = { ok: true; address: ListenAddress } | { ok: false; says: string }

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, its ending zero included. */
const maxSocketPathBytes = 103

const form = 'must be HOST:PORT such as 127.0.0.1:8080 or "[::1]:8080", or unix:/path/to/socket'

/** `toPath` makes the path of a socket absolute. `says` continues a sentence that begins with the key's name. */
export function parseListenAddress(text: string, toPath: (path: string) => string): AddressResult {
  return text.startsWith('unix:') ? unixAddress(toPath(text.slice(5)), text) : tcpAddress(text)
}

/** As a person would write it; an IPv6 address in brackets. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

function unixAddress(path: string, text: string): AddressResult {
  if (text === 'unix:' || path.includes('\0')) return { ok: false, says: form }
  if (Buffer.byteLength(path) > maxSocketPathBytes) {
    return { ok: false, says: `names a socket whose path is over ${maxSocketPathBytes} bytes` }
  }
  return { ok: true, address: { kind: 'unix', path } }
}

function tcpAddress(text: string): AddressResult {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^[\]:]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  // No host would mean every interface; whoever wants that says 0.0.0.0.
  if (digits === undefined || port > 65_535) return { ok: false, says: form }
  if (bracketed !== undefined) {
    return isIP(bracketed) === 6 && !bracketed.includes('%')
      ? { ok: true, address: { kind: 'tcp', host: bracketed, port } }
      : { ok: false, says: form }
  }
  const host = plain ?? ''
  const known = isIP(host) === 4 || host === 'localhost'
  return known
    ? { ok: true, address: { kind: 'tcp', host, port } }
    : { ok: false, says: `${form}; a host name other than localhost is not taken` }
}
