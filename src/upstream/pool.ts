/** Keep-alive connections to the cloud for answers that are read whole: the small way, and the directory's look-ups. */

import { Pool, type Dispatcher } from 'undici'
import { Problem } from '../domain/problem.ts'
import { answerHeadProblem } from './answer-head.ts'
import type { UpstreamOrigin } from './origin.ts'
import type { UpstreamAnswer, UpstreamRequest } from './upstream.ts'

export type UpstreamPoolOptions = {
  origin: UpstreamOrigin
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
}

/** One request under way. `abort` is for a client that went away: the answer then rejects with `UpstreamAborted`. */
export type UpstreamCall = { readonly answer: Promise<UpstreamAnswer>; abort(): void }

export interface UpstreamPool extends AsyncDisposable {
  /**
   * Sent once, never again, and no redirect is followed. The answer rejects with Problem `upstream_failed`,
   * `upstream_timeout`, `unfilterable_answer` (encoded, partial, too large) or `overloaded`.
   */
  start(request: UpstreamRequest): UpstreamCall
  /** The same, with an AbortSignal for callers that have one. */
  request(request: UpstreamRequest, signal?: AbortSignal): Promise<UpstreamAnswer>
}

/** The caller gave up; nobody is left to be told. */
export class UpstreamAborted extends Error {
  override readonly name = 'UpstreamAborted'
}

export function createUpstreamPool(options: UpstreamPoolOptions): UpstreamPool {
  const { origin, maxCalls } = options
  const pool = new Pool(origin.origin, {
    connections: options.connections,
    pipelining: 1,
    connect: { timeout: options.connectTimeoutMs },
    headersTimeout: options.headersTimeoutMs,
    bodyTimeout: options.bodyTimeoutMs,
    maxResponseSize: options.maxAnswerBytes,
    allowH2: false,
  })
  const load = { calls: 0 }

  function start(request: UpstreamRequest): UpstreamCall {
    if (load.calls >= maxCalls) {
      return { answer: Promise.reject(new Problem('overloaded')), abort: () => {} }
    }
    const call = new Call(load)
    pool.dispatch(
      {
        path: origin.basePath + request.target,
        method: request.method,
        headers: headerList(request),
        body: request.body ?? null,
      },
      call,
    )
    return call
  }

  return {
    start,
    async request(request, signal) {
      signal?.throwIfAborted()
      const call = start(request)
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

/** Collects one answer. A class, so that a request costs one object and no closures. */
class Call implements Dispatcher.DispatchHandler, UpstreamCall {
  readonly answer: Promise<UpstreamAnswer>
  readonly #settle: PromiseWithResolvers<UpstreamAnswer>
  readonly #load: { calls: number }
  readonly #chunks: Buffer[] = []
  #controller: Dispatcher.DispatchController | undefined
  #state: 'open' | 'settled' = 'open'
  #status = 0
  #headers: UpstreamAnswer['headers'] = {}

  constructor(load: { calls: number }) {
    this.#settle = Promise.withResolvers()
    this.answer = this.#settle.promise
    this.#load = load
    load.calls += 1
  }

  abort(): void {
    this.#fail(new UpstreamAborted('the caller gave up'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#state === 'settled') controller.abort(new UpstreamAborted('given up while waiting'))
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
    this.#load.calls -= 1
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
