/** Memory that is held, without what a collector has not come to yet. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of buffers outside the heap. */
export function heldBytes(): number {
  collect()
  return process.memoryUsage().external
}

export function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc !== 'function') throw new Error('this Node has no collector to call')
  gc()
}
