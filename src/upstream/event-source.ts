/** One connection to the cloud for one event stream: opened, read as fast as it is taken, destroyed at once. */

import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import Client from 'undici/lib/dispatcher/client.js'
import { Problem } from '../domain/problem.ts'
import type { Secret } from '../lib/secret.ts'
import { answerHeadProblem, refusalProblem, retryAfterOf } from './answer-head.ts'
import { UpstreamRefusal } from './fleet-lists.ts'
import type { HttpOrigin } from '../lib/http-url.ts'

export type StreamQuestion = {
  /** Origin-form target, built by the gate alone. */
  target: string
  credential: Secret
}

export type StreamHandler = {
  /** The cloud answered 200 with an event stream. */
  opened(): void
  chunk(bytes: Buffer): void
  /** Once, and nothing after it: it was refused, it broke, or it ended. Never after `close`. */
  ended(why: Problem | UpstreamRefusal): void
}

export type StreamConnection = {
  /** Destroys the socket at once. */
  close(): void
}

/** Disposing of it closes what is open, without a word to the handlers. */
export interface EventSource extends Disposable {
  open(question: StreamQuestion, handler: StreamHandler): StreamConnection
}

export type EventSourceOptions = {
  origin: HttpOrigin
  connectTimeoutMs: number
  /** From the last byte sent to the end of the answer's head; a stream that then is silent lives on. */
  headersTimeoutMs: number
}

/**
 * A cloud that is gone without a word: what the stream lacks must not be missed in silence for longer than a minute.
 * Nothing is ever sent on an open stream, so that the system's own probes run, ten of them a second apart.
 */
const probeAfterMs = 30_000

/** What is read of an answer that is no stream. */
const maxRefusalBytes = 65_536

export function createEventSource(options: EventSourceOptions): EventSource {
  const { origin, headersTimeoutMs } = options
  const open = new Set<Connection>()
  return {
    open({ target, credential }, handler) {
      // A client each: a stream waits for no other's socket, and to destroy it touches no other's.
      const client = new Client(origin.origin, {
        pipelining: 1,
        connect: { timeout: options.connectTimeoutMs, keepAliveInitialDelay: probeAfterMs },
        headersTimeout: headersTimeoutMs,
        bodyTimeout: 0,
        allowH2: false,
      })
      const connection: Connection = new Connection(client, handler, headersTimeoutMs, () =>
        open.delete(connection),
      )
      open.add(connection)
      const headers = {
        authorization: `Bearer ${credential.reveal()}`,
        accept: 'text/event-stream',
        'accept-encoding': 'identity',
      }
      client.dispatch({ path: origin.basePath + target, method: 'GET', headers }, connection)
      return connection
    },
    [Symbol.dispose]() {
      for (const connection of open) connection.close()
    },
  }
}

type Refusal = { status: number; headers: IncomingHttpHeaders; chunks: Buffer[]; size: number }

class Connection implements Dispatcher.DispatchHandler, StreamConnection {
  readonly #client: Client
  readonly #handler: StreamHandler
  readonly #patienceMs: number
  readonly #onClosed: () => void
  #state: 'waiting' | 'open' | 'refused' | 'closed' = 'waiting'
  #refusal: Refusal = { status: 0, headers: {}, chunks: [], size: 0 }
  #timer: NodeJS.Timeout | undefined

  constructor(client: Client, handler: StreamHandler, patienceMs: number, onClosed: () => void) {
    this.#client = client
    this.#handler = handler
    this.#patienceMs = patienceMs
    this.#onClosed = onClosed
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearTimeout(this.#timer)
    this.#onClosed()
    void this.#client.destroy()
  }

  onRequestStart(): void {}

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status < 200 || this.#state !== 'waiting') return
    const problem = refusalProblem(status) ?? answerHeadProblem(status, headers, 'read')
    if (problem !== undefined) return this.#end(problem)
    if (status >= 400) return this.#readRefusal(status, headers)
    if (status !== 200 || !isEventStream(headers['content-type'])) {
      return this.#end(new Problem('unfilterable_answer', { cause: 'not an event stream' }))
    }
    this.#state = 'open'
    this.#handler.opened()
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state === 'open') return this.#handler.chunk(chunk)
    if (this.#state !== 'refused') return
    this.#refusal.size += chunk.length
    if (this.#refusal.size <= maxRefusalBytes) return void this.#refusal.chunks.push(chunk)
    this.#end(new Problem('unfilterable_answer', { cause: 'the refusal is too large' }))
  }

  onResponseEnd(): void {
    const { status, headers, chunks } = this.#refusal
    if (this.#state === 'refused') {
      const body = Buffer.concat(chunks)
      const retryAfterS = retryAfterOf(headers)
      this.#end(new UpstreamRefusal(status, headers['content-type'], body, retryAfterS))
    } else {
      this.#end(new Problem('upstream_failed', { cause: 'the event stream ended' }))
    }
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end(problemOf(error))
  }

  /** Bounded in time as well: silence is only a stream's to keep. */
  #readRefusal(status: number, headers: IncomingHttpHeaders): void {
    this.#state = 'refused'
    this.#refusal = { status, headers, chunks: [], size: 0 }
    this.#timer = setTimeout(() => this.#end(new Problem('upstream_timeout')), this.#patienceMs)
  }

  #end(why: Problem | UpstreamRefusal): void {
    if (this.#state === 'closed') return
    this.close()
    this.#handler.ended(why)
  }
}

function isEventStream(contentType: string | undefined): boolean {
  return /^text\/event-stream *(?:; *charset="?utf-8"? *)?$/i.test(contentType ?? '')
}

function problemOf(error: Error): Problem {
  const code = 'code' in error ? error.code : undefined
  const late =
    code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'ETIMEDOUT'
  return new Problem(late ? 'upstream_timeout' : 'upstream_failed', { cause: error })
}
