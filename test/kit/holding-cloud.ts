/** A cloud that answers reads at once and holds everything else until it is let go: for tests of who waits for whom. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Arrived = {
  method: string
  path: string
  /** Of its body, so far. */
  bytes: number
  state: 'open' | 'whole' | 'broken off'
}

export type HoldingCloud = AsyncDisposable & {
  readonly url: string
  readonly token: string
  /** All that ever came, in order. */
  readonly arrived: readonly Arrived[]
  /** Those that are no reads. */
  changes(): readonly Arrived[]
  /** Answers what is held and all that comes from now on. */
  letGo(): void
}

const token = 'c10ddeadbeefc10ddeadbeefc10ddeadbeef0042'

/** @param answerTo body of the answer to a read */
export async function startHoldingCloud(answerTo: () => string): Promise<HoldingCloud> {
  const arrived: Arrived[] = []
  const held: ServerResponse[] = []
  let isOpen = false

  function answer(response: ServerResponse, body: string): void {
    response.setHeader('content-type', 'application/json')
    response.end(body)
  }

  const server = createServer((request: IncomingMessage, response) => {
    const { method = '', url = '' } = request
    const seen: Arrived = { method, path: url, bytes: 0, state: 'open' }
    arrived.push(seen)
    request.on('data', (piece: Buffer) => {
      seen.bytes += piece.length
    })
    request.on('error', () => undefined)
    request.on('close', () => {
      if (seen.state === 'open') seen.state = 'broken off'
    })
    request.on('end', () => {
      seen.state = 'whole'
      if (method === 'GET') answer(response, answerTo())
      else if (isOpen) answer(response, '{"ok":true}')
      else held.push(response)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    token,
    arrived,
    changes: () => arrived.filter(({ method }) => method !== 'GET'),
    letGo() {
      isOpen = true
      for (const response of held.splice(0)) answer(response, '{"ok":true}')
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}
