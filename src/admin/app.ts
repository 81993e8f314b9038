/** The admin port: an express app that hands every request to one function, and writes what it answers. */

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import express from 'express'
import type { AuditLog } from '../audit/audit-log.ts'
import type { ErrorShape } from '../domain/catalog.ts'
import type { Clock } from '../domain/clock.ts'
import type { Problem } from '../domain/problem.ts'
import type { OperatorTokens } from '../store/operator-tokens.ts'
import { createFailures } from './http/failures.ts'
import { valuesOf, type Head } from './http/head.ts'
import { guardServer, serverOptions, type ListenerLimits } from './http/listener.ts'
import { readJson } from './http/read-body.ts'
import { createServe, type Answer } from './http/serve.ts'
import { createSignOn } from './http/sign-on.ts'
import { createTable } from './http/table.ts'
import type { AnyOperation } from './operation.ts'

export type AdminPortParts = {
  operations: readonly AnyOperation[]
  operatorTokens: Pick<OperatorTokens, 'authenticate'>
  /** Name of the cookie that holds a sign-in; absent: there is none. */
  sessionCookie: string | undefined
  audit: Pick<AuditLog, 'reject'>
  errorShape: ErrorShape
  limits: ListenerLimits
  clock: Clock
  /** The caller's address: the socket's peer, or what a trusted proxy in front says. */
  addressOf: (peer: string | undefined, rawHeaders: readonly string[]) => string
  /** What was no caller's fault; the answer was a bare 500. */
  onFault: (error: Problem, requestId: string) => void
}

/** Failed sign-ons of one address in a minute before it is told to wait. */
const failuresPerMinute = 20

/** Not listening yet. @throws Error where two operations stand at one place */
export function createAdminPort(parts: AdminPortParts): Server {
  const { operations, operatorTokens, sessionCookie, audit, limits, clock, addressOf } = parts
  const serve = createServe({
    table: createTable(operations),
    signOn: createSignOn({
      ...{ operatorTokens, sessionCookie },
      failures: createFailures(clock, failuresPerMinute),
    }),
    ...{ audit, errorShape: parts.errorShape, onFault: parts.onFault },
  })

  function headOf(request: IncomingMessage): Head {
    const { rawHeaders, method = '', url = '', socket } = request
    return {
      ...{ requestId: randomUUID(), atMs: clock.now(), method, target: url, rawHeaders },
      address: addressOf(socket.remoteAddress, rawHeaders),
      agent: valuesOf({ rawHeaders }, 'user-agent')[0],
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = headOf(request)
    const answer = await serve(head, () => readJson(request))
    write(request, response, head.requestId, answer)
  }

  const app = express()
  app.disable('x-powered-by').disable('etag').set('query parser', false)
  const run = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => void response.destroy())
  }
  app.use(run)
  const server = createServer(serverOptions(limits), (request, response) => {
    // Express gives up on targets that it cannot parse; they are refused and recorded like all others.
    const throughExpress: Through = app
    throughExpress(request, response, () => run(request, response))
  })
  guardServer(server, limits, ({ code, status }, socket) => {
    const envelope = { requestId: randomUUID(), atMs: clock.now(), method: '', rawTarget: '' }
    const address = addressOf(peerOf(socket), [])
    audit.reject({ ...envelope, address, agent: undefined, reason: code, status, port: 'admin' })
  })
  return server
}

type Through = (request: IncomingMessage, response: ServerResponse, unparsable: () => void) => void

/** Nothing here is for caches, other pages or scripts of other origins. */
const fixedHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const

function write(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  { status, headers, content }: Answer,
): void {
  if (response.destroyed) return
  const bytes = content?.bytes
  // What is left of a body that nobody read must not be taken for the next request.
  if (!request.complete) response.shouldKeepAlive = false
  response.writeHead(status, {
    ...fixedHeaders,
    'x-request-id': requestId,
    ...(content !== undefined && { 'content-type': content.type }),
    ...(status !== 204 && { 'content-length': String(bytes?.length ?? 0) }),
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

function peerOf(socket: Duplex): string | undefined {
  return 'remoteAddress' in socket && typeof socket.remoteAddress === 'string'
    ? socket.remoteAddress
    : undefined
}
