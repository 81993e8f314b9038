/** An Exchange over Node's request and response: the only holder of the two. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Envelope, OutcomeFields } from '../audit/audit-log.ts'
import type { ErrorShape } from '../domain/catalog.ts'
import type { Problem } from '../domain/problem.ts'
import type { UpstreamRequest } from '../upstream/upstream.ts'
import { endWithBody } from './early-end.ts'
import type { BodyGuard, Cut, Exchange, RawRequest } from './exchange.ts'
import { filterAnswer, type SmallWay } from './filter.ts'
import type { Forwarder } from './forward.ts'
import { headProblem, ownHeaders } from './headers.ts'
import { readBody, refuseEncoded } from './read-body.ts'
import { reject, type Sent } from './reject.ts'
import type { UpstreamFacts } from './transfer.ts'

/** Shared by all exchanges of one gate. */
export type ExchangeParts = SmallWay & {
  forwarder: Forwarder
  shape: ErrorShape
  /** Request bodies that are read whole. */
  maxBodyBytes: number
}

export class HttpExchange implements Exchange {
  readonly raw: RawRequest
  readonly envelope: Envelope
  readonly #parts: ExchangeParts
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #facts: UpstreamFacts = { status: undefined, requestId: undefined }
  #body: Promise<Buffer> | undefined

  constructor(
    parts: ExchangeParts,
    request: IncomingMessage,
    response: ServerResponse,
    envelope: Envelope,
  ) {
    this.#parts = parts
    this.#request = request
    this.#response = response
    this.envelope = envelope
    this.raw = {
      method: request.method ?? '',
      target: request.url ?? '',
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
    }
  }

  /** Read once: a form is looked into for a token first and described afterwards. */
  async body(): Promise<Buffer> {
    this.#refuseOddHead()
    this.#body ??= readBody(this.#request, this.#response, this.#parts.maxBodyBytes)
    return this.#body
  }

  async filter(request: UpstreamRequest, cut: Cut): Promise<OutcomeFields> {
    this.#refuseOddHead()
    if (this.#clientIsGone()) return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    return filterAnswer(this.#parts, request, cut, {
      response: this.#response,
      requestId: this.envelope.requestId,
      facts: this.#facts,
    })
  }

  async forward(
    request: UpstreamRequest,
    guard: BodyGuard,
    cut: Cut | undefined,
  ): Promise<OutcomeFields> {
    this.#refuseOddHead()
    refuseEncoded(this.#request)
    if (this.#clientIsGone()) return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    return this.#parts.forwarder.forward({
      incoming: this.#request,
      response: this.#response,
      request,
      guard,
      cut,
      requestId: this.envelope.requestId,
      facts: this.#facts,
    })
  }

  /** `body` undefined: no body at all. `headers`: a flat name-value list, added to the gate's own. */
  answer(status: number, body: unknown, headers: readonly string[] = []): OutcomeFields {
    if (this.#response.headersSent || this.#response.destroyed) {
      return this.#outcome({ status: 0, bytes: 0 }, 'client_gone')
    }
    const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body))
    const list = [...ownHeaders(this.envelope.requestId), ...headers]
    if (status !== 204) list.push('content-length', String(bytes.length))
    const sent = endWithBody(this.#request, this.#response, status, list, bytes)
    return this.#outcome(sent, 'answered')
  }

  reject(problem: Problem): OutcomeFields {
    const { shape } = this.#parts
    const sent = reject(this.#request, this.#response, problem, shape, this.envelope.requestId)
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
    }
  }
}
