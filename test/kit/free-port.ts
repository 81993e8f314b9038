/** A port for a listener that must know its number before it listens. */

import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that systems give to whoever connects somewhere: such a port would be taken again in between. */
const lowest = 12_000
const perProcess = 20
const processes = 900

let given = 0

/** Another one each time, and others than another process's: nobody may have it before its user listens. */
export async function freePort(): Promise<number> {
  const first = lowest + (process.pid % processes) * perProcess
  for (let tries = 0; tries < perProcess; tries += 1) {
    const port = first + (given++ % perProcess)
    // oxlint-disable-next-line no-await-in-loop -- the first that is free
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    await once(probe.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}
