/** The small way: the whole answer is read, cut to what the caller may see, and sent with its true length. */

import type { ServerResponse } from 'node:http'
import type { OutcomeFields } from '../audit/audit-log.ts'
import { refusalProblem } from '../upstream/answer-head.ts'
import { UpstreamAborted, type UpstreamPool } from '../upstream/pool.ts'
import type { UpstreamAnswer, UpstreamRequest } from '../upstream/upstream.ts'
import type { Cut } from './exchange.ts'
import { noteAnswer, type UpstreamFacts } from './answer-head.ts'
import type { AnswerHeaders } from './headers.ts'
import { cutQuickly } from './lists/raw-cut.ts'
import { redactWhole } from './redact.ts'

export type SmallWay = { pool: UpstreamPool; answerHeaders: AnswerHeaders }

/**
 * @throws Problem as long as nothing was sent to the client, which is always: the answer goes out in one piece.
 */
export async function filterAnswer(
  { pool, answerHeaders }: SmallWay,
  request: UpstreamRequest,
  cut: Cut,
  client: {
    response: ServerResponse
    requestId: string
    facts: UpstreamFacts
    tokenEnds: string | undefined
  },
): Promise<OutcomeFields> {
  const { response, requestId, facts, tokenEnds } = client
  const head = request.method === 'HEAD'
  // What HEAD tells must be what GET tells: the length of the answer after the cut (M01).
  const call = pool.start(head ? { ...request, method: 'GET' } : request)
  const abort = () => call.abort()
  response.on('close', abort)
  let answer: UpstreamAnswer
  try {
    answer = await call.answer
  } catch (error) {
    if (error instanceof UpstreamAborted) return outcome(facts, 0, 0, 'client_gone')
    throw error
  } finally {
    response.off('close', abort)
  }

  const { status } = answer
  noteAnswer(facts, status, answer.headers)
  const refusal = refusalProblem(status)
  if (refusal !== undefined) throw refusal
  const credential = request.credential.reveal()
  const { mode, body: cutBody } = cutQuickly(answer, cut)
  const body = redactWhole(cutBody, credential)
  if (response.destroyed) return outcome(facts, 0, 0, 'client_gone')

  const headers = answerHeaders({
    ...{ status, headers: answer.headers, mode, requestId, credential, tokenEnds },
  })
  const bodyless = status === 204 || status === 304
  if (!bodyless) headers.push('content-length', String(body.length))
  response.writeHead(status, headers)
  if (head || bodyless) response.end()
  else response.end(body)
  return outcome(facts, status, head || bodyless ? 0 : body.length, 'answered')
}

function outcome(
  facts: UpstreamFacts,
  status: number,
  bytes: number,
  ended: string,
): OutcomeFields {
  return {
    status,
    bytes,
    ended,
    upstreamStatus: facts.status,
    upstreamRequestId: facts.requestId,
    retryAfterS: facts.retryAfterS,
  }
}
