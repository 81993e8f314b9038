/** Answers that wait for their clients to read them: how much of whose waits, and the end of those of which nothing is taken. */

import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'
import type { BreakOff } from './exchange.ts'

/** An answer on its way down. */
export type Unread = {
  readonly user: string
  /** Bytes in memory that the client has not taken yet. */
  left(): number
  /** Bytes of it that the client has taken: as long as it grows, somebody reads. */
  taken(): number
  /** An answer before it on its connection is not done. */
  waitsItsTurn(): boolean
  breakOff: BreakOff
}

export interface UnreadAnswers extends Disposable {
  /** Before the cloud is asked. @throws Problem `too_much_unread` where this one leaves too much unread, `overloaded` where all do */
  assertRoom(user: string): void
  /** Before so many bytes are sent. @throws Problem as `assertRoom` */
  assertRoomFor(user: string, bytes: number): void
  /** Counted, and kept an eye on, until it is disposed of. */
  watch(answer: Unread): Disposable
}

export type UnreadOptions = {
  /** Of all together; nobody has more waiting than is left for the others. */
  maxBytes: number
  /** The largest there can be. */
  maxAnswerBytes: number
  /** As long as a client may take nothing. */
  stuckMs: number
  clock: Pick<Clock, 'monotonic'>
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
}

/** What an answer that was broken off is recorded as. */
const slowReader = 'slow_reader'
const looksPerLimit = 12
const longestTickMs = 1_000
/** Who has less waiting leaves nothing unread: it is on its way. */
const nothingMuch = 256 * 1024

type Watched = { answer: Unread; counted: number; takenBefore: number; movedAtMs: number }

export function createUnreadAnswers(options: UnreadOptions): UnreadAnswers {
  const { maxBytes, maxAnswerBytes, stuckMs, clock, every } = options
  const open = new Set<Watched>()
  const byUser = new Map<string, number>()
  let all = 0

  function count(watched: Watched, bytes: number): void {
    const more = bytes - watched.counted
    if (more === 0) return
    const { user } = watched.answer
    watched.counted = bytes
    all += more
    const mine = (byUser.get(user) ?? 0) + more
    if (mine === 0) byUser.delete(user)
    else byUser.set(user, mine)
  }

  function look(): void {
    const nowMs = clock.monotonic()
    for (const watched of open) {
      const { answer } = watched
      count(watched, answer.left())
      const taken = answer.taken()
      if (watched.counted === 0 || taken !== watched.takenBefore || answer.waitsItsTurn()) {
        watched.takenBefore = taken
        watched.movedAtMs = nowMs
      } else if (nowMs - watched.movedAtMs >= stuckMs) {
        answer.breakOff(slowReader)
      }
    }
  }

  function assertRoomFor(user: string, bytes: number): void {
    const left = maxBytes - all
    const mine = byUser.get(user) ?? 0
    if (all === 0 || mine + bytes <= left) return
    throw new Problem(mine <= nothingMuch ? 'overloaded' : 'too_much_unread', { retryAfterS: 5 })
  }

  const watch = every(Math.min(longestTickMs, stuckMs / looksPerLimit), look)
  return {
    assertRoomFor,
    assertRoom(user) {
      if (all >= maxBytes) throw new Problem('overloaded', { retryAfterS: 5 })
      // How much it will be is not known yet.
      if ((byUser.get(user) ?? 0) > nothingMuch) assertRoomFor(user, maxAnswerBytes)
    },
    watch(answer) {
      const movedAtMs = clock.monotonic()
      const watched: Watched = { answer, counted: 0, takenBefore: answer.taken(), movedAtMs }
      open.add(watched)
      count(watched, answer.left())
      return {
        [Symbol.dispose]() {
          open.delete(watched)
          count(watched, 0)
        },
      }
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  }
}
