/** From the words of a `can` or `cannot` to action names: actions, scopes, classes and `family:*`. */

import type { Action, Catalog } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'

export type Effect = 'can' | 'cannot'

/** What one word stands for. A `broad` word never reaches what must be named exactly. */
export type WordMeaning =
  | { kind: 'exact'; actions: readonly string[] }
  | { kind: 'broad'; actions: readonly string[] }
  | { kind: 'mistake'; message: string }

/** CASL reads these as "every action" and "every resource". */
const RESERVED = new Set(['manage', 'all'])

export function meaningOf(word: string, catalog: Catalog): WordMeaning {
  if (RESERVED.has(word) || word === '*') {
    return mistake(`"${word}" is reserved; name actions, scopes or classes`)
  }
  if (catalog.actions.has(word)) return { kind: 'exact', actions: [word] }
  const deeds = catalog.scopes.get(word)
  if (deeds !== undefined) {
    if (deeds.length === 1) return { kind: 'exact', actions: deeds }
    const list = deeds.join(', ')
    return mistake(
      `"${word}" is a scope of several deeds; name the ones you mean: ${list} (or ${word}.* for all)`,
    )
  }
  if (catalog.classes.has(word)) {
    return {
      kind: 'broad',
      actions: namesWhere(catalog, (action) => action.classes.includes(word)),
    }
  }
  if (word.includes('*')) return family(word, catalog)
  const known = [...catalog.actions.keys(), ...catalog.scopes.keys(), ...catalog.classes.keys()]
  return mistake(`unknown action "${word}"${didYouMean(word, known)}`)
}

/** `devices:*`, `devices.function:*`, `devices:update.*`: by whole parts of the name, never inside one. */
function family(word: string, catalog: Catalog): WordMeaning {
  const prefix = word.slice(0, -1)
  const whole = /^[^:*]+:(?:[^:*]+\.)?$/.test(prefix) && word.endsWith('*')
  if (!whole) {
    return mistake(`"${word}" is no family; a * stands for a whole last part, as in devices:*`)
  }
  const actions = namesWhere(catalog, (action) => action.name.startsWith(prefix))
  if (actions.length > 0) return { kind: 'broad', actions }
  const families = [...catalog.actions.values()].map(({ name }) => `${name.split(':')[0]}:*`)
  return mistake(`no action is of "${word}"${didYouMean(word, new Set(families))}`)
}

/** Secret and escalating actions must be named exactly; so must what is not about one device, for a device-limited user. */
export function reaches(action: Action, effect: Effect, limited: boolean): boolean {
  if (effect === 'cannot') return true
  if (action.classes.includes('secret') || action.classes.includes('escalates')) return false
  return !limited || action.onDevice || action.deviceFree
}

/** Sorted names of all that the words reach. Mistaken words reach nothing. */
export function expand(
  meanings: readonly WordMeaning[],
  effect: Effect,
  limited: boolean,
  catalog: Catalog,
): string[] {
  const names = new Set<string>()
  for (const meaning of meanings) {
    if (meaning.kind === 'mistake') continue
    for (const name of meaning.actions) {
      const action = catalog.actions.get(name)
      if (action === undefined) continue
      if (meaning.kind === 'exact' || reaches(action, effect, limited)) names.add(name)
    }
  }
  return [...names].toSorted()
}

function namesWhere(catalog: Catalog, test: (action: Action) => boolean): string[] {
  return [...catalog.actions.values()].filter(test).map(({ name }) => name)
}

function mistake(message: string): WordMeaning {
  return { kind: 'mistake', message }
}
