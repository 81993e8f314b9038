/** Reads a request's whole body, bounded. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Problem } from '../domain/problem.ts'
import { createBodyBudget, type BodyBudget } from './body-budget.ts'
import { offBrokenBody, onBrokenBody } from './broken-body.ts'
import { expectsContinue, hasBody } from './early-end.ts'

const empty = Buffer.alloc(0)

type BodyBounds = {
  maxBytes: number
  /** Told of each piece before it is kept; what it throws ends the reading. */
  take?: (bytes: number) => void
  /** How long the whole body may take to arrive; absent: as long as any request. */
  withinMs?: number
}

/** What holds for all bodies, and for those of callers whom nobody knows yet. */
export type BodyLimits = { maxBytes: number; unknown: { budget: BodyBudget; withinMs: number } }

/** As a rule a form with a token in it has some hundred bytes; who is known by a header sends under no such bound. */
export function bodyLimits(maxBytes: number, requestMs: number): BodyLimits {
  const withinMs = Math.min(10_000, requestMs)
  const retryAfterS = Math.ceil(withinMs / 1000)
  const budget = createBodyBudget({ perAddress: 2 * maxBytes, inAll: 16 * maxBytes, retryAfterS })
  return { maxBytes, unknown: { budget, withinMs } }
}

/** Read once, whoever asks: a form is looked into for a token first and described afterwards. */
export class RequestBody {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #limits: BodyLimits
  #read: Promise<Buffer> | undefined

  constructor(request: IncomingMessage, response: ServerResponse, limits: BodyLimits) {
    this.#request = request
    this.#response = response
    this.#limits = limits
  }

  /** @throws Problem as `readBody` */
  whole(): Promise<Buffer> {
    const { maxBytes } = this.#limits
    this.#read ??= readBody(this.#request, this.#response, { maxBytes })
    return this.#read
  }

  /** In less time, and in what the budget leaves. @throws Problem as `readBody`, `rationed`, `overloaded` */
  ofUnknown(address: string): Promise<Buffer> {
    this.#read ??= this.#readWithin(address)
    return this.#read
  }

  async ifRead(): Promise<Buffer | undefined> {
    // A body that was refused for its stated length has not been touched.
    return this.#request.readableFlowing === null ? undefined : this.#read
  }

  async #readWithin(address: string): Promise<Buffer> {
    const { maxBytes, unknown } = this.#limits
    const { budget, withinMs } = unknown
    const hold = budget.hold(address)
    const giveBack = () => hold[Symbol.dispose]()
    // It is held for as long as the request is under way.
    this.#response.once('close', giveBack)
    try {
      const take = hold.take.bind(hold)
      return await readBody(this.#request, this.#response, { maxBytes, withinMs, take })
    } catch (thrown) {
      giveBack()
      throw thrown
    }
  }
}

/**
 * `100 Continue` is sent here, when the body is first wanted.
 * @throws Problem `payload_too_large`, `unsupported_media_type` (encoded), `invalid_body` (cut short), `request_timeout`,
 * and what `take` throws
 */
async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  { maxBytes, take, withinMs }: BodyBounds,
): Promise<Buffer> {
  if (!hasBody(request)) return empty
  refuseEncoded(request)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    throw new Problem('payload_too_large')
  }
  if (expectsContinue(request)) response.writeContinue()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) return fail(new Problem('payload_too_large'))
      try {
        take?.(chunk.length)
      } catch (thrown) {
        return fail(Problem.from(thrown))
      }
      chunks.push(chunk)
    }
    const onEnd = () => {
      stop()
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
    }
    const cutShort = (cause?: unknown) => fail(new Problem('invalid_body', { cause }))
    const late = () => fail(new Problem('request_timeout'))
    const timer = withinMs === undefined ? undefined : setTimeout(late, withinMs)
    const fail = (problem: Problem) => {
      stop()
      request.pause()
      reject(problem)
    }
    const stop = () => {
      clearTimeout(timer)
      request.off('data', onData).off('end', onEnd).off('close', cutShort)
      offBrokenBody(request, fail)
    }
    request.on('error', cutShort)
    request.on('close', cutShort).on('end', onEnd).on('data', onData)
    onBrokenBody(request, fail)
  })
}

/** What is read or guarded must be readable: a coding hides it (B07). */
export function refuseEncoded(request: IncomingMessage): void {
  if (codingOf(request) !== undefined) throw new Problem('unsupported_media_type')
}

/** Undefined: the body is as it came. */
export function codingOf({ headers }: IncomingMessage): string | undefined {
  const coding = headers['content-encoding']
  return coding?.trim().toLowerCase() === 'identity' ? undefined : coding
}
