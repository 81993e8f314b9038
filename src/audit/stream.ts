/** One append-only stream on one file: numbers its records, finishes its lines, and repairs before it goes on. */

import { quote } from './text.ts'
import { eventBody } from './records.ts'
import { recover } from './recover.ts'
import type { Clock } from '../domain/clock.ts'
import type { AuditFile, OpenAuditFile } from './file.ts'
import type { RecordBody } from './records.ts'

export type StreamOptions = {
  path: string
  openFile: OpenAuditFile
  clock: Clock
  /** Who writes: the replica's name and this start's id, on every record. */
  stream: string
  boot: string
  /** How often the file is looked at for having been moved, cut or written to by others, in ms. */
  checkMs: number
}

export interface Stream {
  /** Appends all or nothing. @throws whatever the disk threw; what got there of it is cut off before the next append */
  append(bodies: readonly RecordBody[]): Promise<void>
  /** @throws whatever fdatasync threw; the file is then opened anew and nothing before counts as synced */
  sync(): Promise<void>
  /** The last `length` bytes, from the file itself. */
  readBack(length: number): Promise<string>
  /** Bytes of whole records. */
  length(): number
  close(): Promise<void>
}

export async function openStream(options: StreamOptions): Promise<Stream> {
  const { path, openFile, clock, stream, boot, checkMs } = options
  const head = `{"v":1,"stream":${quote(stream)},"boot":${quote(boot)},"seq":`
  /** Records about the file itself, by event, so that a long outage does not pile them up; they go before what is appended next. */
  const notes = new Map<string, RecordBody>()
  let file: AuditFile | undefined
  let length = 0
  let seq = 0
  let partial = false
  let checkedAt = clock.monotonic()

  await reopen(undefined)

  function note(name: string, data: Readonly<Record<string, unknown>>): void {
    notes.set(name, eventBody(new Date(clock.now()).toISOString(), name, data))
  }

  /** `why` undefined: the first opening. */
  async function reopen(why: string | undefined): Promise<AuditFile> {
    await discard()
    const opened = await openFile(path)
    try {
      const found = await recover(opened)
      const { tornBytes, strangeLines } = found
      if (tornBytes + strangeLines > 0) note('recovered', { tornBytes, strangeLines })
      if (why !== undefined)
        note('reopened', { why, expectedBytes: length, foundBytes: found.length })
      length = found.length
      seq = Math.max(seq, found.seq)
    } catch (error) {
      await opened.close()
      throw error
    }
    partial = false
    file = opened
    return opened
  }

  async function discard(): Promise<void> {
    const old = file
    file = undefined
    await old?.close().catch((error: unknown) => note('close_failed', { error: String(error) }))
  }

  /** The file as we left it, or a new one; only then may anything be written. */
  async function ready(): Promise<AuditFile> {
    if (file === undefined) return reopen('file_failed')
    const now = clock.monotonic()
    if (!partial && now - checkedAt < checkMs) return file
    checkedAt = now
    const { size, linked } = await file.look()
    if (!linked) return reopen('moved_or_deleted')
    if (size < length) return reopen('truncated')
    if (size > length && !partial) return reopen('foreign_bytes')
    if (size > length) {
      await file.truncate(length)
      note('repaired', { cutBytes: size - length })
    }
    partial = false
    return file
  }

  /** The one place where a line is finished; a hash chain joins here. */
  function finish(bodies: readonly RecordBody[], first: number): string {
    let number = first
    let lines = ''
    for (const body of bodies) lines += `${head}${number++}${body}}\n`
    return lines
  }

  return {
    async append(bodies) {
      const target = await ready()
      const all = notes.size === 0 ? bodies : [...notes.values(), ...bodies]
      const bytes = Buffer.from(finish(all, seq + 1))
      partial = true
      for (let done = 0; done < bytes.length;) {
        const wrote = await target.write(done === 0 ? bytes : bytes.subarray(done))
        if (wrote <= 0) throw new Error('The disk took nothing.')
        done += wrote
      }
      partial = false
      length += bytes.length
      seq += all.length
      notes.clear()
    },
    async sync() {
      try {
        await file?.sync()
      } catch (error) {
        // After a failed sync the kernel may report the next one as fine although data is gone; the handle is done with.
        await discard()
        throw error
      }
    },
    async readBack(count) {
      const bytes = await file?.read(Math.max(0, length - count), Math.min(count, length))
      return bytes?.toString('utf8') ?? ''
    },
    length: () => length,
    close: discard,
  }
}
