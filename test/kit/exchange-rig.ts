/** Both ways to the upstream on a bare server, without tokens and policies: what the proxy's own tests stand on. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OutcomeFields, RejectFields } from '../../src/audit/audit-log.ts'
import { systemClock } from '../../src/domain/clock.ts'
import type { Obligations } from '../../src/domain/decision.ts'
import { Problem } from '../../src/domain/problem.ts'
import { every } from '../../src/lib/every.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createBodyBudget } from '../../src/proxy/body-budget.ts'
import type { BodyGuard, Cut, RawRequest } from '../../src/proxy/exchange.ts'
import { createForwarder } from '../../src/proxy/forward.ts'
import {
  compileAnswerHeaders,
  compileForwardList,
  forwardableHeaders,
  headProblem,
} from '../../src/proxy/headers.ts'
import { HttpExchange } from '../../src/proxy/http-exchange.ts'
import { guardServer, serverOptions, type ListenerLimits } from '../../src/proxy/listener.ts'
import type { BodyLimits } from '../../src/proxy/read-body.ts'
import { anOrigin } from './an-origin.ts'
import { createUnreadAnswers } from '../../src/proxy/unread.ts'
import { createUpstreamPool } from '../../src/upstream/pool.ts'
import type { UpstreamRequest } from '../../src/upstream/upstream.ts'
import { aStanding } from './fakes.ts'

export type Way = 'small' | 'streaming'

export const rigCredential = 'cloud-credential-0123456789'
export const rigShape = { body: { error: '$error', error_description: '$says' } }
export const noObligations: Obligations = {
  answer: undefined,
  hide: new Set(),
  reveal: new Set(),
}
export const uncut: Cut = {
  answer: { kind: 'object', at: '', secrets: [] },
  obligations: noObligations,
}

export type Rig = AsyncDisposable & {
  port: number
  outcomes: OutcomeFields[]
  rejects: RejectFields[]
  problems: Problem[]
}

export type RigOptions = {
  upstreamUrl: string
  way: Way
  cut?: Cut
  guard?: BodyGuard
  timeoutMs?: number
  maxAnswerBytes?: number
  maxBodyBytes?: number
  /** Of callers whom nobody knows yet. */
  unknown?: BodyLimits['unknown']
  streamBufferBytes?: number
  unreadBytes?: number
  unreadMs?: number
  limits?: Partial<ListenerLimits>
  /** Instead of sending on: what a handler does with the exchange. */
  handle?: (exchange: HttpExchange) => Promise<OutcomeFields>
}

const roomy: BodyLimits['unknown'] = {
  budget: createBodyBudget({ perAddress: 10_000_000, inAll: 10_000_000, retryAfterS: 1 }),
  withinMs: 60_000,
}

export async function startRig(options: RigOptions): Promise<Rig> {
  const origin = anOrigin(options.upstreamUrl)
  const answerHeaders = compileAnswerHeaders(['x-requested-scope'], origin)
  const list = compileForwardList(['accept', 'user-agent', 'x-particle-tool'])
  const timeoutMs = options.timeoutMs ?? 3000
  const pool = createUpstreamPool({
    origin,
    connections: 8,
    connectTimeoutMs: timeoutMs,
    headersTimeoutMs: timeoutMs,
    bodyTimeoutMs: timeoutMs,
    maxAnswerBytes: options.maxAnswerBytes ?? 1_000_000,
    maxCalls: 1000,
    clock: systemClock,
  })
  const unread = createUnreadAnswers({
    maxBytes: options.unreadBytes ?? 100_000_000,
    maxAnswerBytes: options.maxAnswerBytes ?? 1_000_000,
    stuckMs: options.unreadMs ?? 60_000,
    clock: systemClock,
    every,
  })
  const forwarder = createForwarder({
    origin,
    connections: 32,
    maxCalls: 1000,
    firstByteTimeoutMs: timeoutMs,
    ...{ answerHeaders, unread },
    maxAnswerBytes: options.maxAnswerBytes ?? 1_000_000,
  })
  const shape = rigShape
  const maxBytes = options.maxBodyBytes ?? 1_000_000
  const bodies = { maxBytes, unknown: options.unknown ?? roomy }
  const parts = {
    ...{ pool, answerHeaders, forwarder, unread, shape, bodies },
    streamBufferBytes: options.streamBufferBytes ?? 65_536,
  }
  const outcomes: OutcomeFields[] = []
  const rejects: RejectFields[] = []
  const problems: Problem[] = []
  let count = 0
  const newRequestId = () => `req-${(count += 1)}`

  async function sendOn(exchange: HttpExchange): Promise<OutcomeFields> {
    if (options.way === 'streaming') {
      const request = await toRequest(exchange.raw, undefined)
      const guard = options.guard ?? { kind: 'none' }
      return exchange.forward(request, guard, options.cut, aStanding())
    }
    const body = await exchange.body()
    const request = await toRequest(exchange.raw, body.length === 0 ? undefined : body)
    return exchange.filter(request, options.cut ?? uncut, aStanding())
  }

  async function toRequest(raw: RawRequest, body: Buffer | undefined): Promise<UpstreamRequest> {
    return {
      method: raw.method,
      target: raw.target,
      headers: forwardableHeaders(raw, list),
      body,
      credential: new Secret(rigCredential),
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = new HttpExchange(parts, request, response, {
      requestId: newRequestId(),
      atMs: 0,
      method: request.method ?? '',
      rawTarget: '',
      address: '',
      agent: undefined,
    })
    try {
      const problem = headProblem(exchange.raw)
      if (problem !== undefined) throw problem
      outcomes.push(await (options.handle ?? sendOn)(exchange))
    } catch (error) {
      const problem = Problem.from(error)
      problems.push(problem)
      outcomes.push(exchange.reject(problem))
    }
  }

  const limits = {
    headersTimeoutMs: 1000,
    requestTimeoutMs: 10_000,
    keepAliveTimeoutMs: 5000,
    maxHeaderBytes: 16_384,
    maxConnections: 100,
    ...options.limits,
  }
  const server = createServer(serverOptions(limits), (request, response) => {
    void serve(request, response)
  })
  guardServer(server, limits, {
    shape,
    onReject: (fields) => void rejects.push(fields),
    newRequestId,
    clock: systemClock,
    addressOf: () => '127.0.0.1',
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    outcomes,
    rejects,
    problems,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => {
        server.close(resolve)
      })
      server.closeAllConnections()
      await closed
      forwarder[Symbol.dispose]()
      unread[Symbol.dispose]()
      await pool[Symbol.asyncDispose]()
    },
  }
}
