/** Bounds the connections of the admin port so that nobody can take them all: at the limit whoever holds most that wait gives way. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

type Open = {
  /** Address of the peer. */
  peer: string
  /** Requests under way; 0: nothing has come yet, or its next request has not. */
  busy: number
}

/**
 * A head that never ends is no reason to turn away an operator: the connection that has waited longest is closed, of
 * the peer with the most of such. Where none waits, the new one is closed.
 */
export function limitConnections(server: Server, max: number): void {
  /** Those that have waited longest come first. */
  const open = new Map<Socket, Open>()

  function victimBefore(fresh: Socket): Socket {
    const waiting = [...open].filter(([socket, { busy }]) => busy === 0 && socket !== fresh)
    const byPeer = Map.groupBy(waiting, ([, { peer }]) => peer)
    let most: typeof waiting = []
    for (const theirs of byPeer.values()) if (theirs.length > most.length) most = theirs
    return most[0]?.[0] ?? fresh
  }

  server.on('connection', (socket: Socket) => {
    open.set(socket, { peer: socket.remoteAddress ?? '', busy: 0 })
    socket.once('close', () => open.delete(socket))
    if (open.size <= max) return
    const victim = victimBefore(socket)
    open.delete(victim)
    victim.destroy()
  })

  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const state = open.get(socket)
    if (state === undefined) return
    state.busy += 1
    response.once('close', () => {
      state.busy -= 1
      // Behind those that wait already.
      if (open.delete(socket)) open.set(socket, state)
    })
  })
}
