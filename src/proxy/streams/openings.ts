/** How often streams of a place were opened lately: the cloud takes 100 openings in five minutes from one address. */

const windowMs = 300_000
/** A place that was opened so often has clients that come and go. */
const many = 10
/** A client that comes back at once finds the cloud's stream still open. */
const briefMs = 400
/** Where clients come and go, the stream outlives them, so that it is opened 20 times in five minutes at most. */
const longMs = 15_000

export class Openings {
  readonly #byPlace = new Map<string, number[]>()

  /** Notes one more; returns how long that stream stays open after its last client, in ms. */
  note(place: string, nowMs: number): number {
    for (const [known, times] of this.#byPlace) {
      if ((times.at(-1) ?? 0) <= nowMs - windowMs) this.#byPlace.delete(known)
    }
    const times = (this.#byPlace.get(place) ?? []).filter((atMs) => atMs > nowMs - windowMs)
    times.push(nowMs)
    // More than that need not be known.
    this.#byPlace.set(place, times.slice(-many - 1))
    return times.length > many ? longMs : briefMs
  }
}
