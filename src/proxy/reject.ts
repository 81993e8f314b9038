/** The only writer of error bodies on the data port, over a response or over a bare socket. */

import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ErrorShape } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { endWithBody } from './early-end.ts'
import { ownHeaders } from './headers.ts'

/** What the client was sent: its status, 0 where nothing could be sent, and the body's bytes. */
export type Sent = { status: number; bytes: number }

/** The problem in the cloud's own words, as its clients read them. */
export function errorBody({ body }: ErrorShape, problem: Problem): Buffer {
  const says = publicSentence(problem)
  const filled: Record<string, string> = {}
  for (const [key, value] of Object.entries(body)) filled[key] = fill(value, problem, says)
  return Buffer.from(JSON.stringify(filled))
}

function fill(value: string, problem: Problem, says: string): string {
  switch (value) {
    case '$error':
      return problem.error
    case '$code':
      return problem.code
    case '$says':
    case '$tell':
      return says
    default:
      return value
  }
}

/** The cloud's command line takes these words for a dead login, so a policy's `tell` cannot bring them in. */
function publicSentence(problem: Problem): string {
  if (problem.status !== 403 || !/access.?token/i.test(problem.says)) return problem.says
  return new Problem('forbidden').says
}

/** What is over its limit or cannot be reached may be back at once. */
const soonS = 1

function errorHeaders(
  problem: Problem,
  requestId: string,
  length: number,
  tokenEnds?: string,
): string[] {
  const list = ownHeaders(requestId, tokenEnds)
  if (problem.status === 401) list.push('www-authenticate', 'Bearer')
  const { retryAfterS = problem.status === 503 ? soonS : undefined } = problem
  if (retryAfterS !== undefined) list.push('retry-after', String(retryAfterS))
  for (const [name, value] of Object.entries(problem.headers)) list.push(name, value)
  list.push('content-length', String(length))
  return list
}

/** Destroys the connection where bytes have gone out already: half an answer must not look like a whole one. */
export function reject(
  request: IncomingMessage,
  response: ServerResponse,
  problem: Problem,
  shape: ErrorShape,
  requestId: string,
  tokenEnds?: string,
): Sent {
  if (response.headersSent) {
    response.destroy()
    return { status: response.statusCode, bytes: 0 }
  }
  if (response.destroyed || response.closed) return { status: 0, bytes: 0 }
  const body = errorBody(shape, problem)
  return endWithBody(
    request,
    response,
    problem.status,
    errorHeaders(problem, requestId, body.length, tokenEnds),
    body,
  )
}

/** The same answer as bytes, for a socket that has no response (RFC 9112 §9.6: always the last one on it). */
export function rawRejection(problem: Problem, shape: ErrorShape, requestId: string): Buffer {
  const body = errorBody(shape, problem)
  const list = [...errorHeaders(problem, requestId, body.length), 'date', new Date().toUTCString()]
  const upgrade = problem.status === 426
  // RFC 9110 §15.5.22: a 426 names what is served instead.
  if (upgrade) list.push('upgrade', 'HTTP/1.1')
  list.push('connection', upgrade ? 'upgrade, close' : 'close')
  let head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}\r\n`
  for (let i = 0; i < list.length; i += 2) head += `${list[i]}: ${list[i + 1]}\r\n`
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body])
}
