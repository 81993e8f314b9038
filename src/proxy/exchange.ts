/** One request and its answer, without sockets: all that the pipeline may touch. */

import type { Envelope, OutcomeFields } from '../audit/audit-log.ts'
import type { Obligations } from '../domain/decision.ts'
import type { AnswerSpec } from '../domain/catalog.ts'
import type { Problem } from '../domain/problem.ts'
import type { UpstreamRequest } from '../upstream/upstream.ts'

/** The request as it came, before anything is believed of it. */
export type RawRequest = {
  method: string
  target: string
  httpVersion: string
  /** Name, value, name, value, … as received: repeated headers stay visible. */
  rawHeaders: readonly string[]
}

/** How a body that streams is watched on its way. */
export type BodyGuard =
  | { kind: 'multipart'; boundary: string; files: readonly string[]; fields: readonly string[] }
  | { kind: 'none' }

/** How the answer is cut. Present only for answers that are read by the gate. */
export type Cut = { answer: AnswerSpec; obligations: Obligations }

export interface Exchange {
  readonly raw: RawRequest
  readonly envelope: Envelope
  /**
   * The whole body, at most the configured bound.
   * @throws Problem `payload_too_large`, `invalid_body` (cut short), `unsupported_media_type` (encoded)
   */
  body(): Promise<Buffer>
  /** Sends upstream by the small way and the answer back, cut. */
  filter(request: UpstreamRequest, cut: Cut): Promise<OutcomeFields>
  /** Streams the request, and the answer too unless it has keys to cut. */
  forward(request: UpstreamRequest, guard: BodyGuard, cut: Cut | undefined): Promise<OutcomeFields>
  /** An answer of the gate's own. */
  answer(status: number, body: unknown): OutcomeFields
  /** The only writer of error bodies on the data port. Destroys the connection if bytes have gone out already. */
  reject(problem: Problem): OutcomeFields
}
