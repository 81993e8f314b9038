/** One streaming exchange under way: the client's body up, the cloud's answer down, and every way it can end. */

import type { IncomingMessage } from 'node:http'
import type { OutcomeFields } from '../audit/audit-log.ts'
import { Problem } from '../domain/problem.ts'
import { answerHeadProblem, refusalProblem } from '../upstream/answer-head.ts'
import type { Entrant } from '../upstream/places.ts'
import { isEventStream, noteAnswer } from './answer-head.ts'
import { BodyUp } from './body-up.ts'
import { breakConnection } from './break-connection.ts'
import { collect } from './collect.ts'
import { cutAnswer } from './cut.ts'
import { deliver } from './deliver.ts'
import { drainOrClose, expectsContinue } from './early-end.ts'
import type { Cut, Hold } from './exchange.ts'
import type { Passage, TransferParts } from './forward.ts'
import { endedBy } from './open-token.ts'
import { streamsBody, type Outbound, type OutboundOwner, type Tether } from './outbound.ts'
import { pipeDown } from './pipe-down.ts'
import { redactWhole } from './redact.ts'

export class Transfer implements OutboundOwner, Entrant {
  readonly outcome: Promise<OutcomeFields>
  readonly user: string
  readonly own = false
  readonly passage: Passage
  readonly #settle: PromiseWithResolvers<OutcomeFields>
  readonly #parts: TransferParts
  readonly #body: BodyUp
  readonly #timer: NodeJS.Timeout
  #state: 'waiting' | 'answering' | 'settled' = 'waiting'
  /** All of the request has gone up. */
  #isUp = false
  #outbound: Outbound | undefined
  #tether: Tether | undefined
  #holding: Hold | undefined
  #watching: Disposable | undefined
  #unread: Disposable | undefined
  #bytes = 0

