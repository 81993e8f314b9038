/** Gives memory that a start has left behind back to the system. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Loading leaves tens of megabytes of garbage. V8 gives them back when a program uses little memory for a while, but takes one that
 * uses none for a busy one, so an idle gate would keep them for ever. Where this Node has no collector to call, nothing is done.
 */
export function giveBackMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  // The flavor that also shrinks the young generation.
  if (typeof collect === 'function')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
