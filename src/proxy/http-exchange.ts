/** An Exchange over Node's request and response: the only holder of the two. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Envelope, OutcomeFields } from '../audit/audit-log.ts'
import type { ErrorShape } from '../domain/catalog.ts'
import type { Problem } from '../domain/problem.ts'
import type { Behalf, UpstreamRequest } from '../upstream/upstream.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import { tendUnread, type Client, type Delivered } from './deliver.ts'
import { endWithBody } from './early-end.ts'
import type {
  AssembledAnswer,
  BodyGuard,
  BreakOff,
  Cut,
  EventSink,
  Exchange,
  Hold,
  PassedRequest,
  RawRequest,
  Standing,
} from './exchange.ts'
import { filterAnswer, type SmallWay } from './filter.ts'
import type { Forwarder } from './forward.ts'
import { headProblem, ownHeaders } from './headers.ts'
import { codingOf, refuseEncoded, RequestBody, type BodyLimits } from './read-body.ts'
import { reject, type Sent } from './reject.ts'
import { sendAssembled } from './send-assembled.ts'
import { ResponseSink, serveSink } from './streams/event-sink.ts'
import type { UpstreamFacts } from './answer-head.ts'

/** Shared by all exchanges of one gate. */
export type ExchangeParts = SmallWay & {
  forwarder: Forwarder
  shape: ErrorShape
  /** Of requests that are read whole. */
  bodies: BodyLimits
  /** What a client of an event stream may leave waiting. */
  streamBufferBytes: number
}

/** All whom the gate does not know count as one: whoever makes up tokens is not many. No API user has such a name. */
const NOBODY = 'unknown callers'

export class HttpExchange implements Exchange {
  readonly raw: RawRequest
  readonly envelope: Envelope
  readonly #parts: ExchangeParts
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #facts: UpstreamFacts = { status: undefined, requestId: undefined }
  readonly #body: RequestBody
  #user = NOBODY
  #tokenEnds: string | undefined
  #gone: AbortController | undefined

  constructor(
    parts: ExchangeParts,
    request: IncomingMessage,
    response: ServerResponse,
    envelope: Envelope,
  ) {
    this.#parts = parts
    this.#request = request
    this.#response = response
    this.#body = new RequestBody(request, response, parts.bodies)
    this.envelope = envelope
    this.raw = {
      method: request.method ?? '',
      target: request.url ?? '',
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
    }
  }

  async body(): Promise<Buffer> {
    this.#refuseOddHead()
    return this.#body.whole()
  }

  async unknownBody(): Promise<Buffer> {
    this.#refuseOddHead()
    return this.#body.ofUnknown(this.envelope.address)
  }

  bodyIfRead(): Promise<Buffer | undefined> {
    return this.#body.ifRead()
  }

  isOf(user: string): void {
    this.#user = user
  }

  tokenEnds(atMs: number | undefined): void {
    this.#tokenEnds = atMs === undefined ? undefined : new Date(atMs).toISOString()
  }

