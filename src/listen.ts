/** Opens a listener, and closes it without cutting off what is being answered. */

import { once } from 'node:events'
import { chmod, lstat, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { formatListenAddress, type ListenAddress } from './config/address.ts'

export type Listening = AsyncDisposable & { url: string }

/** Which key of the configuration says where. */
export type ListenKey = 'listen.data' | 'listen.admin'

/**
 * @param shutdownMs how long requests under way may go on once it is disposed of
 * @throws Error that names the address and its key, and says what to do
 */
export async function listen(
  server: Server,
  address: ListenAddress,
  shutdownMs: number,
  key: ListenKey,
): Promise<Listening> {
  if (address.kind === 'unix') await clearStale(address.path, key)
  server.listen(address.kind === 'unix' ? { path: address.path } : { ...address })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const place = `${formatListenAddress(address)} ("${key}")`
    throw new Error(`cannot listen on ${place}: ${why}. ${wayOut(cause, key)}`, { cause })
  }
  if (address.kind === 'unix') await chmod(address.path, 0o660)
  return { url: urlOf(server, address), [Symbol.asyncDispose]: () => close(server, shutdownMs) }
}

function wayOut(cause: unknown, key: ListenKey): string {
  switch (cause instanceof Error && 'code' in cause ? cause.code : undefined) {
    case 'EADDRINUSE':
      return `Another process has it: stop that one, or set "${key}" to another port.`
    case 'EACCES':
    case 'EPERM':
      return `This user may not take it: set "${key}" to a port above 1023, or to a path whose folder it may write.`
    case 'EADDRNOTAVAIL':
      return `This machine has no such address: set "${key}" to one of its own, or to 0.0.0.0 for all.`
    case 'ENOENT':
      return `The folder of the socket is not there: make it, or set "${key}" to another path.`
    default:
      return `Set "${key}" to an address that this machine can listen on.`
  }
}

/** A socket file that a killed process left behind refuses connections; a living one's is left alone. */
async function clearStale(path: string, key: ListenKey): Promise<void> {
  const where = `cannot listen on unix:${path} ("${key}")`
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new Error(`${where}: something else lies there. Name another path, or move it away.`)
  }
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect({ path })
    probe
      .once('error', () => resolve(false))
      .once('connect', () => {
        probe.destroy()
        resolve(true)
      })
  })
  if (alive) {
    throw new Error(`${where}: another process does. Stop it, or name another path.`)
  }
  await rm(path, { force: true })
}

function urlOf(server: Server, address: ListenAddress): string {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return formatListenAddress(address)
  const host = bound.address.includes(':') ? `[${bound.address}]` : bound.address
  return `http://${host}:${bound.port}`
}

async function close(server: Server, shutdownMs: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), shutdownMs)
  await closed
  clearTimeout(timer)
}
