/** Starts the example API on a port of this machine and remembers what reached it. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createApi } from './api.ts'
import { createFleet } from './fleet.ts'

export type SeenRequest = { method: string; target: string; authorization: string | undefined }

export type OwnApi = AsyncDisposable & {
  url: string
  /** The one credential that this API knows; it may do everything. */
  token: string
  /** What arrived, oldest first. */
  requests(): readonly SeenRequest[]
  close(): Promise<void>
}

/** `port` 0 takes any free one. Listens on the loopback address only. */
export async function startOwnApi({
  port,
  token = randomBytes(16).toString('hex'),
}: {
  port: number
  token?: string
}): Promise<OwnApi> {
  const seen: SeenRequest[] = []
  const api = createApi(createFleet(), token)
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    seen.push({ method, target: url, authorization: headers.authorization })
    api(request, response)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  const close = async () => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    token,
    requests: () => [...seen],
    close,
    [Symbol.asyncDispose]: close,
  }
}
