/** A wire between a program and a server that a test can cut: whole, or only for connections that say a certain word. */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type Relay = AsyncDisposable & {
  port: number
  /** From now on whatever sends these bytes is cut off; absent: nothing is. */
  refuse(word: string | undefined): void
  /** Cuts all that is open; with `closed` nothing new comes through. */
  cut(then: 'open' | 'closed'): void
}

export async function startRelay(target: { host: string; port: number }): Promise<Relay> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let refused: string | undefined
  let closed = false
  const server = createServer((near) => {
    if (closed) return void near.destroy()
    const far = connect(target.port, target.host)
    const pair = [near, far] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) socket.setNoDelay(true).on('error', end).on('close', end)
    near.on('data', (chunk: Buffer) => {
      if (refused !== undefined && chunk.includes(refused)) end()
      else far.write(chunk)
    })
    far.on('data', (chunk: Buffer) => near.write(chunk))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  const cutAll = () => {
    for (const [near] of pairs) near.destroy()
  }
  return {
    port: address.port,
    refuse(word) {
      refused = word
    },
    cut(then) {
      closed = then === 'closed'
      cutAll()
    },
    async [Symbol.asyncDispose]() {
      server.close()
      cutAll()
      await once(server, 'close')
    },
  }
}
