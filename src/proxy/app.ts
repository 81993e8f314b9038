/** The data port: an express app that hands every request to the pipeline, and nothing else. */

import { randomUUID } from 'node:crypto'
import {
  createServer,
  IncomingMessage,
  ServerResponse,
  type Server,
  type ServerOptions,
} from 'node:http'
import type { Duplex } from 'node:stream'
import express from 'express'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Clock } from '../domain/clock.ts'
import { valuesOf } from './credentials.ts'
import { HttpExchange, type ExchangeParts } from './http-exchange.ts'
import { guardServer, serverOptions, type ListenerLimits } from './listener.ts'
import type { Pipeline } from './pipeline.ts'
import { answerPreflight } from './preflight.ts'

export type DataPortParts = {
  pipeline: Pipeline
  audit: AuditLog
  exchange: ExchangeParts
  limits: ListenerLimits
  clock: Clock
  /** The client's address: the socket's peer, or what a trusted proxy in front says. */
  addressOf: (peer: string | undefined, rawHeaders: readonly string[]) => string
  /** A request that could be neither served nor refused: its connection was dropped. */
  onFault: (error: unknown) => void
}

/** Not listening yet. */
export function createDataPort(parts: DataPortParts): Server {
  const { pipeline, audit, exchange, limits, clock, addressOf, onFault } = parts

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const { rawHeaders } = request
    const served = new HttpExchange(exchange, request, response, {
      requestId: randomUUID(),
      atMs: clock.now(),
      method: request.method ?? '',
      rawTarget: request.url ?? '',
      address: addressOf(request.socket.remoteAddress, rawHeaders),
      agent: valuesOf(rawHeaders, 'user-agent')[0],
    })
    if (request.method === 'OPTIONS') return void answerPreflight(served, audit)
    pipeline(served).catch((error: unknown) => {
      response.destroy()
      onFault(error)
    })
  }

  const app = express()
  app.disable('x-powered-by').disable('etag').set('query parser', false)
  app.use(serve)
  // Express gives up on targets that it cannot parse; they are refused and recorded like all others.
  const throughExpress: Listener = app
  const options = { ...serverOptions(limits), ...messagesOf(app) }
  const server = createServer(options, (request, response) => {
    throughExpress(request, response, () => serve(request, response))
  })
  guardServer(server, limits, {
    shape: exchange.shape,
    clock,
    newRequestId: randomUUID,
    onReject: (fields) => audit.reject(fields),
    addressOf: (socket, rawHeaders) => addressOf(peerOf(socket), rawHeaders),
  })
  return server
}

/**
 * Node makes requests and responses of the very kind that express turns them into: to change the prototype of each one
 * afterwards slows down all that reads them.
 */
function messagesOf(
  app: express.Express,
): Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'> {
  class GateRequest extends IncomingMessage {}
  class GateResponse<Asked extends IncomingMessage> extends ServerResponse<Asked> {}
  Object.setPrototypeOf(GateRequest.prototype, app.request)
  Object.setPrototypeOf(GateResponse.prototype, app.response)
  Object.assign(app, { request: GateRequest.prototype, response: GateResponse.prototype })
  return { IncomingMessage: GateRequest, ServerResponse: GateResponse }
}

type Listener = (request: IncomingMessage, response: ServerResponse, unparsable: () => void) => void

function peerOf(socket: Duplex): string | undefined {
  return 'remoteAddress' in socket && typeof socket.remoteAddress === 'string'
    ? socket.remoteAddress
    : undefined
}
