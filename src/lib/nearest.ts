/** The nearest right word to a mistyped one. */

/** `; did you mean "read"?`, or an empty string where nothing is near enough to help. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates)
  return near === undefined ? '' : `; did you mean "${near}"?`
}

/** The candidate within a third of the word's length in edits; the first one among equals. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const bound = Math.max(1, Math.floor(word.length / 3))
  let best: string | undefined
  let bestEdits = bound + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestEdits) continue
    const edits = distance(word.toLowerCase(), candidate.toLowerCase())
    if (edits < bestEdits) {
      best = candidate
      bestEdits = edits
    }
  }
  return best
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each one edit. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + cost)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) edits = Math.min(edits, at(beforeLast, j - 2) + 1)
      row.push(edits)
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
