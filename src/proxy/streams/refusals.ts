/** What the cloud refused a stream with: clients that ask again are answered from here, until it may be asked anew. */

import { Problem } from '../../domain/problem.ts'
import { UpstreamRefusal } from '../../upstream/fleet-lists.ts'

/** The cloud takes 100 openings in five minutes from one address: one that it refuses must not use them up. */
const firstPauseMs = 2_000
const longestPauseMs = 30_000
/** The cloud's own word is believed for so long. */
const longestWordMs = 300_000

type Refused = { why: Problem | UpstreamRefusal; untilMs: number; pauseMs: number }

export class Refusals {
  readonly #byPlace = new Map<string, Refused>()

  /** How a stream of the place could not be had. Only what the cloud itself said is remembered. */
  note(place: string, why: unknown, nowMs: number): void {
    if (!isWord(why)) return
    for (const [known, { untilMs }] of this.#byPlace) {
      if (untilMs + longestPauseMs < nowMs) this.#byPlace.delete(known)
    }
    const before = this.#byPlace.get(place)
    const pauseMs =
      before === undefined ? firstPauseMs : Math.min(before.pauseMs * 2, longestPauseMs)
    const saidS = why instanceof UpstreamRefusal ? (why.retryAfterS ?? 0) : 0
    const untilMs = nowMs + Math.max(pauseMs, Math.min(saidS * 1000, longestWordMs))
    this.#byPlace.set(place, { why, untilMs, pauseMs })
  }

  /** A stream of the place was opened. */
  forget(place: string): void {
    this.#byPlace.delete(place)
  }

  /** Why none is asked for now; a refusal says in how many seconds one may be. */
  standing(place: string, nowMs: number): Problem | UpstreamRefusal | undefined {
    const refused = this.#byPlace.get(place)
    if (refused === undefined || refused.untilMs <= nowMs) return undefined
    const { why, untilMs } = refused
    if (why instanceof Problem) return why
    const leftS = Math.ceil((untilMs - nowMs) / 1000)
    return new UpstreamRefusal(why.status, why.contentType, why.body, leftS)
  }
}

/** That it could not be reached says nothing of the next try. */
function isWord(why: unknown): why is Problem | UpstreamRefusal {
  return (
    why instanceof UpstreamRefusal || (why instanceof Problem && why.code === 'upstream_refused')
  )
}
