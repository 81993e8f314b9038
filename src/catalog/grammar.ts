/** What may stand in a path parameter: compiled from the catalog's own grammars and from the ids of its resources. */

import type { ResourceType } from '../domain/access-request.ts'
import type { ResourceSpec } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import type { CatalogText, ResourceText } from './catalog-shape.ts'

export type FleetType = Exclude<ResourceType, 'none'>
export const FLEET_TYPES: readonly FleetType[] = ['organization', 'product', 'device']

/** Reports a mistake at a path of the file's tree. */
export type Report = (path: readonly PropertyKey[], message: string) => void

export type Grammars = {
  /**
   * The parameter's name inside the gate (resources by their type, whatever the catalog calls them) and its grammar
   * at the end of this path prefix. `undefined`: there is no such parameter.
   */
  of(parameter: string, prefix: string): { name: string; grammar: RegExp } | undefined
  /** Never true of one segment at once. */
  disjoint(one: RegExp, other: RegExp): boolean
  /** For "unknown parameter". */
  hint(parameter: string): string
  /** Prefixes under which an alias may stand and that no route has asked for. */
  unusedAliasPrefixes(): readonly { type: FleetType; index: number; prefix: string }[]
}

export function compileGrammars(
  { resources, parameters = {} }: Pick<CatalogText, 'resources' | 'parameters'>,
  report: Report,
): Grammars {
  const sources = new Map<string, string>()
  const types = new Map<string, FleetType>()
  for (const type of FLEET_TYPES) {
    const spec = resources[type]
    types.set(spec.one, type)
    sources.set(spec.one, folded(spec, spec.id))
  }
  for (const [name, given] of Object.entries(parameters)) {
    const source = typeof given === 'string' ? given : given.grammar
    if (sources.has(name)) report(['parameters', name], `"${name}" is a resource's word already`)
    if (compile(source) === undefined) {
      report(['parameters', name], `"${source}" is no regular expression`)
    } else sources.set(name, source)
  }
  const grammars = new Map<string, RegExp>()
  const excluded = new Map<string, Set<string>>()
  for (const [name, source] of sources) {
    const given = parameters[name]
    const others = typeof given === 'object' ? (given.not ?? []) : []
    const known = others.flatMap((other, i) => {
      const otherSource = sources.get(other)
      if (otherSource !== undefined) return [otherSource]
      report(['parameters', name, 'not', i], unknown(other, sources.keys()))
      return []
    })
    const ahead = known.map((other) => `(?!(?:${other})$)`).join('')
    const grammar = compile(ahead + source, ahead === '' ? undefined : { ahead, source })
    if (grammar === undefined) continue
    grammars.set(name, grammar)
    excluded.set(grammar.source, new Set(known.flatMap((o) => compile(o)?.source ?? [])))
  }

  const used = new Set<string>()
  const withAlias = new Map<FleetType, RegExp>()
  for (const type of FLEET_TYPES) {
    const spec = resources[type]
    const alias = spec.alias && compile(`${folded(spec, spec.id)}|${spec.alias.grammar}`)
    if (alias !== undefined) withAlias.set(type, alias)
  }

  return {
    of(parameter, prefix) {
      const type = types.get(parameter)
      const grammar = grammars.get(parameter)
      if (grammar === undefined) return undefined
      if (type === undefined) return { name: parameter, grammar }
      const { alias } = resources[type]
      const taken = alias !== undefined && (alias.on === undefined || alias.on.includes(prefix))
      if (taken) used.add(`${type} ${prefix}`)
      return { name: type, grammar: (taken ? withAlias.get(type) : undefined) ?? grammar }
    },
    disjoint: (one, other) =>
      excluded.get(one.source)?.has(other.source) === true ||
      excluded.get(other.source)?.has(one.source) === true,
    hint: (parameter) => didYouMean(parameter, sources.keys()),
    unusedAliasPrefixes: () =>
      FLEET_TYPES.flatMap((type) =>
        (resources[type].alias?.on ?? []).flatMap((prefix, index) =>
          used.has(`${type} ${prefix}`) ? [] : [{ type, index, prefix }],
        ),
      ),
  }
}

/** The id and alias grammars of one resource, as everyone else reads them. */
export function resourceGrammars(
  spec: ResourceText,
  path: readonly PropertyKey[],
  report: Report,
): Pick<ResourceSpec, 'id' | 'alias' | 'fold'> {
  const id = compile(spec.id)
  const alias = spec.alias === undefined ? undefined : compile(spec.alias.grammar)
  if (id === undefined) report([...path, 'id'], `"${spec.id}" is no regular expression`)
  if (spec.alias !== undefined && alias === undefined) {
    report([...path, 'alias', 'grammar'], `"${spec.alias.grammar}" is no regular expression`)
  }
  return {
    id: id ?? NOTHING,
    fold: spec.fold ?? 'none',
    ...(alias !== undefined && { alias }),
  }
}

/** Matches no text at all: stands in where a grammar is broken and the load fails anyway. */
const NOTHING = /^(?!)$/u

/** Ids are matched before they are folded, aliases are taken as written. */
function folded({ fold }: ResourceText, source: string): string {
  return fold === 'lower' ? `(?i:${source})` : source
}

function compile(source: string, parts?: { ahead: string; source: string }): RegExp | undefined {
  try {
    const inner = parts === undefined ? `(?:${source})` : `${parts.ahead}(?:${parts.source})`
    return new RegExp(`^${inner}$`, 'u')
  } catch {
    return undefined
  }
}

function unknown(name: string, known: Iterable<string>): string {
  return `unknown parameter "${name}"${didYouMean(name, known)}`
}
