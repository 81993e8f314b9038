/** What Node answers before any handler runs: protocol errors, upgrades, CONNECT, odd expectations. Each gets one row. */

import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { RejectFields } from '../audit/audit-log.ts'
import type { ErrorShape } from '../domain/catalog.ts'
import type { Clock } from '../domain/clock.ts'
import { Problem, type ProblemCode } from '../domain/problem.ts'
import { breakBody } from './broken-body.ts'
import { expectsContinue } from './early-end.ts'
import { headProblem } from './headers.ts'
import { rawRejection, reject } from './reject.ts'

export type ListenerLimits = {
  /** Whole request head, from its first byte. */
  headersTimeoutMs: number
  /** Whole request with its body; 0: none. */
  requestTimeoutMs: number
  /** Idle connection between two requests. */
  keepAliveTimeoutMs: number
  maxHeaderBytes: number
  maxConnections: number
}

export type GuardParts = {
  shape: ErrorShape
  /** Called exactly once for each request that no handler saw. */
  onReject(fields: RejectFields): void
  newRequestId(): string
  clock: Clock
  /** The client's address, as the whole gate derives it; headers are absent where none were parsed. */
  addressOf(socket: Duplex, rawHeaders: readonly string[]): string
}

export function serverOptions(limits: ListenerLimits): ServerOptions {
  return {
    // Node's own refusal would leave no row; `guardServer` refuses.
    requireHostHeader: false,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.max(100, Math.min(limits.headersTimeoutMs / 4, 5000)),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  }
}

/**
 * Installs the handlers around the request handler that the server has already. An error in the middle of a request that a handler has already (S03, S09) is that request's
 * own: it is told through `breakBody` and writes its own outcome. It is recognised by the connection's last request being
 * incomplete, so nothing is counted twice; an error behind a complete request is a new request and gets a row.
 */
export function guardServer(server: Server, limits: ListenerLimits, parts: GuardParts): void {
  const last = new WeakMap<Duplex, ServerResponse>()
  const refused = new WeakSet<Duplex>()

  server.maxConnections = limits.maxConnections
  // Node drops header lines over its count unseen; the head's size bounds them, and `headProblem` counts them.
  server.maxHeadersCount = 0

  function record(problem: Problem, socket: Duplex, request: IncomingMessage | undefined): string {
    const requestId = parts.newRequestId()
    parts.onReject({
      requestId,
      atMs: parts.clock.now(),
      method: request?.method ?? '',
      // The path only: a query may hold a token.
      rawTarget: request?.url?.split('?', 1)[0] ?? '',
      address: parts.addressOf(socket, request?.rawHeaders ?? []),
      agent: request?.headers['user-agent'],
      reason: problem.code,
      status: problem.status,
    })
    return requestId
  }

  /** Records, then answers a request that has a response. */
  function answer(problem: Problem, response: ServerResponse): void {
    const { req } = response
    reject(req, response, problem, parts.shape, record(problem, req.socket, req))
  }

  /** Records, then answers behind whatever is still being answered on this connection, and closes it. */
  function refuse(problem: Problem, socket: Duplex, request?: IncomingMessage): void {
    if (refused.has(socket)) return
    refused.add(socket)
    socket.on('error', () => socket.destroy())
    const requestId = record(problem, socket, request)
    const write = () => {
      if (!socket.writable) return void socket.destroy()
      socket.end(rawRejection(problem, parts.shape, requestId))
      socket.resume()
      setTimeout(() => socket.destroy(), 1000).unref()
    }
    const pending = last.get(socket)
    if (pending === undefined || pending.writableFinished || pending.destroyed) write()
    else pending.once('finish', write).once('close', () => socket.destroy())
  }

  const handlers = server.listeners('request')
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const before = last.get(request.socket)
    last.set(request.socket, response)
    // RFC 9112 §9.6: what was pipelined behind an answer that closes the connection is not processed.
    if (before?.shouldKeepAlive === false) return
    // Whoever stands between us may see another end of such a request: nothing behind it is believed (S04).
    if (headProblem(request) !== undefined) response.shouldKeepAlive = false
    // RFC 9112 §3.2.
    if (request.httpVersion === '1.1' && request.headers.host === undefined) {
      return answer(new Problem('invalid_request', { says: 'The Host is missing.' }), response)
    }
    for (const handler of handlers) Reflect.apply(handler, server, [request, response])
  })
  server.on('checkContinue', (request, response) => {
    // Node takes any list that holds the word (X03).
    if (!expectsContinue(request)) return void server.emit('checkExpectation', request, response)
    // The exchange sends `100 Continue` when the body is first read, which is after the decision (X01).
    server.emit('request', request, response)
  })
  server.on('checkExpectation', (request, response) => {
    last.set(request.socket, response)
    answer(new Problem('expectation_failed'), response)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    refuse(new Problem('upgrade_refused'), socket, request)
  })
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    refuse(new Problem('method_not_allowed'), socket, request)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // A client that goes away breaks no rule: a request under way hears of it by the connection's end.
    if (error.code === 'ECONNRESET') return void socket.destroy()
    const problem = new Problem(codeOf(error), { cause: error.code })
    const response = last.get(socket)
    if (response !== undefined && !response.req.complete) {
      breakOff(response, bodyProblem(problem), socket, refused)
    } else if (isSilent(socket)) {
      // Nothing of a request had come: a connection that ends is not a request.
      socket.destroy()
    } else {
      refuse(problem, socket)
    }
  })
}

/** The request under way hears of it and answers; the connection is not used again. */
function breakOff(
  response: ServerResponse,
  problem: Problem,
  socket: Duplex,
  refused: WeakSet<Duplex>,
): void {
  if (refused.has(socket)) return
  refused.add(socket)
  response.shouldKeepAlive = false
  breakBody(response.req, problem)
  if (response.writableFinished) socket.destroy()
  else response.once('finish', () => socket.destroy())
}

/** A connection on which nothing ever came. */
function isSilent(socket: Duplex): boolean {
  return 'bytesRead' in socket && socket.bytesRead === 0
}

/** Inside a body a break of the protocol is the body's. */
function bodyProblem(problem: Problem): Problem {
  return problem.code === 'invalid_request'
    ? new Problem('invalid_body', { cause: problem.cause })
    : problem
}

function codeOf(error: NodeJS.ErrnoException): ProblemCode {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return 'headers_too_large'
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'payload_too_large'
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request_timeout'
    default:
      return 'invalid_request'
  }
}
