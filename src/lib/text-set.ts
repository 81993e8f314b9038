/** Finds texts in a long list of them that is asked about texts read a moment ago: engines are slow to hash what is new to them. */

export type TextSet = {
  /** The same text as the set holds it, which is quicker to look up anywhere else; `undefined`: it is not in the set. */
  find(text: string): string | undefined
}

/** Characters at the end that nearly always tell ids apart: of few ids, and of many. */
const endings = [4, 8]
/** Neighbours to look at before the whole text is hashed instead. */
const crowded = 16

export function createTextSet(texts: Iterable<string>): TextSet {
  const all = [...new Set(texts)]
  const table = fillBest(all)
  const { slots, span } = table ?? { slots: new Int32Array(1), span: 0 }
  const mask = slots.length - 1
  return {
    find(text) {
      for (let slot = hashOf(text, span) & mask; ; slot = (slot + 1) & mask) {
        const position = slots[slot] ?? 0
        if (position === 0) return undefined
        const found = all[position - 1]
        if (found === text) return found
      }
    },
  }
}

function fillBest(all: readonly string[]) {
  for (const span of endings) {
    const table = fill(all, span)
    if (table !== undefined) return table
  }
  return fill(all, Infinity, Infinity)
}

/** At most half of the slots are taken, each by a position counted from one. */
function fill(all: readonly string[], span: number, most = crowded) {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * all.length + 1)))
  const mask = slots.length - 1
  for (const [index, text] of all.entries()) {
    let slot = hashOf(text, span) & mask
    let passed = 0
    while (slots[slot] !== 0) {
      passed += 1
      if (passed > most) return undefined
      slot = (slot + 1) & mask
    }
    slots[slot] = index + 1
  }
  return { slots, span }
}

/** FNV-1a of its last characters, the high bits folded in. Whoever fills the set is trusted, so that it needs no seed. */
function hashOf(text: string, span: number): number {
  let hash = 0x811c9dc5
  for (let at = Math.max(0, text.length - span); at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return hash ^ (hash >>> 15)
}
