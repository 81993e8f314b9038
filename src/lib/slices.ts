/** Long work cut up, so that others get their turn between the slices: of about equal weight, in order. */

/** An item heavier than `most` is a slice of its own. */
export function* slicesOf<T>(
  items: readonly T[],
  most: number,
  weightOf: (item: T) => number = () => 1,
): Generator<readonly T[]> {
  let slice: T[] = []
  let weight = 0
  for (const item of items) {
    const more = weightOf(item)
    if (slice.length > 0 && weight + more > most) {
      yield slice
      slice = []
      weight = 0
    }
    slice.push(item)
    weight += more
  }
  if (slice.length > 0) yield slice
}
