/** Group commit without a timer: all that is queued goes in one write, one fdatasync if anyone of them asked for it. */

import { Problem } from '../domain/problem.ts'
import { Batch } from './batch.ts'
import type { Clock } from '../domain/clock.ts'
import type { Durability } from './audit-log.ts'
import type { Item } from './batch.ts'
import type { RecordBody } from './records.ts'
import type { Stream } from './stream.ts'

export type WriterLimits = {
  /** Records and characters waiting or being written; a commit beyond them is refused at once. */
  queueRecords: number
  queueBytes: number
  /** How long a commit waits for the disk, in ms. */
  waitMs: number
  /** How long a record that nobody waits for may stay behind for the next commit's write to take along, in ms. */
  lingerMs: number
}

/** What an outage cost: requests refused, records nobody waits for that found no room. */
export type Outage = { why: string; refused: number; lost: number; forMs: number }

export type WriterOptions = {
  stream: Pick<Stream, 'append' | 'sync'>
  clock: Pick<Clock, 'monotonic'>
  limits: WriterLimits
  /** Body of the record that says, once the disk is back, what was missed meanwhile. */
  outageBody: (outage: Outage) => RecordBody
  /** Body of the outcome of a request that was refused although its decision did get into the file after all. */
  refusedBody: (requestId: string) => RecordBody
  /** Called when the writer falls ill (with the reason) and when it is well again. */
  onHealth: (failed: string | undefined) => void
}

export type Committing = { item: Item; done: Promise<void> }

export interface Writer {
  /** `done` rejects with Problem `audit_unavailable` when it cannot be kept within the bounds. */
  commit(body: RecordBody, requestId: string, durability: Durability): Committing
  /** A record nobody waits for, kept over failed writes. `false`: there was no room and it is lost. */
  add(body: RecordBody): boolean
  /** Resolves when all that was accepted before is synced. @throws Problem `audit_unavailable` */
  flush(): Promise<void>
  state(): { healthy: boolean; queued: number; size: number; failed: string | undefined }
}

export function createWriter(options: WriterOptions): Writer {
  const { stream, clock, limits, outageBody, refusedBody, onHealth } = options
  let open = new Batch()
  let inFlight: Batch | undefined
  let pumping = false
  let watching = false
  let lingering: NodeJS.Timeout | undefined
  let outage: Outage | undefined
  let illSinceMs = 0

  const queued = () => open.items.length + (inFlight?.items.length ?? 0)
  const size = () => open.size + (inFlight?.size ?? 0)
  const hasRoom = (share: number, more: number) =>
    queued() < limits.queueRecords * share && size() + more <= limits.queueBytes * share

  function start(): void {
    if (pumping) return
    pumping = true
    void pump()
  }

  /** A write of their own costs outcomes more than they are worth: a decision comes soon that takes them along. */
  function startLater(): void {
    lingering ??= setTimeout(() => {
      lingering = undefined
      start()
    }, limits.lingerMs).unref()
  }

  async function pump(): Promise<void> {
    let landed: boolean
    do {
      await twoTurns()
      inFlight = open
      open = new Batch()
      landed = await write(inFlight)
      inFlight = undefined
    } while (open.isAwaited())
    pumping = false
    // After a failure only waiters are worth another try; what nobody waits for stays until the next one comes.
    if (landed && open.items.length > 0) startLater()
  }

  async function write(batch: Batch): Promise<boolean> {
    try {
      if (batch.items.length > 0) await stream.append(batch.items.map((item) => item.body))
    } catch (error) {
      open.addFirst(batch.items.filter((item) => item.waits === undefined))
      refuse(batch, error)
      return false
    }
    batch.landed = true
    batch.settle('written')
    const failure = batch.isAwaited('synced') ? await syncFailure() : undefined
    if (failure === undefined) batch.settle('synced')
    else refuse(batch, failure)
    correct(batch)
    if (failure === undefined) recover()
    return failure === undefined
  }

  async function syncFailure(): Promise<unknown> {
    try {
      await stream.sync()
      return undefined
    } catch (error) {
      return error ?? new Error('fdatasync failed')
    }
  }

  /** A record that got into the file after its request was refused must not stand as if it had been served. */
  function correct(batch: Batch): void {
    for (const { refused, waits } of batch.items) {
      if (refused && waits !== undefined) open.add(unawaited(refusedBody(waits.requestId)))
    }
  }

  function refuse(batch: Batch, cause: unknown): void {
    const refused = batch.refuse(unavailable(cause))
    fallIll(cause).refused += refused
  }

  function fallIll(cause: unknown): Outage {
    if (outage !== undefined) return outage
    illSinceMs = clock.monotonic()
    outage = {
      why: cause instanceof Error ? cause.message : String(cause),
      refused: 0,
      lost: 0,
      forMs: 0,
    }
    onHealth(outage.why)
    return outage
  }

  function recover(): void {
    if (outage === undefined) return
    const forMs = Math.round(clock.monotonic() - illSinceMs)
    open.add(unawaited(outageBody({ ...outage, forMs })))
    outage = undefined
    onHealth(undefined)
  }

  /** One timer at a time, however many wait. */
  function watch(afterMs: number): void {
    if (watching) return
    watching = true
    setTimeout(() => {
      watching = false
      const now = clock.monotonic()
      if (inFlight !== undefined && isLate(inFlight, now)) refuse(inFlight, tooSlow())
      if (isLate(open, now)) {
        const late = open
        open = new Batch()
        open.addFirst(late.items.filter((item) => item.waits === undefined))
        refuse(late, tooSlow())
      }
      const next = inFlight?.isAwaited() === true ? inFlight : open
      if (next.isAwaited()) watch(Math.max(1, next.startedMs + limits.waitMs - now))
    }, afterMs)
  }

  function isLate(batch: Batch, now: number): boolean {
    return batch.isAwaited() && now - batch.startedMs >= limits.waitMs
  }

  function tooSlow(): Error {
    return new Error(`The disk has not answered for ${limits.waitMs} ms.`)
  }

  function wait(durability: Durability): Promise<void> {
    const done = open.wait(durability, clock.monotonic())
    watch(limits.waitMs)
    start()
    return done
  }

  return {
    commit(body, requestId, durability) {
      const item: Item = { body, waits: { requestId, durability }, refused: false }
      if (hasRoom(1, body.length)) {
        open.add(item)
        return { item, done: wait(durability) }
      }
      item.refused = true
      const full = new Error('The audit queue is full.')
      fallIll(full).refused++
      return { item, done: Promise.reject(unavailable(full)) }
    },
    add(body) {
      // Twice the room of commits: where a decision found room, its outcome does too.
      if (hasRoom(2, body.length)) {
        open.add(unawaited(body))
        startLater()
        return true
      }
      fallIll(new Error('The audit queue is full.')).lost++
      return false
    },
    async flush() {
      await wait('synced')
      // An outage that ended with that batch is recorded in the next one.
      if (queued() > 0) await wait('synced')
    },
    state: () => ({
      healthy: outage === undefined,
      queued: queued(),
      size: size(),
      failed: outage?.why,
    }),
  }
}

/**
 * What arrived together is written together. The second turn takes what was ready while the first one was at work:
 * under load that halves the writes, each of which wakes a thread, and an idle gate does not notice it.
 */
function twoTurns(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

function unawaited(body: RecordBody): Item {
  return { body, waits: undefined, refused: false }
}

function unavailable(cause: unknown): Problem {
  return new Problem('audit_unavailable', { cause, retryAfterS: 1 })
}
