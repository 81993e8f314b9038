/** Actions as everyone reads them: what the file says of each, and what its routes show. */

import type { Action, AttributeType, FieldWord, Route } from '../domain/catalog.ts'
import { nameWords } from '../domain/words.ts'
import { didYouMean } from '../lib/nearest.ts'
import { bodyHas } from './bodies.ts'
import type { CatalogText } from './catalog-shape.ts'
import { typeAt } from './deeds.ts'
import type { Report } from './grammar.ts'
import { parametersOf } from './pattern.ts'
import type { PlacedRoute } from './routes.ts'

/** `devices:update` of `devices:update.name`: a dot after the colon begins the deed. */
export function scopeOf(action: string): string {
  const colon = action.indexOf(':')
  const dot = action.indexOf('.', colon)
  return dot === -1 ? action : action.slice(0, dot)
}

export function buildActions(
  file: CatalogText,
  routes: readonly PlacedRoute[],
  report: Report,
): { actions: Map<string, Action>; scopes: Map<string, readonly string[]> } {
  const usage = collectUsage(file, routes, report)
  const attributes = new Set(
    Object.values(file.resources).flatMap((spec) => Object.keys(spec.attributes ?? {})),
  )
  const actions = new Map<string, Action>()
  const scopes = new Map<string, string[]>()
  for (const [name, given] of Object.entries(file.actions)) {
    const path = ['actions', name]
    for (const [i, word] of given.classes.entries()) {
      if (Object.hasOwn(file.classes, word)) continue
      const hint = didYouMean(word, Object.keys(file.classes))
      report([...path, 'classes', i], `unknown class "${word}"${hint}`)
    }
    for (const [i, word] of (given.writes ?? []).entries()) {
      if (attributes.has(word)) continue
      report([...path, 'writes', i], `unknown attribute "${word}"${didYouMean(word, attributes)}`)
    }
    if (given.changes === 'nothing' && given.writes !== undefined) {
      report([...path, 'changes'], 'an action that writes attributes changes something')
    }
    const used = usage.get(name)
    if (used === undefined && given.routeless !== true) report(path, `no route means "${name}"`)
    if (used !== undefined && given.routeless === true) report(path, `"${name}" has a route`)
    const scope = scopeOf(name)
    if (scope !== name && Object.hasOwn(file.actions, scope)) {
      report(path, `"${scope}" has deeds: it cannot be an action as well`)
    }
    scopes.set(scope, [...(scopes.get(scope) ?? []), name])
    actions.set(name, {
      name,
      scope,
      origin: given.origin ?? 'cloud',
      classes: given.classes,
      says: given.says,
      fields: [...(used?.fields ?? [])].toSorted(),
      values: used?.values ?? new Map(),
      shape: given.shape ?? 'item',
      onDevice: used?.onDevice ?? false,
      deviceFree: given.device_free ?? false,
      writes: given.writes ?? [],
      changes: given.changes ?? 'listed',
    })
  }
  return { actions, scopes }
}

type Usage = { fields: Set<FieldWord>; values: Map<string, AttributeType>; onDevice: boolean }

function collectUsage(
  file: CatalogText,
  routes: readonly PlacedRoute[],
  report: Report,
): Map<string, Usage> {
  const usage = new Map<string, Usage>()
  for (const { route, path } of routes) {
    for (const [i, deed] of route.deeds.entries()) {
      const given = file.actions[deed.action]
      if (given === undefined) continue
      const shape = given.shape ?? 'item'
      const mismatch = shapeMismatch(shape, route)
      if (mismatch !== undefined) report(path, `"${deed.action}" ${mismatch}`)
      const onDevice = isOnDevice(route, i, shape)
      const used = usage.get(deed.action) ?? { fields: new Set(), values: new Map(), onDevice }
      usage.set(deed.action, used)
      if (used.onDevice !== onDevice) {
        report(path, `"${deed.action}" is about one device on some routes only; make it two deeds`)
      }
      for (const word of fieldWordsOf(route, i)) used.fields.add(word)
      for (const [name, places] of Object.entries(deed.values)) {
        for (const place of places) {
          const type = typeAt(place, deed, route)
          if (type === undefined) continue
          const before = used.values.get(name)
          if (before !== undefined && before !== type) {
            report(
              path,
              `"${name}" of "${deed.action}" is a ${before} elsewhere and a ${type} here`,
            )
          }
          used.values.set(name, type)
        }
      }
    }
  }
  return usage
}

/** Bodies whose keys the gate knows one by one. */
const KEYED = ['fields', 'json', 'parts'] as const

function fieldWordsOf(route: Route, deedIndex: number): FieldWord[] {
  const words: FieldWord[] = []
  const deed = route.deeds[deedIndex]
  for (const word of nameWords) {
    if (deed?.fields[word] !== undefined) words.push(word)
  }
  if (KEYED.some((kind) => bodyHas(route.body, kind))) words.push('body')
  return words
}

/** What is decided item by item must also be answered item by item. */
function shapeMismatch(shape: Action['shape'], { answer }: Route): string | undefined {
  const items = answer.kind === 'list' && answer.item !== 'none'
  if (shape === 'list' && !items) return 'is decided per item: its answer must be a list of items'
  if (shape === 'stream' && answer.kind !== 'stream') return 'is a stream: its answer must be one'
  if (shape !== 'list' && items) return 'answers a list of items: give the action "shape: list"'
  if (shape !== 'stream' && answer.kind === 'stream') {
    return 'answers a stream: give the action "shape: stream"'
  }
  return undefined
}

/**
 * A device is in the path, or something of a device, or each item is one or of one, or the deed is told by the very
 * keys that name devices.
 */
function isOnDevice(route: Route, deedIndex: number, shape: Action['shape']): boolean {
  if (shape === 'stream') return true
  if (shape === 'list') return route.answer.kind === 'list' && route.answer.item === 'device'
  if (route.relation !== undefined || parametersOf(route.pattern).includes('device')) return true
  const keys = route.deeds[deedIndex]?.keys ?? []
  const named = new Set(route.devices.filter((p) => p.in === 'body').map((p) => p.key))
  return keys.length > 0 && keys.every((key) => named.has(key))
}
