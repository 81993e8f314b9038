/** Ends an answer so that the client cannot take it for a whole one. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** To an HTTP/1.0 client a plain close is a whole answer: only a reset tells it otherwise. */
export function breakConnection({
  incoming,
  response,
}: {
  incoming: IncomingMessage
  response: ServerResponse
}): void {
  const { socket } = incoming
  const overTcp = socket instanceof Socket && socket.remoteAddress !== undefined
  if (incoming.httpVersionMinor === 0 && overTcp && !('encrypted' in socket)) {
    socket.resetAndDestroy()
  } else {
    response.destroy()
  }
}