  constructor(passage: Passage, parts: TransferParts) {
    this.passage = passage
    this.user = passage.user
    this.#parts = parts
    this.#settle = Promise.withResolvers()
    this.outcome = this.#settle.promise
    this.#body = new BodyUp(passage.incoming, passage.guard, {
      push: (piece) => this.#outbound?.push(piece) !== false,
      moved: () => void this.#timer.refresh(),
      failed: this.#refused,
      gone: this.#clientClosed,
    })
    this.#timer = setTimeout(this.#late, parts.firstByteTimeoutMs)
    const { response, hold, standing } = passage
    response.on('close', this.#clientClosed).on('finish', this.#finished)
    this.#holding = hold?.(this.#breakOff)
    this.#watching = standing?.watch(this.#mayNot)
  }

  get state(): 'waiting' | 'answering' | 'settled' {
    return this.#state
  }

  /** Whoever waited may have lost the right meanwhile. */
  go(waited: boolean): void {
    try {
      const confirmed = waited ? this.passage.standing?.confirm?.() : undefined
      if (!(confirmed instanceof Promise)) return this.#go()
      confirmed.then(this.#go, this.#refused)
    } catch (thrown) {
      this.#refused(thrown)
    }
  }

  readonly #go = (): void => {
    if (this.#state === 'settled') return
    this.#timer.refresh()
    this.#parts.send(this)
  }

  sends(outbound: Outbound, tether: Tether): void {
    this.#outbound = outbound
    this.#tether = tether
    const { incoming, response, request } = this.passage
    if (!streamsBody(incoming, request)) {
      if (request.body !== undefined) outbound.push(request.body)
      outbound.push(null)
      return
    }
    this.#body.begin()
    if (expectsContinue(incoming)) response.writeContinue()
  }

  /** Upstream wants more of the body. */
  pull(): void {
    if (this.#state !== 'settled') this.#body.pull()
  }

  /** Upstream has been handed all of the request. */
  sent(): void {
    this.#isUp = true
  }

  failed(error: Error): void {
    this.#end(
      error instanceof Problem ? error : new Problem('upstream_failed', { cause: error }),
      'upstream_reset',
    )
  }

  answered(answer: IncomingMessage): void {
    if (this.#state !== 'waiting') return void answer.destroy()
    clearTimeout(this.#timer)
    const { request, response, requestId, facts, hold, tokenEnds } = this.passage
    const { authorization } = request
    const status = answer.statusCode ?? 0
    noteAnswer(facts, status, answer.headers)
    const { cut } = this.passage
    const use = cut === undefined ? 'passed' : 'read'
    // A client that is refused with its own token must hear of it.
    const refusal =
      authorization.of === 'gate' ? refusalProblem(status, authorization.credential) : undefined
    const problem = refusal ?? answerHeadProblem(status, answer.headers, use)
    if (problem !== undefined) return this.#end(problem, problem.code)
    this.#state = 'answering'
    const credential = authorization.of === 'gate' ? authorization.credential.reveal() : ''
    if (cut !== undefined) return this.#sendCut(answer, cut, credential)
    const headers = this.#parts.answerHeaders({
      status,
      headers: answer.headers,
      mode: hold === undefined ? 'stream' : 'passed',
      ...{ requestId, credential, tokenEnds },
    })
    const length = answer.headers['content-length']
    if (length !== undefined && status !== 204) headers.push('content-length', length)
    response.writeHead(status, headers)
    response.flushHeaders()
    if (isEventStream(answer.headers)) this.#holding?.hasNoEnd()
    this.#pipe(answer, credential)
  }

  /** An answer with keys to cut is read whole, however large the upload was: nothing is sent before it is cut. */
  #sendCut(answer: IncomingMessage, cut: Cut, credential: string): void {
    const { incoming, response, requestId, tokenEnds } = this.passage
    const status = answer.statusCode ?? 0
    collect(answer, this.#parts.maxAnswerBytes)
      .then((whole) => {
        if (this.#state !== 'answering') return
        const kept = cutAnswer({ status, headers: answer.headers, body: whole }, cut)
        const body = redactWhole(kept.body, credential)
        const head = { status, headers: answer.headers, mode: kept.mode, requestId, credential }
        const headers = this.#parts.answerHeaders({ ...head, tokenEnds })
        if (status !== 204) headers.push('content-length', String(body.length))
        this.#bytes = body.length
        response.writeHead(status, headers)
        const client = { user: this.user, request: incoming, response, breakOff: this.#breakOff }
        void deliver(this.#parts.unread, client, body)
      })
      .catch((error: Error) => this.failed(error))
  }

  #pipe(answer: IncomingMessage, credential: string): void {
    const { response } = this.passage
    this.#unread = this.#parts.unread.watch({
      user: this.user,
      left: () => response.writableLength,
      taken: () => this.#bytes - response.writableLength,
      waitsItsTurn: () => response.socket === null,
      breakOff: this.#breakOff,
    })
    pipeDown(answer, response, credential, {
      isOpen: () => this.#state === 'answering',
      failed: (error) => this.failed(error),
      wrote: (bytes) => {
        this.#bytes += bytes
      },
    })
  }

  readonly #late = (): void => {
    const wentUp = this.#outbound !== undefined
    this.#refused(
      wentUp ? new Problem('upstream_timeout') : new Problem('overloaded', { retryAfterS: 1 }),
    )
  }

  /** What has gone up whole cannot be called back, and the answer to it is told unless it has no end in sight. */
  readonly #mayNot = (problem: Problem): void => {
    const isPiped = this.#state === 'answering' && this.passage.cut === undefined
    if (isPiped || !this.#isUp) this.#end(problem, endedBy(problem))
  }

  readonly #refused = (thrown: unknown): void => {
    const problem = Problem.from(thrown)
    this.#end(problem, problem.code)
  }

  readonly #clientClosed = (): void => {
    if (this.#state === 'settled') return
    this.#close()
    this.#settle.resolve(this.#fields('client_gone'))
  }

  readonly #finished = (): void => {
    if (this.#state === 'settled') return
    this.#close()
    this.#settle.resolve(this.#fields('answered'))
    drainOrClose(this.passage.incoming)
  }

  /** Before the answer's head a problem is the pipeline's to tell; after it the client must see a broken answer. */
  #end(problem: Problem, ended: string): void {
    if (this.#state === 'settled') return
    // All has been handed over; only the last bytes are on their way to the client.
    if (this.#state === 'answering' && this.passage.response.writableEnded) return
    if (this.passage.response.headersSent) return this.#breakOff(ended)
    this.#close()
    this.#settle.reject(problem)
  }

  readonly #breakOff = (ended: string): void => {
    if (this.#state === 'settled') return
    this.#close()
    breakConnection(this.passage)
    this.#settle.resolve(this.#fields(ended))
  }

  #close(): void {
    this.#state = 'settled'
    clearTimeout(this.#timer)
    for (const held of [this.#holding, this.#watching, this.#unread]) held?.[Symbol.dispose]()
    this.#body.close()
    this.passage.response.off('close', this.#clientClosed).off('finish', this.#finished)
    this.#tether?.cut()
    this.#outbound?.destroy()
    this.#parts.left(this)
  }

  #fields(ended: string): OutcomeFields {
    const { response, facts } = this.passage
    return {
      status: response.headersSent ? response.statusCode : 0,
      upstreamStatus: facts.status,
      upstreamRequestId: facts.requestId,
      retryAfterS: facts.retryAfterS,
      bytes: this.#bytes,
      ended,
    }
  }
}
