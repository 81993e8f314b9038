/** A client on a bare socket: exact bytes out, every answer split by its own framing, all waits bounded. */

import { connect } from 'node:net'

export type SplitAnswer = {
  status: number
  reason: string
  /** By lower-case name; repeated ones are joined by ` | `. */
  headers: ReadonlyMap<string, string>
  /** Latin1, chunks undone. `truncated`: it ended before its framing said so. */
  body: string
  truncated: boolean
}

export type Received = {
  /** Final answers in order. */
  answers: SplitAnswer[]
  /** Statuses of 1xx answers. */
  interim: number[]
  /** Bytes behind the last whole answer. */
  rest: string
  /** Everything, as latin1 text. */
  text: string
  /** `open`: all that was waited for had come, and the server still held the connection. */
  closed: 'end' | 'reset' | 'open'
}

export type ReceiveOptions = {
  /** Return after so many final answers, or interim ones; otherwise when the server closes. */
  answers?: number
  interim?: number
  /** Answers to HEAD have no body, whatever their length says. */
  head?: boolean
  withinMs?: number
}

export type RawConnection = Disposable & {
  send(bytes: string | Buffer): void
  halfClose(): void
  reset(): void
  /** @throws Error with what has come so far, when the time is up. */
  receive(options?: ReceiveOptions): Promise<Received>
}

export function openRaw(port: number): RawConnection {
  const socket = connect(port, '127.0.0.1')
  const wakers = new Set<() => void>()
  const wake = () => {
    for (const waker of wakers) waker()
  }
  let text = ''
  let closed: Received['closed'] = 'open'
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    wake()
  })
  socket.on('end', () => {
    closed = 'end'
    wake()
  })
  const broken = () => {
    if (closed === 'open') closed = 'reset'
    wake()
  }
  socket.on('error', broken).on('close', broken)
  return {
    send: (bytes) =>
      void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    halfClose: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    receive: ({ answers, interim, head = false, withinMs = 15_000 } = {}) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          wakers.delete(look)
          reject(new Error(`not within ${withinMs} ms; so far: ${JSON.stringify(text)}`))
        }, withinMs)
        const look = () => {
          const found = splitAnswers(text, { head, ended: closed !== 'open' })
          const enough =
            found.answers.length >= (answers ?? Infinity) ||
            found.interim.length >= (interim ?? Infinity)
          if (!enough && closed === 'open') return
          clearTimeout(timer)
          wakers.delete(look)
          resolve({ ...found, text, closed })
        }
        wakers.add(look)
        look()
      }),
    [Symbol.dispose]: () => socket.destroy(),
  }
}

/** One connection for these bytes alone. */
export async function exchangeRaw(
  port: number,
  bytes: string | Buffer,
  options: ReceiveOptions & { halfClose?: boolean } = {},
): Promise<Received> {
  using connection = openRaw(port)
  connection.send(bytes)
  if (options.halfClose === true) connection.halfClose()
  return await connection.receive(options)
}

export function splitAnswers(
  text: string,
  { head, ended }: { head: boolean; ended: boolean },
): Pick<Received, 'answers' | 'interim' | 'rest'> {
  const answers: SplitAnswer[] = []
  const interim: number[] = []
  let rest = text
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    const line = /^HTTP\/1\.[01] (\d{3}) ?([^\r\n]*)\r\n/.exec(rest)
    if (end === -1 || line === null) return { answers, interim, rest }
    const status = Number(line[1])
    const headers = headerMap(rest.slice(line[0].length, end + 2))
    const behind = rest.slice(end + 4)
    if (status < 200) {
      interim.push(status)
      rest = behind
      continue
    }
    const bodyless = head || status === 204 || status === 304
    const read = bodyless ? { body: '', used: 0 } : readBody(behind, headers, ended)
    if (read === undefined && !ended) return { answers, interim, rest }
    const { body, used } = read ?? { body: behind, used: behind.length }
    answers.push({ status, reason: line[2] ?? '', headers, body, truncated: read === undefined })
    rest = behind.slice(used)
  }
}

function headerMap(lines: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of lines.split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? []
    if (name === '') continue
    const before = found.get(name.toLowerCase())
    found.set(name.toLowerCase(), before === undefined ? value : `${before} | ${value}`)
  }
  return found
}

type ReadBody = { body: string; used: number } | undefined

/** Undefined: not whole (yet). */
function readBody(text: string, headers: ReadonlyMap<string, string>, ended: boolean): ReadBody {
  if (headers.get('transfer-encoding') === 'chunked') return readChunks(text)
  const length = headers.get('content-length')
  if (length === undefined) return ended ? { body: text, used: text.length } : undefined
  const used = Number(length)
  return text.length < used ? undefined : { body: text.slice(0, used), used }
}

function readChunks(text: string): ReadBody {
  let body = ''
  let at = 0
  for (;;) {
    const line = /^([0-9A-Fa-f]+)\r\n/.exec(text.slice(at, at + 12))
    if (line === null) return undefined
    const size = Number.parseInt(line[1] ?? '', 16)
    const start = at + line[0].length
    if (text.length < start + size + 2) return undefined
    body += text.slice(start, start + size)
    at = start + size + 2
    if (size === 0) return { body, used: at }
  }
}
