/** One request's place in the log, from its decision to its end. */

import { Problem } from '../domain/problem.ts'
import { decisionBody, outcomeBody } from './records.ts'
import type { Clock } from '../domain/clock.ts'
import type {
  AuditEntry,
  DecisionFields,
  Durability,
  Envelope,
  OutcomeFields,
} from './audit-log.ts'
import type { Item } from './batch.ts'
import type { IsoTime } from './iso-time.ts'
import type { Writer } from './writer.ts'

export class Entry implements AuditEntry {
  readonly #writer: Writer
  readonly #clock: Clock
  readonly #time: IsoTime
  readonly #envelope: Envelope
  readonly #openedMs: number
  #item: Item | undefined
  #state: 'open' | 'committed' | 'closed' = 'open'

  constructor(writer: Writer, clock: Clock, time: IsoTime, envelope: Envelope) {
    this.#writer = writer
    this.#clock = clock
    this.#time = time
    this.#envelope = envelope
    this.#openedMs = clock.monotonic()
  }

  commit(fields: DecisionFields, durability: Durability): Promise<void> {
    try {
      if (this.#state !== 'open')
        throw new Error('An audit entry is committed once, before it is closed.')
      this.#state = 'committed'
      const body = decisionBody(this.#time.now(), this.#envelope, fields)
      const { item, done } = this.#writer.commit(body, this.#envelope.requestId, durability)
      this.#item = item
      return done
    } catch (cause) {
      return Promise.reject(new Problem('audit_unavailable', { cause }))
    }
  }

  /** A request whose commit was refused has no outcome of its own: the writer corrects what got into the file. */
  close(fields: OutcomeFields): void {
    const item = this.#item
    if (this.#state !== 'committed' || item === undefined || item.refused) return
    this.#state = 'closed'
    const durationMs = this.#clock.monotonic() - this.#openedMs
    this.#writer.add(outcomeBody(this.#time.now(), this.#envelope.requestId, fields, durationMs))
  }
}
