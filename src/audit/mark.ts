/** Which change of the store stands last in this log, kept beside it: what came after it is still to be written down. */

import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'

/** `atMs` tells the change of that number from one of another history; absent: that change was gone already. */
export type Mark = { seq: number; atMs: number | undefined }

export interface MarkFile {
  /** Absent, or not to be read: nothing is known to stand in the log. */
  read(): Promise<Mark | undefined>
  write(mark: Mark): Promise<void>
}

export function createMarkFile(folder: string): MarkFile {
  const path = join(folder, 'recorded-change.json')
  return {
    async read() {
      try {
        return toMark(JSON.parse(await readFile(path, 'utf8')))
      } catch (error) {
        if (error instanceof SyntaxError || isMissing(error)) return undefined
        throw error
      }
    },
    async write({ seq, atMs }) {
      const next = `${path}.next`
      const handle = await open(next, 'w', 0o600)
      try {
        await handle.writeFile(`${JSON.stringify({ seq, at_ms: atMs })}\n`)
        await handle.datasync()
      } finally {
        await handle.close()
      }
      await rename(next, path)
    },
  }
}

function toMark(value: unknown): Mark | undefined {
  if (typeof value !== 'object' || value === null || !('seq' in value)) return undefined
  const atMs = 'at_ms' in value && typeof value.at_ms === 'number' ? value.at_ms : undefined
  return Number.isSafeInteger(value.seq) && typeof value.seq === 'number'
    ? { seq: value.seq, atMs }
    : undefined
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
