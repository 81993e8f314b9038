/** How many connections to PostgreSQL do what. */

/** `lookUps` is zero where there is one connection to work with: they share it with all else. */
export type Shares = { lookUps: number; others: number }

/** @param connections all; one of them hears notices, and one looks for changes */
export function sharesOf(connections: number): Shares {
  const working = Math.max(1, connections - 2)
  const others = Math.ceil(working / 3)
  return { lookUps: working - others, others }
}
