/** The audit log put together: a stream of decisions that must be written, and one of rejects that may be summarised. */

import { join } from 'node:path'
import { recordChange } from './change.ts'
import { Entry } from './entry.ts'
import { openAuditFile } from './file.ts'
import { createIsoTime } from './iso-time.ts'
import { eventBody, outcomeBody } from './records.ts'
import { createRejects } from './rejects.ts'
import { openStream } from './stream.ts'
import { quote } from './text.ts'
import { createWho } from './who.ts'
import { createWriter } from './writer.ts'
import { makeFolder } from '../lib/make-folder.ts'
import type { Clock } from '../domain/clock.ts'
import type { Log } from '../lib/log.ts'
import type { AuditLog } from './audit-log.ts'
import type { OpenAuditFile } from './file.ts'
import type { IsoTime } from './iso-time.ts'
import type { RejectLimits } from './rejects.ts'
import type { Stream } from './stream.ts'
import type { Writer, WriterLimits } from './writer.ts'

export type AuditLogOptions = {
  /** Created with mode 0700 where it is missing. One gate a folder. */
  folder: string
  /** The replica's name, on every record. */
  stream: string
  /** Names this start of the process, on every record; random. */
  boot: string
  clock: Clock
  limits: WriterLimits
  rejects: RejectLimits
  /** How often the files are looked at for having been moved, cut or written to by others, in ms. */
  checkMs: number
  log: Log
  openFile?: OpenAuditFile
  /**
   * Holds the folder for this process, once it is there, until it is disposed of. @throws Error that says who holds it
   * Absent: the caller answers for nobody else writing there.
   */
  hold?: (folder: string) => Disposable
}

export type OpenedAuditLog = AuditLog & { paths: { decisions: string; rejects: string } }

/** The log cannot be written at start; the message says what to do. */
export class AuditUnusable extends Error {
  override readonly name = 'AuditUnusable'
}

export const auditDefaults = {
  limits: { queueRecords: 8_192, queueBytes: 8 * 1024 * 1024, waitMs: 1_000, lingerMs: 20 },
  rejects: { perAddressPerS: 100, maxBytes: 256 * 1024 * 1024 },
  checkMs: 1_000,
} as const satisfies Pick<AuditLogOptions, 'limits' | 'rejects' | 'checkMs'>

/** Some 300 bytes each. */
const keptTokens = 1_000

/** @throws AuditUnusable unless nobody else writes there, and a test record was written, synced and read back in both files */
export async function openAuditLog(options: AuditLogOptions): Promise<OpenedAuditLog> {
  const held = prepareFolder(options)
  try {
    return await openIn(held, options)
  } catch (error) {
    held[Symbol.dispose]()
    throw error
  }
}

async function openIn(held: Disposable, options: AuditLogOptions): Promise<OpenedAuditLog> {
  const { clock, folder } = options
  const time = createIsoTime(clock)
  const paths = {
    decisions: join(folder, 'decisions.jsonl'),
    rejects: join(folder, 'rejects.jsonl'),
  }
  const decisionStream = await openProven(paths.decisions, options)
  const rejectStream = await openProven(paths.rejects, options).catch(async (error: unknown) => {
    await decisionStream.close()
    throw error
  })
  const decisions = writerOn(decisionStream, 'decisions', options, time)
  const rejectWriter = writerOn(rejectStream, 'rejects', options, time)
  const rejects = createRejects({
    writer: rejectWriter,
    length: () => rejectStream.length(),
    clock,
    time,
    limits: options.rejects,
  })

  const entryParts = { writer: decisions, clock, time, who: createWho(keptTokens) }

  const event: AuditLog['event'] = (name, fields) =>
    decisions.add(eventBody(time.now(), name, fields))

  async function flush(): Promise<void> {
    await Promise.all([decisions.flush(), rejects.flush()])
  }

  return {
    paths,
    open: (envelope) => new Entry(entryParts, envelope),
    reject: (fields) => rejects.add(fields),
    change: (fields) => recordChange({ writer: decisions, time }, fields),
    event,
    flush,
    state() {
      const [own, beside] = [decisions.state(), rejectWriter.state()]
      return {
        healthy: own.healthy,
        queued: own.queued + beside.queued,
        failed: own.failed ?? beside.failed,
      }
    },
    async [Symbol.asyncDispose]() {
      event('stopped', {})
      const flushed = await Promise.allSettled([decisions.flush(), rejects.flush()])
      rejects.dispose()
      const closed = Promise.all([decisionStream.close(), rejectStream.close()])
      const failure = flushed.find((result) => result.status === 'rejected')
      // A file whose disk hangs cannot be closed either; the process must still be able to end.
      if (failure === undefined) await closed
      else options.log.error('audit log not flushed', { error: failure.reason })
      held[Symbol.dispose]()
    },
  }
}

/** The folder is there, and nobody else writes in it. @throws AuditUnusable */
function prepareFolder({ folder, hold }: AuditLogOptions): Disposable {
  try {
    makeFolder(folder)
    return hold?.(folder) ?? { [Symbol.dispose]: () => undefined }
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

async function openProven(path: string, options: AuditLogOptions): Promise<Stream> {
  const { clock, stream, boot, checkMs, openFile = openAuditFile } = options
  try {
    const opened = await openStream({ path, openFile, clock, stream, boot, checkMs })
    try {
      await prove(opened, createIsoTime(clock), boot)
      return opened
    } catch (error) {
      await opened.close()
      throw error
    }
  } catch (cause) {
    throw unusable(path, cause)
  }
}

function unusable(path: string, cause: unknown): AuditUnusable {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new AuditUnusable(
    `The audit log ${path} cannot be written: ${why}\n` +
      'The gate serves nothing it cannot record. Set audit.folder to a local folder that its user owns, on a disk with room, and that no other gate writes to.',
    { cause },
  )
}

async function prove(stream: Stream, time: IsoTime, boot: string): Promise<void> {
  await stream.append([eventBody(time.now(), 'started', { process: process.pid })])
  await stream.sync()
  const line = (await stream.readBack(4_096)).trimEnd().split('\n').at(-1) ?? ''
  const same = line.includes(`"boot":${quote(boot)}`) && line.includes('"event":"started"')
  if (!same) throw new Error('what was written does not read back')
}

function writerOn(stream: Stream, name: string, options: AuditLogOptions, time: IsoTime): Writer {
  const { clock, limits, log } = options
  return createWriter({
    stream,
    clock,
    limits,
    outageBody: (outage) => eventBody(time.now(), 'outage', outage),
    refusedBody: (requestId) => outcomeBody(time.now(), requestId, refusedOutcome, 0),
    onHealth(failed) {
      if (failed === undefined) log.info('audit log is written again', { file: name })
      else log.error('audit log cannot be written', { file: name, why: failed })
    },
  })
}

const refusedOutcome = {
  status: 503,
  upstreamStatus: undefined,
  upstreamRequestId: undefined,
  bytes: 0,
  ended: 'audit_unavailable',
}
