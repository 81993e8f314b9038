/** Keep-alive connections to the cloud for answers that are read whole: the small way, and the directory's look-ups. */

import type { Dispatcher } from 'undici'
import Pool from 'undici/lib/dispatcher/pool.js'
import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'
import { answerHeadProblem } from './answer-head.ts'
import type { HttpOrigin } from '../lib/http-url.ts'
import { createPlaces, type Entrant, type Places } from './places.ts'
import type { Behalf, UpstreamAnswer, UpstreamRequest } from './upstream.ts'

export type UpstreamPoolOptions = {
  origin: HttpOrigin
  /** Sockets at most. */
  connections: number
  connectTimeoutMs: number
  /** From the last byte sent to the end of the answer's head. */
  headersTimeoutMs: number
  /** Between two pieces of the answer's body. */
  bodyTimeoutMs: number
  maxAnswerBytes: number
  /** Calls that may be under way or wait for a socket; more are `overloaded`. */
  maxCalls: number
  clock: Pick<Clock, 'monotonic'>
}

/** One request under way. `abort` is for a client that went away: the answer then rejects with `UpstreamAborted`. */
export type UpstreamCall = { readonly answer: Promise<UpstreamAnswer>; abort(): void }

export interface UpstreamPool extends AsyncDisposable {
  /** @throws Problem as `start`, where a call on this one's behalf would find no room now */
  assertRoom(user: string): void
  /**
   * Sent once, never again, and no redirect is followed. The answer rejects with Problem `upstream_failed`,
   * `upstream_timeout`, `unfilterable_answer` (encoded, partial, too large), `overloaded`, `too_many_calls` (as many are
   * under way or waiting for this one as may be), or what `behalf.confirm` throws.
   */
  start(request: UpstreamRequest, behalf: Behalf): UpstreamCall
  /** The same, with an AbortSignal for callers that have one. */
  request(request: UpstreamRequest, behalf: Behalf, signal?: AbortSignal): Promise<UpstreamAnswer>
}

/** The caller gave up; nobody is left to be told. */
export class UpstreamAborted extends Error {
  override readonly name = 'UpstreamAborted'
}

export function createUpstreamPool(options: UpstreamPoolOptions): UpstreamPool {
  const { origin, connections, maxCalls, clock } = options
  const pool = new Pool(origin.origin, {
    connections,
    pipelining: 1,
    connect: { timeout: options.connectTimeoutMs },
    headersTimeout: options.headersTimeoutMs,
    bodyTimeout: options.bodyTimeoutMs,
    maxResponseSize: options.maxAnswerBytes,
    allowH2: false,
  })
  const places = createPlaces({ connections, calls: maxCalls })
  const send = (request: UpstreamRequest, call: Call) => {
    const { method, body } = request
    const path = origin.basePath + request.target
    pool.dispatch({ path, method, headers: headerList(request), body: body ?? null }, call)
  }
  const parts: CallParts = { places, clock, send }

  function start(request: UpstreamRequest, behalf: Behalf): UpstreamCall {
    const call = new Call(parts, request, behalf)
    try {
      places.enter(call)
    } catch (thrown) {
      return { answer: Promise.reject(Problem.from(thrown)), abort: () => {} }
    }
    return call
  }

  return {
    assertRoom: (user) => places.assertRoom(user),
    start,
    async request(request, behalf, signal) {
      signal?.throwIfAborted()
      const call = start(request, behalf)
      const abort = () => call.abort()
      signal?.addEventListener('abort', abort, { once: true })
      try {
        return await call.answer
      } finally {
        signal?.removeEventListener('abort', abort)
      }
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}

function headerList({ headers, credential }: UpstreamRequest): string[] {
  const list = ['authorization', `Bearer ${credential.reveal()}`, 'accept-encoding', 'identity']
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && name !== 'authorization' && name !== 'accept-encoding') {
      list.push(name, value)
    }
  }
  return list
}

