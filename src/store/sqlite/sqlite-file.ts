/** Prepares the SQLite file before it is opened: private from its first byte. */

import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Creates the file with mode 0600, or narrows the mode of the one that is there. */
export function preparePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (createdNow(path)) return
  const { mode } = statSync(path)
  // Never opened here: closing any descriptor of a database drops this process's locks on it (fcntl semantics).
  if ((mode & 0o077) !== 0) chmodSync(path, 0o600)
}

function createdNow(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}
