/** The bound of an LRU cache by number of entries, without setting memory aside for entries that may never come. */

/** lru-cache makes its arrays for `max` entries at once: a dozen caches of tens of thousands cost an idle gate 10 MB. What is counted as sizes grows as it fills. */
export function atMost(entries: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: one }
}

function one(): number {
  return 1
}
