/** One open event stream of one client: what it asked for, under which judge, and how far it has come. */

import type { StreamCount } from '../../audit/audit-log.ts'
import type { ItemJudge } from '../../policy/policy-engine.ts'
import type { Served } from '../enforce.ts'
import type { EventSink } from '../exchange.ts'
import type { Interest } from './interests.ts'
import type { Seat } from './roster.ts'

/** The hub as its listeners see it. */
export type Place = {
  seat(listening: Listening, judge: ItemJudge): Seat<Listening>
  leave(listening: Listening): void
  /** How many events were left out for their size so far. */
  readonly tooLarge: number
}

export class Listening {
  readonly served: Served
  readonly interest: Interest
  readonly sink: EventSink
  /** When the last byte was written to it, the last progress recorded, its rights last decided: monotonic milliseconds. */
  wroteAtMs: number
  progressAtMs: number
  decidedAtMs: number
  /** Under which it was decided; `undefined`: not yet since it was opened. */
  revision: string | undefined
  /** Since when the store is being asked about its token once more; monotonic milliseconds. */
  askingSinceMs: number | undefined
  readonly #place: Place
  readonly #seenBefore: number
  readonly #tooLargeBefore: number
  #seat: Seat<Listening>
  #judge: ItemJudge
  #stuck: { taken: number; sinceMs: number } | undefined

  constructor(
    place: Place,
    served: Served,
    sink: EventSink,
    interest: Interest,
    judge: ItemJudge,
    nowMs: number,
  ) {
    this.served = served
    this.interest = interest
    this.sink = sink
    this.wroteAtMs = nowMs
    this.progressAtMs = nowMs
    this.decidedAtMs = nowMs
    this.#place = place
    this.#seenBefore = interest.seen
    this.#tooLargeBefore = place.tooLarge
    this.#judge = judge
    this.#seat = place.seat(this, judge)
    sink.onEnd(() => {
      this.count()
      place.leave(this)
    })
  }

  get seat(): Seat<Listening> {
    return this.#seat
  }

  get judge(): ItemJudge {
    return this.#judge
  }

  /** What was found under the judge before counts no more. */
  judgeBy(judge: ItemJudge): void {
    if (!this.sink.open) return
    this.#judge = judge
    this.#seat = this.#place.seat(this, judge)
  }

  write(piece: Buffer, nowMs: number): void {
    this.wroteAtMs = nowMs
    this.sink.write(piece)
  }

  /** Withheld is what it asked for and did not get. */
  count(): StreamCount {
    const { count } = this.sink
    count.withheld = Math.max(0, this.interest.seen - this.#seenBefore - count.sent)
    const tooLarge = this.#place.tooLarge - this.#tooLargeBefore
    if (tooLarge > 0) count.tooLarge = tooLarge
    return { ...count }
  }

  /** How long its connection has taken nothing of what waits. */
  stuckMs(nowMs: number): number {
    const { waiting, taken } = this.sink
    if (waiting === 0) this.#stuck = undefined
    else if (this.#stuck?.taken !== taken) this.#stuck = { taken, sinceMs: nowMs }
    return this.#stuck === undefined ? 0 : nowMs - this.#stuck.sinceMs
  }
}
