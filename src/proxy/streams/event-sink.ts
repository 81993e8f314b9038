/** The client's end of an event stream over Node's response: the only one that writes to it. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { StreamCount } from '../../audit/audit-log.ts'
import { Problem } from '../../domain/problem.ts'
import { endsOf } from '../../lib/tcp-table.ts'
import type { EventSink } from '../exchange.ts'
import { breakConnection } from '../break-connection.ts'

export type EventSinkParts = {
  request: IncomingMessage
  response: ServerResponse
  /** The answer's head, as a flat name-value list. */
  headers: string[]
  /** What the client may leave waiting; one turn's pieces come on top. */
  bufferBytes: number
}

/** First bytes, as the cloud sends them. */
const greeting = Buffer.from(':ok\n\n')

export class ResponseSink implements EventSink {
  readonly ends: string | undefined
  count: StreamCount = { sent: 0, withheld: 0 }
  readonly #parts: EventSinkParts
  readonly #callbacks: (() => void)[] = []
  readonly #settle: PromiseWithResolvers<string>
  #state: 'new' | 'begun' | 'ended' = 'new'
  #pending: Buffer[] = []
  #bytes = 0

  constructor(parts: EventSinkParts) {
    this.#parts = parts
    const { socket } = parts.request
    this.ends = socket.remotePort === undefined ? undefined : endsOf(socket)
    this.#settle = Promise.withResolvers()
    parts.response.on('close', this.#closed)
    // A late reset of the client's side must find a listener.
    parts.response.on('error', () => {})
  }

  /** Why it ended. */
  get ended(): Promise<string> {
    return this.#settle.promise
  }

  get open(): boolean {
    return this.#state !== 'ended'
  }

  get begun(): boolean {
    return this.#parts.response.headersSent
  }

  /** Body bytes handed to the connection. */
  get bytes(): number {
    return this.#bytes
  }

  get waiting(): number {
    return this.#parts.response.writableLength
  }

  get taken(): number {
    const { socket } = this.#parts.response
    return socket === null ? 0 : socket.bytesWritten - socket.writableLength
  }

  begin(): void {
    if (this.#state !== 'new') return
    this.#state = 'begun'
    this.#parts.response.writeHead(200, this.#parts.headers)
    if (this.#parts.request.method === 'HEAD') this.#parts.response.flushHeaders()
    else this.write(greeting)
  }

  write(piece: Buffer): void {
    if (this.#state !== 'begun') return
    this.#pending.push(piece)
    // What one turn brings goes out as one piece.
    if (this.#pending.length === 1) queueMicrotask(this.#flush)
  }

  end(ended: string): void {
    if (this.#state === 'ended') return
    const plain = ended === 'answered'
    if (plain) this.#flush()
    this.#finish(ended)
    if (plain) this.#parts.response.end()
    else if (this.begun)
      breakConnection({ incoming: this.#parts.request, response: this.#parts.response })
  }

  onEnd(callback: () => void): void {
    if (this.#state === 'ended') callback()
    else this.#callbacks.push(callback)
  }

  readonly #flush = (): void => {
    const pieces = this.#pending
    const [only] = pieces
    if (this.#state !== 'begun' || only === undefined) return
    // What waited before this turn's pieces is what the client did not take.
    if (this.waiting > this.#parts.bufferBytes) return this.end('slow_reader')
    this.#pending = []
    const joined = pieces.length === 1 ? only : Buffer.concat(pieces)
    this.#bytes += joined.length
    this.#parts.response.write(joined)
  }

  readonly #closed = (): void => {
    this.#finish('client_gone')
  }

  #finish(ended: string): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#pending = []
    this.#parts.response.off('close', this.#closed)
    for (const callback of this.#callbacks) callback()
    this.#settle.resolve(ended)
  }
}

/**
 * Lets `serve` write to the client; resolves when the stream has ended.
 * @throws Problem as long as `serve` throws before it began
 */
export async function serveSink(
  sink: ResponseSink,
  serve: (sink: EventSink) => void | Promise<void>,
): Promise<string> {
  try {
    await serve(sink)
  } catch (thrown) {
    const problem = Problem.from(thrown)
    sink.end(problem.code)
    if (!sink.begun) throw problem
  }
  return sink.ended
}
