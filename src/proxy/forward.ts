/** The streaming way: http-proxy-middleware carries the request; what goes in and what comes out is ours. */

import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { createProxyMiddleware } from 'http-proxy-middleware'
import type { OutcomeFields } from '../audit/audit-log.ts'
import { createKeepAliveAgent } from '../upstream/keep-alive-agent.ts'
import { createPlaces } from '../upstream/places.ts'
import type { HttpOrigin } from '../lib/http-url.ts'
import type { BodyGuard, BreakOff, Cut, Hold, PassedRequest, Standing } from './exchange.ts'
import type { AnswerHeaders } from './headers.ts'
import { Outbound, Tether } from './outbound.ts'
import type { UpstreamFacts } from './answer-head.ts'
import { Transfer } from './transfer.ts'
import type { UnreadAnswers } from './unread.ts'

export type ForwarderOptions = {
  origin: HttpOrigin
  connections: number
  /** Under way or waiting for a connection at most. */
  maxCalls: number
  /** From the last byte sent to the answer's head. A stream that then is silent lives on. */
  firstByteTimeoutMs: number
  answerHeaders: AnswerHeaders
  /** Of an answer that is read to be cut. */
  maxAnswerBytes: number
  unread: UnreadAnswers
}

/** What a transfer has of the forwarder. */
export type TransferParts = Pick<
  ForwarderOptions,
  'firstByteTimeoutMs' | 'answerHeaders' | 'maxAnswerBytes' | 'unread'
> & {
  /** Sends it up; tells it by `sends` what goes there. */
  send: (transfer: Transfer) => void
  /** Its place is free again. */
  left: (transfer: Transfer) => void
}

/** One client's request and response, and what is sent on for it. */
export type Passage = {
  /** Whose turn it takes among all who want a connection. */
  user: string
  incoming: IncomingMessage
  response: ServerResponse
  request: PassedRequest
  guard: BodyGuard
  /** Undefined: the answer streams. */
  cut: Cut | undefined
  /** Of an allowed request: whether it still is. */
  standing?: Standing
  /** Of an observed request: its answer passes as it is. */
  hold?: (breakOff: BreakOff) => Hold
  /** When the caller's token ends, where that is soon: ISO 8601. */
  tokenEnds?: string | undefined
  requestId: string
  /** Filled as they become known, so that a rejection can still report them. */
  facts: UpstreamFacts
}

export interface Forwarder extends Disposable {
  /** @throws Problem `too_many_calls`, `overloaded` where one more on this one's behalf would find no room now */
  assertRoom(user: string): void
  /**
   * Resolves when the answer has ended, however it ended. Rejects with a Problem as long as nothing was sent to the client.
   * @throws Problem as `assertRoom`
   */
  forward(passage: Passage): Promise<OutcomeFields>
}

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { origin } = options
  const agent = createKeepAliveAgent(origin, options.connections)
  const middleware = createProxyMiddleware<Outbound, Tether>({
    target: origin.origin + origin.basePath,
    changeOrigin: true,
    ws: false,
    selfHandleResponse: true,
    agent,
    // The default plugins log every request and answer errors by themselves. Ours neither throw nor answer.
    ejectPlugins: true,
    plugins: [
      (proxy) => {
        proxy.on('error', (error, outbound) => outbound?.owner.failed(error))
        proxy.on('econnreset', (error, outbound) => outbound.owner.failed(error))
        proxy.on('proxyReq', (request, outbound) => watchRequest(request, outbound))
        proxy.on('proxyRes', (answer, outbound) => outbound.owner.answered(answer))
      },
    ],
  })

  const places = createPlaces({ connections: options.connections, calls: options.maxCalls })
  const parts: TransferParts = {
    ...options,
    left: (transfer) => places.leave(transfer),
    send(transfer) {
      const { incoming, request } = transfer.passage
      const outbound = new Outbound(incoming, request, transfer, () => transfer.pull())
      const tether = new Tether(outbound)
      const failed = (error: unknown) => transfer.failed(asError(error))
      transfer.sends(outbound, tether)
      middleware(outbound, tether, failed).catch(failed)
    },
  }

  return {
    assertRoom: (user) => places.assertRoom(user),
    forward(passage) {
      places.assertRoom(passage.user)
      const transfer = new Transfer(passage, parts)
      places.enter(transfer)
      return transfer.outcome
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

/** Endings that the library does not report: it would leave the client waiting. */
function watchRequest(request: ClientRequest, { owner }: Outbound): void {
  // The client may have gone while the library was still preparing.
  if (owner.state === 'settled') return void request.destroy()
  request.on('upgrade', (_answer: IncomingMessage, socket: Duplex) => {
    socket.destroy()
    owner.failed(new Error('upstream switched protocols'))
  })
  request.on('finish', () => owner.sent())
  request.on('close', () => {
    if (owner.state === 'waiting') owner.failed(new Error('upstream closed'))
  })
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('the proxy library failed', { cause: thrown })
}
