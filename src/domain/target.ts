/** A request target in its one canonical form. */

export type QueryEntry = { key: string; value: string }

export type CanonicalTarget = {
  /** Decoded path segments; none is empty, `.` or `..`. */
  segments: readonly string[]
  /** Decoded query, in order; keys are unique and unbracketed. */
  query: readonly QueryEntry[]
}
