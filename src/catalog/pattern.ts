/** Path patterns: `/v1/products/:product/events/:prefix?` as segments with grammars. */

import type { Method, Pattern, Segment } from '../domain/catalog.ts'
import type { Grammars } from './grammar.ts'

export type Form = {
  method: Method
  /** One pattern, or two where the last segment is optional: without it, then with it. */
  variants: readonly Pattern[]
}

const LITERAL = /^[A-Za-z0-9._~-]+$/

/** `GET /v1/…`; the mistakes are sentences without a place. */
export function parseForm(
  source: string,
  grammars: Grammars,
): { ok: true; form: Form } | { ok: false; mistakes: string[] } {
  const [method = '', path = ''] = source.split(' ')
  const parsed = parsePath(path, grammars)
  if (!parsed.ok) return parsed
  return { ok: true, form: { method: method as Method, variants: parsed.variants } }
}

export function parsePath(
  path: string,
  grammars: Grammars,
): { ok: true; variants: readonly Pattern[] } | { ok: false; mistakes: string[] } {
  const mistakes: string[] = []
  const segments: Segment[] = []
  const names = new Set<string>()
  const optional = path.endsWith('?')
  const plain = optional ? path.slice(0, -1) : path
  const parts = plain.split('/').slice(1)
  for (const [index, part] of parts.entries()) {
    if (!part.startsWith(':')) {
      if (!LITERAL.test(part)) mistakes.push(`"${part}" cannot stand in a path`)
      segments.push({ literal: part })
      continue
    }
    const found = grammars.of(part.slice(1), `/${parts.slice(0, index + 1).join('/')}`)
    if (found === undefined) {
      const name = part.slice(1)
      mistakes.push(`unknown parameter ":${name}"${grammars.hint(name)}`)
      continue
    }
    if (names.has(found.name)) mistakes.push(`":${found.name}" stands twice in this path`)
    names.add(found.name)
    segments.push({ parameter: found.name, grammar: found.grammar })
  }
  const last = segments.at(-1)
  if (optional && (last === undefined || 'literal' in last)) {
    mistakes.push('only a parameter at the end can be optional')
  }
  if (mistakes.length > 0) return { ok: false, mistakes }
  const whole = { text: plain, segments }
  const shorter = { text: plain.slice(0, plain.lastIndexOf('/')), segments: segments.slice(0, -1) }
  return { ok: true, variants: optional ? [shorter, whole] : [whole] }
}

/** Names of a pattern's parameters, in order. */
export function parametersOf({ segments }: Pattern): readonly string[] {
  return segments.flatMap((segment) => ('parameter' in segment ? [segment.parameter] : []))
}

/** The path with the gate's names of parameters, whatever the catalog calls its resources. */
export function inOwnWords({ segments }: Pattern): string {
  return segments.map((s) => `/${'literal' in s ? s.literal : `:${s.parameter}`}`).join('')
}
