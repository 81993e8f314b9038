/** Clients that are gone without a word: what is sent to them is sent again and again, and nobody answers. */

import type { Unanswered } from '../../lib/tcp-table.ts'
import type { Listening } from './listening.ts'

export type VanishedParts = {
  /** Which connections are being sent the same bytes again, and how often in a row. Never rejects. */
  readUnanswered: () => Promise<Unanswered>
  /** As long as a connection may go without an answer. */
  unansweredMs: number
  onFault: (cause: unknown) => void
}

/** Heartbeats are small: the kernel takes them for a client that is gone too, for a quarter of an hour. */
export type Vanished = {
  /** Looks now, if it is time to. */
  look(listeners: () => Iterable<Listening>, nowMs: number): void
}

const everyMs = 5_000

type Silence = { sinceMs: number; times: number }

export function createVanished(parts: VanishedParts): Vanished {
  const { readUnanswered, unansweredMs, onFault } = parts
  let lookedAtMs = -Infinity
  let state: 'idle' | 'reading' = 'idle'
  let silent = new Map<Listening, Silence>()

  function judge(listeners: Iterable<Listening>, unanswered: Unanswered, nowMs: number): void {
    const still = new Map<Listening, Silence>()
    for (const listening of listeners) {
      const { ends } = listening.sink
      const times = ends === undefined ? undefined : unanswered.get(ends)
      if (times === undefined) continue
      const before = silent.get(listening)
      // Fewer times than before: an answer came in between.
      const silence =
        before === undefined || times < before.times
          ? { sinceMs: nowMs, times }
          : { sinceMs: before.sinceMs, times }
      if (nowMs - silence.sinceMs >= unansweredMs) listening.sink.end('client_gone')
      else still.set(listening, silence)
    }
    silent = still
  }

  return {
    look(listeners, nowMs) {
      if (state === 'reading' || nowMs - lookedAtMs < Math.min(everyMs, unansweredMs / 4)) return
      lookedAtMs = nowMs
      const [first] = listeners()
      if (first === undefined) return
      state = 'reading'
      readUnanswered()
        .then((unanswered) => judge(listeners(), unanswered, nowMs))
        .catch(onFault)
        .finally(() => {
          state = 'idle'
        })
    },
  }
}