  async filter(request: UpstreamRequest, cut: Cut, behalf: Behalf): Promise<OutcomeFields> {
    this.#refuseOddHead()
    if (this.#clientIsGone()) return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    return filterAnswer(this.#parts, request, cut, behalf, {
      ...this.#client(),
      requestId: this.envelope.requestId,
      facts: this.#facts,
      tokenEnds: this.#tokenEnds,
    })
  }

  async forward(
    request: UpstreamRequest,
    guard: BodyGuard,
    cut: Cut | undefined,
    standing: Standing,
  ): Promise<OutcomeFields> {
    this.#refuseOddHead()
    refuseEncoded(this.#request)
    if (this.#clientIsGone()) return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    const { credential, ...rest } = request
    const authorization = { of: 'gate', credential } as const
    return this.#parts.forwarder.forward({
      ...this.#passage({ ...rest, authorization }),
      ...{ guard, cut, standing },
    })
  }

  async pass(request: PassedRequest, hold: (breakOff: BreakOff) => Hold): Promise<OutcomeFields> {
    this.#refuseOddHead()
    if (this.#clientIsGone()) return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    const guard = { kind: 'own_tokens', coding: codingOf(this.#request) } as const
    return this.#parts.forwarder.forward({
      ...this.#passage(request),
      ...{ guard, cut: undefined, hold },
    })
  }

  #client(): Client {
    return { user: this.#user, request: this.#request, response: this.#response }
  }

  #passage(request: PassedRequest) {
    return {
      ...{ request, user: this.#user, incoming: this.#request, response: this.#response },
      ...{ requestId: this.envelope.requestId, facts: this.#facts, tokenEnds: this.#tokenEnds },
    }
  }

  /** Made when somebody asks: most requests have nobody who waits for it. */
  get gone(): AbortSignal {
    if (this.#gone !== undefined) return this.#gone.signal
    const gone = new AbortController()
    this.#gone = gone
    if (this.#clientIsGone()) gone.abort()
    const response = this.#response
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    return gone.signal
  }

  send(answer: AssembledAnswer): MaybePromise<OutcomeFields> {
    const { status, upstream, list } = answer
    this.#refuseOddHead()
    this.#facts.status = upstream.status
    this.#facts.requestId = upstream.requestId
    const record = list === undefined ? {} : { list }
    if (this.#response.headersSent || this.#clientIsGone()) {
      return { ...this.#outcome({ status: 0, bytes: 0 }, 'client_gone'), ...record }
    }
    const { requestId } = this.envelope
    const head = { requestId, tokenEnds: this.#tokenEnds }
    const settle = ({ bytes, ended }: Delivered) => ({
      ...this.#outcome({ status, bytes }, ended),
      ...record,
    })
    const delivered = sendAssembled(this.#parts, this.#client(), answer, head)
    return delivered instanceof Promise ? delivered.then(settle) : settle(delivered)
  }

  async stream(serve: (sink: EventSink) => void | Promise<void>): Promise<OutcomeFields> {
    this.#refuseOddHead()
    if (this.#clientIsGone()) return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    const headers = this.#parts.answerHeaders({
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      mode: 'stream',
      requestId: this.envelope.requestId,
      // What came from upstream is not in this head.
      credential: '',
      tokenEnds: this.#tokenEnds,
    })
    const sink = new ResponseSink({
      request: this.#request,
      response: this.#response,
      headers,
      bufferBytes: this.#parts.streamBufferBytes,
    })
    const ended = await serveSink(sink, serve)
    const sent = { status: sink.begun ? 200 : 0, bytes: sink.bytes }
    return { ...this.#outcome(sent, ended), events: sink.count }
  }

  /** `body` undefined: no body at all. `headers`: a flat name-value list, added to the gate's own. */
  answer(status: number, body: unknown, headers: readonly string[] = []): OutcomeFields {
    if (this.#response.headersSent || this.#response.destroyed) {
      return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    }
    const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body))
    const list = [...ownHeaders(this.envelope.requestId, this.#tokenEnds), ...headers]
    if (status !== 204) list.push('content-length', String(bytes.length))
    const sent = endWithBody(this.#request, this.#response, status, list, bytes)
    tendUnread(this.#parts.unread, this.#client())
    return this.#outcome(sent, 'answered')
  }

  reject(problem: Problem): OutcomeFields {
    const { shape } = this.#parts
    const { requestId } = this.envelope
    const ends = this.#tokenEnds
    const sent = reject(this.#request, this.#response, problem, shape, requestId, ends)
    tendUnread(this.#parts.unread, this.#client())
    return this.#outcome(sent, problem.code)
  }

  /** The pipeline asks `headProblem` before anything is decided; this is the lock behind it. */
  #refuseOddHead(): void {
    const problem = headProblem(this.raw)
    if (problem !== undefined) throw problem
  }

  /** Its `close` came while the decision was made: nobody would ever end what is begun for it now. */
  #clientIsGone(): boolean {
    return this.#response.destroyed || this.#request.socket.destroyed
  }

  #outcome({ status, bytes }: Sent, ended: string): OutcomeFields {
    return {
      status,
      bytes,
      ended,
      upstreamStatus: this.#facts.status,
      upstreamRequestId: this.#facts.requestId,
      retryAfterS: this.#facts.retryAfterS,
    }
  }
}
