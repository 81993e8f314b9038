/** Time as an argument, so that tests never sleep. */

export type Clock = {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds: for durations and timers. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}
