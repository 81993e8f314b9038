/** Makes a folder and those above it that are missing, private, or says which one cannot be made. */

import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Each step once: Node's own recursive way never ends where a folder above exists that takes none (`/proc/x/y`).
 * @throws Error that names the folder and the reason
 */
export function makeFolder(path: string): void {
  const missing: string[] = []
  let above = path
  while (!isThere(above)) {
    missing.push(above)
    above = dirname(above)
  }
  for (const folder of missing.toReversed()) {
    try {
      mkdirSync(folder, 0o700)
    } catch (cause) {
      // Another process was first.
      if (codeOf(cause) === 'EEXIST' && isThere(folder)) continue
      throw new Error(`the folder ${folder} cannot be made (${codeOf(cause)})`, { cause })
    }
  }
}

/** @throws Error where something else is in its place, or nobody may look */
function isThere(path: string): boolean {
  try {
    if (statSync(path).isDirectory()) return true
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ENOENT') return false
    throw new Error(`the folder ${path} cannot be looked at (${code})`, { cause })
  }
  throw new Error(`${path} is no folder`)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault'
}
