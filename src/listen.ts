/** Opens a listener, and closes it without cutting off what is being answered. */

import { once } from 'node:events'
import { chmod, lstat, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { formatListenAddress, type ListenAddress } from './config/address.ts'

export type Listening = AsyncDisposable & { url: string }

/**
 * @param shutdownMs how long requests under way may go on once it is disposed of
 * @throws Error that names the address
 */
export async function listen(
  server: Server,
  address: ListenAddress,
  shutdownMs: number,
): Promise<Listening> {
  if (address.kind === 'unix') await clearStale(address.path)
  server.listen(address.kind === 'unix' ? { path: address.path } : { ...address })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot listen on ${formatListenAddress(address)}: ${why}`, { cause })
  }
  if (address.kind === 'unix') await chmod(address.path, 0o660)
  return { url: urlOf(server, address), [Symbol.asyncDispose]: () => close(server, shutdownMs) }
}

/** A socket file that a killed process left behind refuses connections; a living one's is left alone. */
async function clearStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`cannot listen on unix:${path}: it is not a socket`)
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect({ path })
    probe
      .once('error', () => resolve(false))
      .once('connect', () => {
        probe.destroy()
        resolve(true)
      })
  })
  if (alive) throw new Error(`cannot listen on unix:${path}: another process does`)
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
