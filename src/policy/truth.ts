/** Three-valued logic on what is still possible: a set of true, false and unknown, as bits. */

/** Bits of what a condition may still turn out to be. One bit: settled. */
export type Truth = number

export const TRUE: Truth = 1
export const FALSE: Truth = 2
export const UNKNOWN: Truth = 4
/** Hangs on a fact that is not in hand. */
export const ANY: Truth = 7

export function not(a: Truth): Truth {
  return (a & UNKNOWN) | (a & TRUE ? FALSE : 0) | (a & FALSE ? TRUE : 0)
}

/** Kleene's "and": false beats unknown beats true. */
export function both(a: Truth, b: Truth): Truth {
  const open = TRUE | UNKNOWN
  const unknown = (a & UNKNOWN && b & open) || (b & UNKNOWN && a & open) ? UNKNOWN : 0
  return (a & b & TRUE) | ((a | b) & FALSE) | unknown
}

export function either(a: Truth, b: Truth): Truth {
  return not(both(not(a), not(b)))
}

/**
 * How what is open is read: `strict` settles it against the caller, `open` in its favour. What both agree on does
 * not hang on the open facts.
 */
export type Reading = 'strict' | 'open'

/** A `can` and a device limit need true. */
export function needsTrue(truth: Truth, reading: Reading): boolean {
  return reading === 'strict' ? truth === TRUE : (truth & TRUE) !== 0
}

/** A `cannot` matches, and an `unless` takes away, unless false. */
export function unlessFalse(truth: Truth, reading: Reading): boolean {
  return reading === 'strict' ? truth !== FALSE : (truth & FALSE) === 0
}