type CallParts = {
  places: Places
  clock: Pick<Clock, 'monotonic'>
  send: (request: UpstreamRequest, call: Call) => void
}

/** Longer between its place and its socket (a connection is being made) and it is asked once more whether it may go up. */
const believedMs = 100

/** Waits for its place and collects one answer. A class, so that a request costs one object and no closures. */
class Call implements Dispatcher.DispatchHandler, UpstreamCall, Entrant {
  readonly answer: Promise<UpstreamAnswer>
  readonly user: string
  readonly own: boolean
  readonly #parts: CallParts
  readonly #request: UpstreamRequest
  readonly #behalf: Behalf
  readonly #settle: PromiseWithResolvers<UpstreamAnswer>
  readonly #chunks: Buffer[] = []
  #controller: Dispatcher.DispatchController | undefined
  #state: 'open' | 'settled' = 'open'
  #sentAtMs = 0
  #status = 0
  #headers: UpstreamAnswer['headers'] = {}

  constructor(parts: CallParts, request: UpstreamRequest, behalf: Behalf) {
    this.#settle = Promise.withResolvers()
    this.answer = this.#settle.promise
    this.own = behalf.own === true
    this.user = behalf.user
    this.#parts = parts
    this.#request = request
    this.#behalf = behalf
  }

  abort(): void {
    this.#fail(new UpstreamAborted('the caller gave up'))
  }

  /** Whoever waited may have lost the right meanwhile. */
  go(waited: boolean): void {
    const confirmed = waited ? this.#confirm() : undefined
    if (confirmed === undefined) return this.#send()
    confirmed.then(
      () => this.#send(),
      (thrown: unknown) => this.#refuse(thrown),
    )
  }

  #confirm(): Promise<void> | undefined {
    try {
      const confirmed = this.#behalf.confirm?.()
      return confirmed instanceof Promise ? confirmed : undefined
    } catch (thrown) {
      this.#refuse(thrown)
      return undefined
    }
  }

  #send(): void {
    if (this.#state === 'settled') return
    this.#sentAtMs = this.#parts.clock.monotonic()
    this.#parts.send(this.#request, this)
  }

  #refuse(thrown: unknown): void {
    this.#fail(Problem.from(thrown))
  }

  /** Its head is written right after this. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#state === 'settled') {
      return controller.abort(new UpstreamAborted('given up while waiting'))
    }
    if (this.#parts.clock.monotonic() - this.#sentAtMs < believedMs) return
    const confirmed = this.#confirm()
    if (confirmed === undefined) return
    // A socket that is ready waits for no store; nothing of it has been sent.
    confirmed.catch(() => {})
    this.#fail(new Problem('overloaded', { retryAfterS: 1 }))
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: UpstreamAnswer['headers'],
  ): void {
    if (status < 200) return
    const problem = answerHeadProblem(status, headers, 'read')
    if (problem !== undefined) return this.#fail(problem)
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    if (this.#state === 'settled') return
    this.#close()
    const [only] = this.#chunks
    const body =
      only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks)
    this.#settle.resolve({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#state === 'settled') return
    this.#close()
    this.#settle.reject(problemOf(error))
  }

  /** Destroys the socket as well: what else comes on it belongs to nobody. */
  #fail(error: Error): void {
    if (this.#state === 'settled') return
    this.#close()
    this.#settle.reject(error)
    this.#controller?.abort(error)
  }

  #close(): void {
    this.#state = 'settled'
    this.#parts.places.leave(this)
  }
}

function problemOf(error: Error): Error {
  if (error instanceof Problem || error instanceof UpstreamAborted) return error
  const code = 'code' in error ? error.code : undefined
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
    case 'ETIMEDOUT':
      return new Problem('upstream_timeout', { cause: error })
    case 'UND_ERR_RES_EXCEEDED_MAX_SIZE':
      return new Problem('unfilterable_answer', { cause: error })
    case 'UND_ERR_INVALID_ARG':
      return new Problem('internal', { cause: error })
    default:
      return new Problem('upstream_failed', { cause: error })
  }
}
