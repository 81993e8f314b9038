/** Splits the bytes of one connection into requests, so that each recorded request keeps exactly its own bytes. */

export interface FrameSink {
  /** A whole head arrived, its closing blank line included. */
  head(raw: Buffer): void
  /** Body bytes as they came, and what they carry once chunk framing is taken off. */
  body(raw: Buffer, content: Buffer): void
  end(): void
}

type State = 'head' | 'sized' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailers'

const blankLine = Buffer.from('\r\n\r\n')
const nothing = Buffer.alloc(0)
const newline = 10
const carriageReturn = 13

export class RequestFramer {
  readonly #sink: FrameSink
  #state: State = 'head'
  #pending: Buffer = nothing
  #remaining = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  push(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) rest = this.#step(rest)
  }

  /** Bytes of a head that never ended. */
  leftover(): Buffer {
    return this.#state === 'head' ? this.#pending : nothing
  }

  #step(bytes: Buffer): Buffer {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes)
      case 'sized':
        return this.#readCounted(bytes, true)
      case 'chunk-data':
        return this.#readCounted(bytes, false)
      case 'chunk-size':
      case 'chunk-end':
      case 'trailers':
        return this.#readLine(bytes)
    }
  }

  #readHead(bytes: Buffer): Buffer {
    const seen = Buffer.concat([this.#pending, bytes])
    // RFC 9112 section 2.2: blank lines before a request line are skipped, so they do not end a head.
    let start = 0
    while (seen[start] === carriageReturn || seen[start] === newline) start += 1
    const end = seen.indexOf(blankLine, start)
    if (end < 0) {
      this.#pending = seen
      return nothing
    }
    this.#pending = nothing
    const head = seen.subarray(0, end + blankLine.length)
    this.#sink.head(head)
    this.#chooseBody(head.toString('latin1'))
    return seen.subarray(end + blankLine.length)
  }

  #chooseBody(head: string): void {
    if (/^transfer-encoding:.*chunked\s*$/im.test(head)) {
      this.#state = 'chunk-size'
      return
    }
    this.#remaining = Number(/^content-length:\s*(\d+)\s*$/im.exec(head)?.[1] ?? 0)
    if (this.#remaining === 0) this.#finish()
    else this.#state = 'sized'
  }

  #readCounted(bytes: Buffer, last: boolean): Buffer {
    const part = bytes.subarray(0, this.#remaining)
    this.#remaining -= part.length
    this.#sink.body(part, part)
    if (this.#remaining === 0) {
      if (last) this.#finish()
      else this.#state = 'chunk-end'
    }
    return bytes.subarray(part.length)
  }

  #readLine(bytes: Buffer): Buffer {
    const end = bytes.indexOf(newline)
    const part = end < 0 ? bytes : bytes.subarray(0, end + 1)
    this.#sink.body(part, nothing)
    this.#pending = Buffer.concat([this.#pending, part])
    if (end < 0) return nothing
    const line = this.#pending.toString('latin1').trim()
    this.#pending = nothing
    this.#afterLine(line)
    return bytes.subarray(part.length)
  }

  #afterLine(line: string): void {
    if (this.#state === 'chunk-end') {
      this.#state = 'chunk-size'
    } else if (this.#state === 'trailers') {
      if (line === '') this.#finish()
    } else {
      this.#remaining = Number.parseInt(line, 16) || 0
      this.#state = this.#remaining === 0 ? 'trailers' : 'chunk-data'
    }
  }

  #finish(): void {
    this.#state = 'head'
    this.#sink.end()
  }
}
