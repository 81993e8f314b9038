/** Limits of the admin port's listener, and what Node would answer by itself. */

import { STATUS_CODES, type Server, type ServerOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import { Problem } from '../../domain/problem.ts'
import { limitConnections } from './connections.ts'

export type ListenerLimits = {
  /** Whole request head, from its first byte. */
  headersTimeoutMs: number
  /** Whole request with its body. */
  requestTimeoutMs: number
  keepAliveTimeoutMs: number
  maxHeaderBytes: number
  maxConnections: number
}

export function serverOptions(limits: ListenerLimits): ServerOptions {
  return {
    requireHostHeader: true,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.max(100, Math.min(limits.headersTimeoutMs / 4, 5000)),
    noDelay: true,
  }
}

/** @param onReject what no handler saw, once each */
export function guardServer(
  server: Server,
  limits: ListenerLimits,
  onReject: (problem: Problem, socket: Duplex) => void,
): void {
  limitConnections(server, limits.maxConnections)
  const refuse = (problem: Problem, socket: Duplex): void => {
    onReject(problem, socket)
    if (!socket.writable) return void socket.destroy()
    const head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}\r\n`
    socket.on('error', () => socket.destroy())
    socket.end(`${head}cache-control: no-store\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
  }
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ECONNRESET') return void socket.destroy()
    refuse(new Problem(codeOf(error), { cause: error.code }), socket)
  })
  server.on('upgrade', (_request, socket: Duplex) => {
    refuse(new Problem('upgrade_refused'), socket)
  })
  server.on('connect', (_request, socket: Duplex) => {
    refuse(new Problem('method_not_allowed'), socket)
  })
}

function codeOf({ code }: NodeJS.ErrnoException) {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'invalid_request'
}
