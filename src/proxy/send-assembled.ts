/** Sends an answer that the gate put together: its head, and the body as the client takes it. */

import type { MaybePromise } from '../lib/maybe-promise.ts'
import { deliver, pieceBytes, tendUnread, type Client, type Delivered } from './deliver.ts'
import { endWithBody, isReadWhole } from './early-end.ts'
import type { AssembledAnswer } from './exchange.ts'
import type { SmallWay } from './filter.ts'

/** @throws Problem `too_much_unread`, `overloaded` instead of sending what there is no room for */
export function sendAssembled(
  { answerHeaders, unread }: Pick<SmallWay, 'answerHeaders' | 'unread'>,
  client: Client,
  { status, contentType, body, upstream, retryAfterS }: AssembledAnswer,
  head: { requestId: string; tokenEnds: string | undefined },
): MaybePromise<Delivered> {
  const { request, response, user } = client
  if (body.length > pieceBytes) unread.assertRoomFor(user, body.length)
  const from = upstream.requestId === undefined ? {} : { 'x-request-id': upstream.requestId }
  const headers = answerHeaders({
    status,
    headers: {
      ...{ 'content-type': contentType, ...from },
      ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
    },
    mode: 'cut',
    // What came from upstream is not in this head.
    credential: '',
    ...head,
  })
  headers.push('content-length', String(body.length))
  if (request.method === 'HEAD' || !isReadWhole(request)) {
    const { bytes } = endWithBody(request, response, status, headers, body)
    tendUnread(unread, client)
    return { bytes, ended: 'answered' }
  }
  response.writeHead(status, headers)
  return deliver(unread, client, body)
}
