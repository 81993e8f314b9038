/** What an audit file holds when it is opened: where its last whole record ends, and that record's number. */

import type { AuditFile } from './file.ts'

export type Recovered = {
  /** Bytes up to and with the last line end; all beyond is a torn line and has been cut off. */
  length: number
  /** Number of the last record; 0: there is none. */
  seq: number
  tornBytes: number
  /** Whole lines after the last record that are no records of ours. */
  strangeLines: number
}

const chunkBytes = 65_536
/** A record is far smaller; what goes on longer is not one. */
const searchBytes = 16 * 1024 * 1024
const newline = 0x0a

/** @throws when whole lines are there but none is a record: the file is not ours to append to */
export async function recover(file: AuditFile): Promise<Recovered> {
  const { size } = await file.look()
  let from = size
  let tail: Buffer = Buffer.alloc(0)
  while (from > 0 && size - from < searchBytes) {
    const step = Math.min(chunkBytes, from)
    from -= step
    tail = Buffer.concat([await file.read(from, step), tail])
    const found = lastRecord(tail, from === 0)
    if (found !== undefined) {
      const length = from + found.end
      if (length < size) await file.truncate(length)
      return { length, seq: found.seq, tornBytes: size - length, strangeLines: found.strangeLines }
    }
  }
  if (from === 0 && !tail.includes(newline)) {
    if (size > 0) await file.truncate(0)
    return { length: 0, seq: 0, tornBytes: size, strangeLines: 0 }
  }
  throw new Error('it holds lines but no record at its end; move the file away and start again.')
}

/** `undefined`: not in this part of the file, more of it has to be read. */
function lastRecord(
  tail: Buffer,
  fromStart: boolean,
): { end: number; seq: number; strangeLines: number } | undefined {
  const end = tail.lastIndexOf(newline) + 1
  let lineEnd = end
  let strangeLines = 0
  while (lineEnd > 0) {
    const before = lineEnd < 2 ? -1 : tail.lastIndexOf(newline, lineEnd - 2)
    if (before === -1 && !fromStart) return undefined
    const seq = seqOf(tail.toString('utf8', before + 1, lineEnd - 1))
    if (seq !== undefined) return { end, seq, strangeLines }
    strangeLines++
    lineEnd = before + 1
  }
  return undefined
}

function seqOf(line: string): number | undefined {
  let record: unknown
  try {
    record = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof record !== 'object' || record === null || !('seq' in record)) return undefined
  return typeof record.seq === 'number' && Number.isSafeInteger(record.seq) ? record.seq : undefined
}
