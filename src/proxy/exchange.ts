/** One request and its answer, without sockets: all that the pipeline may touch. */

import type { Envelope, OutcomeFields, StreamCount } from '../audit/audit-log.ts'
import type { Obligations } from '../domain/decision.ts'
import type { AnswerSpec } from '../domain/catalog.ts'
import type { Problem } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Secret } from '../lib/secret.ts'
import type { Behalf, UpstreamRequest } from '../upstream/upstream.ts'

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
  | {
      kind: 'multipart'
      boundary: string
      files: readonly string[]
      fields: readonly string[]
      /** Fields that name a product; ended where it is none that `isInReach` knows. */
      products: readonly string[]
      isInReach?: (product: string) => boolean
    }
  /** Ended where it holds a token of the gate's own, also under its `Content-Encoding`. */
  | { kind: 'own_tokens'; coding: string | undefined }
  | { kind: 'none' }

/** How the answer is cut. Present only for answers that are read by the gate. */
export type Cut = { answer: AnswerSpec; obligations: Obligations }

/** What `Authorization` says upstream. `gate`: our own credential, which no answer may hold. `client`: as it came, or nothing. */
export type Authorization =
  | { of: 'gate'; credential: Secret }
  | { of: 'client'; value: Secret | undefined }

/** An observed request, sent on as it came. */
export type PassedRequest = Omit<UpstreamRequest, 'credential'> & { authorization: Authorization }

/** On whose behalf an allowed call goes up, and whether it still may. */
export type Standing = Behalf & {
  /** Calls back once it may no longer go on, perhaps more than once, until it is disposed of. */
  watch(refuse: (problem: Problem) => void): Disposable
}

/** Breaks off what is under way, for this reason. */
export type BreakOff = (ended: string) => void

/** An eye kept on what is under way, until it is disposed of. */
export type Hold = Disposable & {
  /** Its answer is an event stream: nobody waits for it when the gate stops. */
  hasNoEnd(): void
}

export type AssembledAnswer = {
  status: number
  contentType: string
  body: Buffer
  upstream: { status: number | undefined; requestId: string | undefined }
  list?: OutcomeFields['list']
  /** Whole seconds, of an error that the cloud said it of. */
  retryAfterS?: number
}

/** The client's end of an event stream: the only one that writes to it. */
export interface EventSink {
  /** Sends head and first bytes. */
  begin(): void
  /**
   * One whole event or comment. What the client does not take is held, up to the bound; beyond it the stream is ended
   * as `slow_reader`, and nothing more is written.
   */
  write(piece: Buffer): void
  /** `answered`: a plain end. Anything else breaks the connection, so that the client sees no whole answer. Once. */
  end(ended: string): void
  /** Called once, when the client has gone or the stream was ended by the sink itself. */
  onEnd(callback: () => void): void
  /** Kept for the outcome record. */
  count: StreamCount
  readonly open: boolean
  /** Bytes that the client's connection has not taken yet, and all that it ever took. */
  readonly waiting: number
  readonly taken: number
  /** Its connection's name among all of this machine; `undefined`: it is none of TCP. */
  readonly ends: string | undefined
}

export interface Exchange {
  readonly raw: RawRequest
  readonly envelope: Envelope
  /**
   * The whole body, at most the configured bound.
   * @throws Problem `payload_too_large`, `invalid_body` (cut short), `unsupported_media_type` (encoded)
   */
  body(): Promise<Buffer>
  /**
   * The same of a caller whom nobody knows yet: within what the bodies of all of these may hold, and in less time.
   * @throws Problem as `body`, `rationed`, `overloaded`, `request_timeout`
   */
  unknownBody(): Promise<Buffer>
  /** The body where it was read already; undefined: it streams, or there is none. @throws Problem as `body` did */
  bodyIfRead(): Promise<Buffer | undefined>
  /** Connections and unread answers count against this API user from now on; until then against all whom nobody knows. */
  isOf(user: string): void
  /** From now on every answer says when the caller's token ends. Milliseconds since the epoch; undefined: nothing is said. */
  tokenEnds(atMs: number | undefined): void
  /** Sends upstream by the small way and the answer back, cut. */
  filter(request: UpstreamRequest, cut: Cut, behalf: Behalf): Promise<OutcomeFields>
  /** Streams the request, and the answer too unless it has keys to cut. */
  forward(
    request: UpstreamRequest,
    guard: BodyGuard,
    cut: Cut | undefined,
    standing: Standing,
  ): Promise<OutcomeFields>
  /**
   * Sends on what is observed, and the answer back as the cloud gave it. Without a body in the request the client's own streams.
   * @param hold is told of it before anything is sent, and disposed of when all has ended
   * @throws Problem `invalid_token` where the body holds a token of the gate's own
   */
  pass(request: PassedRequest, hold: (breakOff: BreakOff) => Hold): Promise<OutcomeFields>
  /**
   * A cut list that the gate put together: one piece with its true length, no validator and no range; HEAD as GET.
   * `status` is below 400, or the cloud's own error with its body cut.
   * @throws Problem `too_much_unread`, `overloaded` where the client leaves too much unread
   */
  send(answer: AssembledAnswer): MaybePromise<OutcomeFields>
  /** Aborted when the client goes away before it was answered. */
  readonly gone: AbortSignal
  /**
   * Opens an event stream. `serve` is called once, with the client's end of it; resolves when the stream has ended.
   * @throws Problem as long as `serve` throws it before `begin`
   */
  stream(serve: (sink: EventSink) => void | Promise<void>): Promise<OutcomeFields>
  /** An answer of the gate's own. */
  answer(status: number, body: unknown): OutcomeFields
  /** The only writer of error bodies on the data port. Destroys the connection if bytes have gone out already. */
  reject(problem: Problem): OutcomeFields
}
