/** Where the values of a distribution lie. */

export type Percentiles = { p50: number; p99: number; max: number }

export function percentiles(values: Float64Array): Percentiles {
  const sorted = values.toSorted()
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { p50: at(0.5) ?? 0, p99: at(0.99) ?? 0, max: at(1) ?? 0 }
}
