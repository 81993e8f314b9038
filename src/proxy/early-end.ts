/** Answers a request whose body may not have been read, so that the next request on the connection is right. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { isBroken, offBrokenBody, onBrokenBody } from './broken-body.ts'

/** Unread bytes worth reading to keep the connection. */
const drainBytes = 64 * 1024
/** Unread bytes and time spent at most on a client that must first read our answer (RFC 9112 §9.6). */
const lingerBytes = 16 * 1024 * 1024
const lingerMs = 2000

/** Sends status, headers (their length included) and body, and settles what is left of the request. */
export function endWithBody(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: string[],
  body: Buffer,
): { status: number; bytes: number } {
  const bytes = request.method === 'HEAD' ? 0 : body.length
  const fate = unreadFate(request)
  // Node adds `Connection: close`, and the listener processes nothing that is pipelined behind.
  if (fate === 'close') response.shouldKeepAlive = false
  response.writeHead(status, headers)
  if (fate === 'close') {
    if (bytes === 0) response.flushHeaders()
    else response.write(body)
    linger(request, response)
    return { status, bytes }
  }
  if (fate === 'drain') request.resume()
  response.end(bytes === 0 ? undefined : body)
  return { status, bytes }
}

/** True where nothing of the request is left to be read. */
export function isReadWhole(request: IncomingMessage): boolean {
  return unreadFate(request) === 'none'
}

/** True where the request's head promises a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

export function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue'
}

/** A client that waits for `100` may or may not send its body after a final answer: only closing is unambiguous. */
function unreadFate(request: IncomingMessage): 'none' | 'drain' | 'close' {
  if (request.complete || !hasBody(request)) return 'none'
  if (expectsContinue(request)) return 'close'
  const length = Number(request.headers['content-length'] ?? Infinity)
  return length <= drainBytes ? 'drain' : 'close'
}

/** Closing with unread bytes in the kernel resets the connection, and the client loses our answer with it. */
function linger(request: IncomingMessage, response: ServerResponse): void {
  if (expectsContinue(request) || isBroken(request)) response.end()
  else drain(request, () => response.end())
}

/** For an answer that ended before its request did: the rest is read, or the connection closed. */
export function drainOrClose(request: IncomingMessage): void {
  if (request.complete || request.socket.destroyed) return
  drain(request, () => {
    if (!request.complete) request.socket.destroy()
  })
}

/** Reads and drops what is left of a request, within bounds, then calls back once. */
function drain(request: IncomingMessage, done: () => void): void {
  let seen = 0
  const finish = () => {
    clearTimeout(timer)
    request.off('data', count).off('end', finish).off('close', finish)
    offBrokenBody(request, finish)
    done()
  }
  const count = (chunk: Buffer) => {
    seen += chunk.length
    if (seen > lingerBytes) finish()
  }
  const timer = setTimeout(finish, lingerMs)
  request.on('data', count).on('end', finish).on('close', finish)
  onBrokenBody(request, finish)
  request.resume()
}
