/** One streaming exchange under way: the client's body up, the cloud's answer down, and every way it can end. */

import type { IncomingMessage } from 'node:http'
import type { OutcomeFields } from '../audit/audit-log.ts'
import { Problem } from '../domain/problem.ts'
import { answerHeadProblem, refusalProblem } from '../upstream/answer-head.ts'
import { breakConnection } from './break-connection.ts'
import { offBrokenBody, onBrokenBody } from './broken-body.ts'
import { collect } from './collect.ts'
import { cutAnswer } from './cut.ts'
import { drainOrClose, expectsContinue } from './early-end.ts'
import { createBodyWatch, type BodyWatch } from './body-watch.ts'
import type { Cut, Hold } from './exchange.ts'
import type { ForwarderOptions, Passage } from './forward.ts'
import { isEventStream, noteAnswer } from './answer-head.ts'
import { streamsBody, type Outbound, type OutboundOwner, type Tether } from './outbound.ts'
import { createRedactor, redactWhole } from './redact.ts'

export class Transfer implements OutboundOwner {
  readonly outcome: Promise<OutcomeFields>
  readonly #settle: PromiseWithResolvers<OutcomeFields>
  readonly #passage: Passage
  readonly #options: ForwarderOptions
  readonly #watch: BodyWatch
  readonly #timer: NodeJS.Timeout
  #state: 'waiting' | 'answering' | 'settled' = 'waiting'
  #outbound: Outbound | undefined
  #tether: Tether | undefined
  #holding: Hold | undefined
  #bytes = 0

  constructor(passage: Passage, options: ForwarderOptions) {
    this.#passage = passage
    this.#options = options
    this.#settle = Promise.withResolvers()
    this.outcome = this.#settle.promise
    this.#watch = createBodyWatch(passage.guard)
    this.#timer = setTimeout(this.#late, options.firstByteTimeoutMs)
  }

  get state(): 'waiting' | 'answering' | 'settled' {
    return this.#state
  }

  begin(outbound: Outbound, tether: Tether): void {
    this.#outbound = outbound
    this.#tether = tether
    const { incoming, response, request, hold } = this.#passage
    this.#holding = hold?.(this.#breakOff)
    response.on('close', this.#clientClosed)
    response.on('finish', this.#finished)
    if (!streamsBody(incoming, request)) {
      if (request.body !== undefined) outbound.push(request.body)
      outbound.push(null)
      return
    }
    onBrokenBody(incoming, this.#bodyFailed)
    incoming.on('error', this.#clientClosed)
    incoming.on('end', this.#bodyEnded)
    incoming.on('data', this.#bodyPiece)
    incoming.pause()
    if (expectsContinue(incoming)) response.writeContinue()
  }

  /** Upstream wants more of the body. */
  pull(): void {
    if (this.#state !== 'settled') this.#passage.incoming.resume()
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
    const { request, response, requestId, facts, hold, tokenEnds } = this.#passage
    const { authorization } = request
    const status = answer.statusCode ?? 0
    noteAnswer(facts, status, answer.headers)
    const { cut } = this.#passage
    const use = cut === undefined ? 'passed' : 'read'
    // A client that is refused with its own token must hear of it.
    const refusal = authorization.of === 'gate' ? refusalProblem(status) : undefined
    const problem = refusal ?? answerHeadProblem(status, answer.headers, use)
    if (problem !== undefined) return this.#end(problem, problem.code)
    this.#state = 'answering'
    const credential = authorization.of === 'gate' ? authorization.credential.reveal() : ''
    if (cut !== undefined) return this.#sendCut(answer, cut, credential)
    const headers = this.#options.answerHeaders({
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
    const { response, requestId, tokenEnds } = this.#passage
    const status = answer.statusCode ?? 0
    collect(answer, this.#options.maxAnswerBytes)
      .then((whole) => {
        if (this.#state !== 'answering') return
        const kept = cutAnswer({ status, headers: answer.headers, body: whole }, cut)
        const body = redactWhole(kept.body, credential)
        const head = { status, headers: answer.headers, mode: kept.mode, requestId, credential }
        const headers = this.#options.answerHeaders({ ...head, tokenEnds })
        if (status !== 204) headers.push('content-length', String(body.length))
        this.#bytes = body.length
        response.writeHead(status, headers)
        response.end(body)
      })
      .catch((error: Error) => this.failed(error))
  }

  #pipe(answer: IncomingMessage, credential: string): void {
    const { response } = this.#passage
    const redactor = createRedactor(credential)
    const send = (piece: Buffer) => {
      this.#bytes += piece.length
      return piece.length === 0 || response.write(piece)
    }
    const resume = () => answer.resume()
    response.on('drain', resume)
    answer.on('data', (chunk: Buffer) => {
      if (this.#state === 'answering' && !send(redactor.push(chunk))) answer.pause()
    })
    answer.on('end', () => {
      // An answer that broke off ends too; only `complete` tells them apart (F04).
      if (this.#state !== 'answering') return
      if (!answer.complete) return this.failed(new Error('upstream answer cut short'))
      send(redactor.flush())
      response.end()
    })
    answer.on('error', (error) => this.failed(error))
    answer.on('close', () => {
      response.off('drain', resume)
      if (!answer.complete) this.failed(new Error('upstream answer cut short'))
    })
  }

  readonly #late = (): void => {
    this.#end(new Problem('upstream_timeout'), 'upstream_timeout')
  }

  readonly #bodyPiece = (piece: Buffer): void => {
    this.#timer.refresh()
    const next = this.#watched(() => this.#watch.push(piece))
    if (next === undefined || next.length === 0) return
    if (this.#outbound?.push(next) === false) this.#passage.incoming.pause()
  }

  readonly #bodyEnded = (): void => {
    const rest = this.#watched(() => this.#watch.end())
    if (rest === undefined) return
    if (rest.length > 0) this.#outbound?.push(rest)
    this.#outbound?.push(null)
  }

  #watched(look: () => Buffer): Buffer | undefined {
    try {
      return look()
    } catch (error) {
      this.#bodyFailed(Problem.from(error))
      return undefined
    }
  }

  readonly #bodyFailed = (problem: Problem): void => {
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
    drainOrClose(this.#passage.incoming)
  }

  /** Before the answer's head a problem is the pipeline's to tell; after it the client must see a broken answer. */
  #end(problem: Problem, ended: string): void {
    if (this.#state === 'settled') return
    // All has been handed over; only the last bytes are on their way to the client.
    if (this.#state === 'answering' && this.#passage.response.writableEnded) return
    if (this.#passage.response.headersSent) return this.#breakOff(ended)
    this.#close()
    this.#settle.reject(problem)
  }

  readonly #breakOff = (ended: string): void => {
    if (this.#state === 'settled') return
    this.#close()
    breakConnection(this.#passage)
    this.#settle.resolve(this.#fields(ended))
  }

  #close(): void {
    this.#state = 'settled'
    clearTimeout(this.#timer)
    this.#holding?.[Symbol.dispose]()
    const { incoming, response } = this.#passage
    response.off('close', this.#clientClosed).off('finish', this.#finished)
    incoming.off('data', this.#bodyPiece).off('end', this.#bodyEnded)
    incoming.off('error', this.#clientClosed)
    offBrokenBody(incoming, this.#bodyFailed)
    // A late reset of the client's side must find a listener.
    incoming.on('error', () => {})
    this.#tether?.cut()
    this.#outbound?.destroy()
  }

  #fields(ended: string): OutcomeFields {
    const { response, facts } = this.#passage
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
