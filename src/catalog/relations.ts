/** Relations: how the directory learns which device a path parameter belongs to. */

import type { Pattern, Relation } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import type { CatalogText, RelationText } from './catalog-shape.ts'
import type { Grammars, Report } from './grammar.ts'
import { inOwnWords, parametersOf, parsePath } from './pattern.ts'

export type Relations = {
  /**
   * The relation of this parameter for a route of this form: asked under the first look-up whose parameters the form
   * has. `undefined`: none, which is reported.
   */
  of(parameter: string, form: Pattern, path: readonly PropertyKey[]): Relation | undefined
  /** Names that no route has used. */
  unused(): readonly string[]
}

export function compileRelations(
  { relations = {} }: Pick<CatalogText, 'relations'>,
  grammars: Grammars,
  report: Report,
): Relations {
  const lookups = new Map(
    Object.entries(relations).map(([name, given]) => [
      name,
      lookupsOf(given, grammars, (at, message) => report(['relations', name, ...at], message)),
    ]),
  )
  const used = new Set<string>()
  return {
    of(parameter, form, path) {
      const given = relations[parameter]
      if (given === undefined || !Object.hasOwn(relations, parameter)) {
        const hint = didYouMean(parameter, Object.keys(relations))
        report(path, `unknown relation "${parameter}"${hint}`)
        return undefined
      }
      used.add(parameter)
      const had = parametersOf(form)
      const lookup = lookups
        .get(parameter)
        ?.find((pattern) => parametersOf(pattern).every((name) => had.includes(name)))
      if (lookup === undefined) {
        report(path, `no look-up of "${parameter}" can be asked from ${form.text}`)
      }
      return {
        parameter,
        lookup: lookup === undefined ? '' : inOwnWords(lookup),
        device: given.device ?? [],
        ...(given.when !== undefined && { when: given.when }),
        absent: given.absent,
      }
    },
    unused: () => Object.keys(relations).filter((name) => !used.has(name)),
  }
}

function lookupsOf(given: RelationText, grammars: Grammars, report: Report): readonly Pattern[] {
  if (given.device === undefined && given.when === undefined) {
    report([], 'needs "device", or "when" to tell whether the parameter itself is one')
  }
  return given.lookup.flatMap((source, i) => {
    const parsed = parsePath(source, grammars)
    if (parsed.ok) return parsed.variants.slice(-1)
    for (const message of parsed.mistakes) report(['lookup', i], message)
    return []
  })
}
