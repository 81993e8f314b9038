/** Finds routes that one request could mean at once: same method and shape, or two grammars that may both fit. */

import type { Method, Pattern } from '../domain/catalog.ts'
import type { Grammars } from './grammar.ts'

/** Remembers every pattern added; answers what is wrong with the newest, as sentences. */
export type Overlaps = { add(method: Method, pattern: Pattern): readonly string[] }

export function createOverlaps(grammars: Pick<Grammars, 'disjoint'>): Overlaps {
  /** Route id by method and shape. */
  const shapes = new Map<string, string>()
  /** By what stands before: the grammars seen at that place, each with a pattern that has it. */
  const places = new Map<string, Map<string, { grammar: RegExp; text: string }>>()

  return {
    add(method, pattern) {
      const findings: string[] = []
      let before = ''
      for (const segment of pattern.segments) {
        if ('literal' in segment) {
          before += `/${segment.literal}`
          continue
        }
        const { grammar } = segment
        const here = places.get(before) ?? new Map<string, { grammar: RegExp; text: string }>()
        places.set(before, here)
        for (const other of here.values()) {
          if (other.grammar.source === grammar.source) continue
          if (grammars.disjoint(grammar, other.grammar)) continue
          findings.push(
            `":${segment.parameter}" and a parameter of ${other.text} could both fit here; give one a "not"`,
          )
        }
        if (!here.has(grammar.source)) here.set(grammar.source, { grammar, text: pattern.text })
        before += `/:${grammar.source}`
      }
      const shape = `${method} ${before}`
      const twin = shapes.get(shape)
      if (twin !== undefined) findings.push(`the same method and path as ${twin}`)
      else shapes.set(shape, `${method} ${pattern.text}`)
      return findings
    },
  }
}
