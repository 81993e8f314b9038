/** The small way: the whole answer is read, cut to what the caller may see, and sent with its true length. */

import type { OutcomeFields } from '../audit/audit-log.ts'
import { refusalProblem } from '../upstream/answer-head.ts'
import { UpstreamAborted, type UpstreamPool } from '../upstream/pool.ts'
import type { Behalf, UpstreamAnswer, UpstreamRequest } from '../upstream/upstream.ts'
import { deliver, pieceBytes, type Client, type Delivered } from './deliver.ts'
import type { Cut } from './exchange.ts'
import { noteAnswer, type UpstreamFacts } from './answer-head.ts'
import type { AnswerHeaders } from './headers.ts'
import { cutQuickly } from './lists/raw-cut.ts'
import { redactWhole } from './redact.ts'
import type { UnreadAnswers } from './unread.ts'

export type SmallWay = { pool: UpstreamPool; answerHeaders: AnswerHeaders; unread: UnreadAnswers }

/**
 * @throws Problem as long as nothing was sent to the client, which is always: the answer goes out in one piece.
 */
export async function filterAnswer(
  { pool, answerHeaders, unread }: SmallWay,
  request: UpstreamRequest,
  cut: Cut,
  behalf: Behalf,
  client: Client & { requestId: string; facts: UpstreamFacts; tokenEnds: string | undefined },
): Promise<OutcomeFields> {
  const { response, requestId, facts, tokenEnds, user } = client
  const head = request.method === 'HEAD'
  const reads = head || request.method === 'GET'
  // What HEAD tells must be what GET tells: the length of the answer after the cut (M01).
  const call = pool.start(head ? { ...request, method: 'GET' } : request, behalf)
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
  const refusal = refusalProblem(status, request.credential)
  if (refusal !== undefined) throw refusal
  const credential = request.credential.reveal()
  const { mode, body: cutBody } = cutQuickly(answer, cut)
  const body = redactWhole(cutBody, credential)
  if (response.destroyed) return outcome(facts, 0, 0, 'client_gone')
  const bodyless = head || status === 204 || status === 304
  // What was done is told, however much is left unread.
  if (reads && !bodyless && body.length > pieceBytes) unread.assertRoomFor(user, body.length)

  const headers = answerHeaders({
    ...{ status, headers: answer.headers, mode, requestId, credential, tokenEnds },
  })
  if (status !== 204 && status !== 304) headers.push('content-length', String(body.length))
  response.writeHead(status, headers)
  if (bodyless) {
    response.end()
    return outcome(facts, status, 0, 'answered')
  }
  const delivered = deliver(unread, client, body)
  if (!(delivered instanceof Promise))
    return outcome(facts, status, delivered.bytes, delivered.ended)
  // What a write has changed is forgotten at its end: whoever reads its answer slowly must not put that off.
  if (!reads) return outcome(facts, status, body.length, 'answered')
  return outcomeOf(delivered, facts, status)
}

/** Apart, so that no closure keeps the cloud's own answer in memory until the client has read what it gets of it. */
function outcomeOf(
  delivered: Promise<Delivered>,
  facts: UpstreamFacts,
  status: number,
): Promise<OutcomeFields> {
  return delivered.then(({ bytes, ended }) => outcome(facts, status, bytes, ended))
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
