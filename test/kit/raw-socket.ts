/** A client that sends bytes exactly as written and keeps what comes back. */

import { connect } from 'node:net'

export type RawAnswer = { text: string; status: number; body: string; closed: 'end' | 'reset' }

/** Sends, then reads until the server closes. Say `Connection: close` where it would not. */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
  options: { halfClose?: boolean; withinMs?: number } = {},
): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  socket.on('connect', () => {
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    if (options.halfClose === true) socket.end()
  })
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  const timer = setTimeout(() => socket.destroy(new Error('timeout')), options.withinMs ?? 15_000)
  const closed = await new Promise<'end' | 'reset'>((resolve, reject) => {
    socket.on('end', () => resolve('end'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.message === 'timeout') reject(new Error(`no end; so far: ${JSON.stringify(text)}`))
      else resolve('reset')
    })
  })
  clearTimeout(timer)
  socket.destroy()
  const split = text.indexOf('\r\n\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  return { text, status, body: split === -1 ? '' : text.slice(split + 4), closed }
}

/** The value of a header in a raw head, by lower-case name; all values where it is repeated. */
export function headersOf(text: string): Map<string, string> {
  const head = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n').slice(1)
  const found = new Map<string, string>()
  for (const line of head) {
    const [, name, value] = /^([^:]+): ?(.*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    const key = name.toLowerCase()
    const before = found.get(key)
    found.set(key, before === undefined ? value : `${before} | ${value}`)
  }
  return found
}
