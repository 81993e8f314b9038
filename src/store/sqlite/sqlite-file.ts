/** Prepares a SQLite file before it is opened: private from its first byte, and nobody else's file touched. */

import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  statSync,
  type Stats,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../lib/make-folder.ts'

/** Marks a file as ours, so that a wrong path never migrates somebody else's database. */
export const applicationId = 0x66_6c_67_74

/**
 * Creates the file with mode 0600, or narrows the mode of ours that is there; one that is empty becomes ours.
 * @throws Error that says what is in its place, or what cannot be made
 */
export function preparePrivateFile(path: string): void {
  makeFolder(dirname(path))
  if (createdNow(path)) return
  const found = statSync(path)
  if (found.isDirectory()) {
    throw new Error(`it is a folder; name a file in it, such as ${join(path, 'fleetgate.sqlite')}`)
  }
  if (!found.isFile()) throw new Error('it is no plain file')
  if ((found.mode & 0o077) !== 0 && isOurs(path, found)) chmodSync(path, 0o600)
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

/**
 * Only files that others can reach are opened here, which ours never are once a gate has had them: closing any
 * descriptor of a database drops this process's locks on it (fcntl semantics).
 */
function isOurs(path: string, { size }: Stats): boolean {
  if (size === 0) return true
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const head = Buffer.alloc(100)
    const read = fstatSync(descriptor).isFile() ? readSync(descriptor, head) : 0
    // https://sqlite.org/fileformat.html: the magic, and the application's id at 68.
    const magic = head.toString('latin1', 0, 16) === 'SQLite format 3\0'
    return read === head.length && magic && head.readUInt32BE(68) === applicationId
  } finally {
    closeSync(descriptor)
  }
}
