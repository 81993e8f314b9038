/** Keeps the last requests with the bytes they came in, as read from the socket before HTTP was parsed. */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { Socket } from 'node:net'
import { RequestFramer } from './framing.ts'

const recordedBodyLimit = 64 * 1024
const requestLimit = 10_000
const byteLimit = 64 * 1024 * 1024

export interface RecordedRequest {
  id: number
  at: string
  method: string
  url: string
  /** Name and value pairs as they were spelled, in their order. */
  headers: [string, string][]
  /** The request line and headers, one character a byte. */
  rawHead: string
  /** Body bytes as they came, chunk framing included; base64 of the first 64 KB. */
  rawBody: string
  rawBodyLength: number
  rawBodySha256: string
  /** The body without chunk framing; base64 of the first 64 KB. */
  body: string
  bodyLength: number
  bodySha256: string
  /** False while bytes are missing, and for ever when the connection ended before they came. */
  complete: boolean
}

interface Entry {
  id: number
  at: string
  rawHead: string
  raw: Capture
  content: Capture
  complete: boolean
  /** No longer on record; what still arrives for it is not kept. */
  dropped: boolean
}

export class Recorder {
  #entries: Entry[] = []
  #bytes = 0
  #lastId = 0

  /** Must be called when a connection opens, after the HTTP server has taken the socket. */
  tap(socket: Socket): void {
    let current: Entry | undefined
    const framer = new RequestFramer({
      head: (raw) => {
        current = this.#open(raw)
      },
      body: (raw, content) => {
        if (!current || current.dropped) return
        this.#bytes += current.raw.add(raw) + current.content.add(content)
        this.#evict()
      },
      end: () => {
        if (current) current.complete = true
        current = undefined
      },
    })
    // Ahead of the parser's own listener: a request is on record before anyone can answer it.
    socket.prependListener('data', (chunk: Buffer) => framer.push(chunk))
    // Node's HTTP server reads sockets natively until somebody listens; this makes it hand out the bytes.
    socket.on('data', () => {})
    socket.once('close', () => {
      if (framer.leftover().length > 0) this.#open(framer.leftover())
    })
  }

  requests(): RecordedRequest[] {
    return this.#entries.map(toRecord)
  }

  clear(): void {
    for (const entry of this.#entries) entry.dropped = true
    this.#entries = []
    this.#bytes = 0
  }

  #open(head: Buffer): Entry | undefined {
    const rawHead = head.toString('latin1')
    if (/^\s*\S+ \/_simulator\b/i.test(rawHead)) return undefined
    this.#lastId += 1
    const at = new Date().toISOString()
    const captures = { raw: new Capture(), content: new Capture() }
    const entry = { id: this.#lastId, at, rawHead, ...captures, complete: false, dropped: false }
    this.#entries.push(entry)
    this.#bytes += head.length
    this.#evict()
    return entry
  }

  #evict(): void {
    while (this.#entries.length > requestLimit || (this.#bytes > byteLimit && this.#entries[1])) {
      const oldest = this.#entries.shift()
      if (!oldest) return
      oldest.dropped = true
      this.#bytes -= oldest.rawHead.length + oldest.raw.kept + oldest.content.kept
    }
  }
}

/** The start of a byte sequence, with the length and hash of the whole. */
class Capture {
  length = 0
  kept = 0
  readonly #parts: Buffer[] = []
  #hash: Hash | undefined

  /** Returns how many bytes were kept. */
  add(bytes: Buffer): number {
    if (bytes.length === 0) return 0
    this.length += bytes.length
    this.#hash ??= createHash('sha256')
    this.#hash.update(bytes)
    const part = Buffer.from(bytes.subarray(0, recordedBodyLimit - this.kept))
    if (part.length > 0) this.#parts.push(part)
    this.kept += part.length
    return part.length
  }

  base64(): string {
    return Buffer.concat(this.#parts).toString('base64')
  }

  sha256(): string {
    return (this.#hash ?? createHash('sha256')).copy().digest('hex')
  }
}

function toRecord({ id, at, rawHead, raw, content, complete }: Entry): RecordedRequest {
  const [requestLine = '', ...lines] = rawHead.trim().split('\r\n')
  const [method = '', url = ''] = requestLine.split(' ')
  return {
    id,
    at,
    method,
    url,
    headers: lines.map(toPair),
    rawHead,
    rawBody: raw.base64(),
    rawBodyLength: raw.length,
    rawBodySha256: raw.sha256(),
    body: content.base64(),
    bodyLength: content.length,
    bodySha256: content.sha256(),
    complete,
  }
}

function toPair(line: string): [string, string] {
  const colon = line.indexOf(':')
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()]
}
