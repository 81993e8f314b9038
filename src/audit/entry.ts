/** One request's place in the log, from its decision to its end. */

import { Problem } from '../domain/problem.ts'
import { decisionBody, outcomeBody, progressBody } from './records.ts'
import type { Clock } from '../domain/clock.ts'
import type {
  AuditEntry,
  DecisionFields,
  Durability,
  Envelope,
  OutcomeFields,
  StreamCount,
} from './audit-log.ts'
import type { Item } from './batch.ts'
import type { IsoTime } from './iso-time.ts'
import type { Who } from './who.ts'
import type { Writer } from './writer.ts'

/** Shared by all entries of one log. */
export type EntryParts = {
  writer: Writer
  clock: Pick<Clock, 'monotonic'>
  time: IsoTime
  who: Who
}

export class Entry implements AuditEntry {
  readonly #parts: EntryParts
  readonly #envelope: Envelope
  readonly #openedMs: number
  #item: Item | undefined
  #state: 'open' | 'committed' | 'closed' = 'open'

  constructor(parts: EntryParts, envelope: Envelope) {
    this.#parts = parts
    this.#envelope = envelope
    this.#openedMs = parts.clock.monotonic()
  }

  commit(fields: DecisionFields, durability: Durability): Promise<void> {
    try {
      if (this.#state !== 'open')
        throw new Error('An audit entry is committed once, before it is closed.')
      this.#state = 'committed'
      const { writer, time, who } = this.#parts
      const body = decisionBody(time.now(), this.#envelope, fields, who.of(fields))
      const { item, done } = writer.commit(body, this.#envelope.requestId, durability)
      this.#item = item
      return done
    } catch (cause) {
      return Promise.reject(new Problem('audit_unavailable', { cause }))
    }
  }

  progress(count: StreamCount): void {
    if (this.#state !== 'committed' || this.#item?.refused !== false) return
    const { writer, time } = this.#parts
    writer.add(progressBody(time.now(), this.#envelope.requestId, count))
  }

  /** A request whose commit was refused has no outcome of its own: the writer corrects what got into the file. */
  close(fields: OutcomeFields): void {
    const item = this.#item
    if (this.#state !== 'committed' || item === undefined || item.refused) return
    this.#state = 'closed'
    const { writer, clock, time } = this.#parts
    const durationMs = clock.monotonic() - this.#openedMs
    writer.add(outcomeBody(time.now(), this.#envelope.requestId, fields, durationMs))
  }
}
