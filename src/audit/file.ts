/** The few calls the audit log makes on a file, behind an interface so that tests can play a failing disk. */

import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileHandle } from 'node:fs/promises'

export interface AuditFile {
  /** Appends; may write less than it was given. Resolves to the number of bytes written. */
  write(bytes: Uint8Array): Promise<number>
  /** fdatasync. */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  read(from: number, length: number): Promise<Buffer>
  /** Size in bytes, and whether the path still leads to this very file. */
  look(): Promise<{ size: number; linked: boolean }>
  close(): Promise<void>
}

export type OpenAuditFile = (path: string) => Promise<AuditFile>

/** Mode 0600, append-only, and known to its folder before anything is promised. */
export const openAuditFile: OpenAuditFile = async (path) => {
  await refuseOddFile(path)
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT
  const handle = await open(path, flags, 0o600)
  try {
    return await toAuditFile(handle, path)
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function toAuditFile(handle: FileHandle, path: string): Promise<AuditFile> {
  const { dev, ino, mode } = await handle.stat()
  if ((mode & 0o077) !== 0) await handle.chmod(0o600)
  await syncFolder(dirname(path))
  return {
    write: async (bytes) => (await handle.write(bytes)).bytesWritten,
    sync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    async read(from, length) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, from)
      return buffer.subarray(0, bytesRead)
    },
    async look() {
      const [own, named] = await Promise.all([handle.stat(), statOrNothing(path)])
      return { size: own.size, linked: named?.dev === dev && named.ino === ino }
    },
    close: () => handle.close(),
  }
}

/** Opening a FIFO waits for a reader, possibly for ever (A04). */
async function refuseOddFile(path: string): Promise<void> {
  const found = await statOrNothing(path)
  if (found !== undefined && !found.isFile()) {
    throw new Error(`${path} is not a regular file; move it away.`)
  }
}

async function statOrNothing(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** A new file survives the death of the machine only when its folder's entry does. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
