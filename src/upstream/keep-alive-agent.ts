/** Node's own agents for the streaming way, with idle sockets that are watched and short-lived. */

import http, { type ClientRequest } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import type { HttpOrigin } from '../lib/http-url.ts'

/** Shorter than the five seconds after which common servers close an idle connection. */
const idleMs = 4000

export type KeepAliveAgent = http.Agent | https.Agent

export function createKeepAliveAgent(
  { protocol }: HttpOrigin,
  connections: number,
): KeepAliveAgent {
  const options = { keepAlive: true, maxSockets: connections, maxFreeSockets: 64, noDelay: true }
  return protocol === 'https:' ? new WatchedHttpsAgent(options) : new WatchedHttpAgent(options)
}

/** Bytes on an idle socket are an answer that nobody asked for: the next caller must not get it (S11). */
function watch(socket: Duplex): void {
  socket.on('data', destroyIdle).on('timeout', destroyIdle)
  if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(idleMs)
}

function unwatch(socket: Duplex): void {
  socket.off('data', destroyIdle).off('timeout', destroyIdle)
  if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0)
}

function destroyIdle(this: Duplex): void {
  this.destroy()
}

class WatchedHttpAgent extends http.Agent {
  override keepSocketAlive(socket: Duplex): boolean {
    return keep(super.keepSocketAlive(socket), socket)
  }
  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    unwatch(socket)
    super.reuseSocket(socket, request)
  }
}

class WatchedHttpsAgent extends https.Agent {
  override keepSocketAlive(socket: Duplex): boolean {
    return keep(super.keepSocketAlive(socket), socket)
  }
  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    unwatch(socket)
    super.reuseSocket(socket, request)
  }
}

// The types say void; Node answers whether the socket may be kept.
function keep(mayBeKept: unknown, socket: Duplex): boolean {
  if (mayBeKept !== true || socket.readableLength > 0) return false
  watch(socket)
  return true
}
