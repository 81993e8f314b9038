/** What the loader and the engine ask of a catalog beyond its tables: types, keys and items per action. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { ResourceType } from '../domain/access-request.ts'
import type { Action, AnswerSpec, AttributeType, BodySpec, Catalog } from '../domain/catalog.ts'

type Held = Exclude<ResourceType, 'none'>
type Specs = readonly Held[]

/** Conditions may always read the id of the resource itself: it is known without asking the cloud. */
export const ID = 'id'

export type CatalogFacts = {
  /** Resource types whose attributes a rule on this action may read. */
  typesOf(action: Action): Specs
  attributeType(action: Action, name: string): AttributeType | undefined
  attributeNames(action: Action): string[]
  /** Keys that `answer` and `hide` may name; `undefined`: any. */
  answerKeys(action: Action): ReadonlySet<string> | undefined
  /** Keys of the answer that are shown only where named exactly. */
  secrets(action: string): ReadonlySet<string>
  /** Body keys that its routes declare; `undefined`: its body is the customer's own and may hold any. */
  bodyKeys(action: string): ReadonlySet<string> | undefined
  /** Body keys by which its routes tell it from other deeds. */
  deedKeys(action: string): ReadonlySet<string>
  /** True where it acts on devices, or its items or events are devices or of devices. */
  isOfDevices(action: Action): boolean
  /** True where a resource of this type is one item of the list that the action answers. */
  isItem(action: Action, type: ResourceType): boolean
}

export function catalogFacts(catalog: Catalog): CatalogFacts {
  const secretKeys = new Map<string, Set<string>>()
  const items = new Map<string, Set<ResourceType>>()
  const answered = new Map<string, Set<ResourceType>>()
  const bodies = new Map<string, Set<string> | 'any'>()
  const chosenBy = new Map<string, Set<string>>()
  for (const { deeds, answer, body } of catalog.routes) {
    for (const { action, keys } of deeds) {
      bodies.set(action, join(bodies.get(action), keysOf(body)))
      chosenBy.set(action, new Set([...(chosenBy.get(action) ?? []), ...keys]))
      const secrets = secretKeys.get(action) ?? new Set()
      if (answer.kind === 'object' || answer.kind === 'list') {
        for (const key of answer.secrets) secrets.add(key)
      }
      secretKeys.set(action, secrets)
      const types = answered.get(action) ?? new Set()
      answered.set(action, types.add(itemOf(answer)))
      const kinds = items.get(action) ?? new Set()
      if (answer.kind === 'list') items.set(action, kinds.add(answer.item))
      if (answer.kind === 'stream') items.set(action, kinds.add('device'))
    }
  }
  const none: ReadonlySet<string> = new Set()

  const itemTypes = ({ name, shape }: Action): Specs => {
    if (shape === 'item') return []
    const kinds = [...(items.get(name) ?? [])].filter((kind) => kind !== 'none')
    return kinds.length === 0 || kinds.includes('device') ? ['device'] : kinds
  }
  // Asked for every item of a list.
  const types = new Map(
    [...catalog.actions.values()].map((action) => [
      action,
      typesOfAction(action, itemTypes(action)),
    ]),
  )
  const typesOf = (action: Action): Specs =>
    types.get(action) ?? typesOfAction(action, itemTypes(action))

  const attributeType = (action: Action, name: string): AttributeType | undefined => {
    if (name === ID) return 'string'
    for (const type of typesOf(action)) {
      const attribute = catalog.resources[type].attributes.get(name)
      if (attribute !== undefined) return attribute.type
    }
    return undefined
  }

  return {
    typesOf,
    attributeType,
    attributeNames: (action) => [
      ID,
      ...typesOf(action).flatMap((type) => [...catalog.resources[type].attributes.keys()]),
    ],
    answerKeys(action) {
      const keys = new Set(secretKeys.get(action.name))
      for (const type of answered.get(action.name) ?? ['none' as const]) {
        if (type === 'none' || catalog.resources[type].keys.length === 0) return undefined
        for (const key of catalog.resources[type].keys) keys.add(key)
      }
      return keys
    },
    secrets: (action) => secretKeys.get(action) ?? none,
    bodyKeys(action) {
      const keys = bodies.get(action) ?? none
      return keys === 'any' ? undefined : keys
    },
    deedKeys: (action) => chosenBy.get(action) ?? none,
    isOfDevices: (action) => typesOf(action).includes('device'),
    isItem: (action, type) => action.shape === 'list' && itemTypes(action).some((t) => t === type),
  }
}

function typesOfAction({ onDevice }: Action, items: Specs): Specs {
  if (onDevice) return ['device']
  return items.length > 0 ? items : ['product', 'organization']
}

/** What the keys of an answer belong to; `none`: the catalog does not say. */
function itemOf(answer: AnswerSpec): ResourceType {
  switch (answer.kind) {
    case 'object':
      return answer.item ?? 'none'
    case 'list':
      // What only belongs to a resource has keys of its own.
      return answer.items?.facts === 'directory' ? 'none' : answer.item
    case 'stream':
    case 'opaque':
      return 'none'
  }
}

type Keys = Set<string> | 'any'

function keysOf(body: BodySpec): Keys {
  switch (body.kind) {
    case 'none':
      return new Set()
    case 'fields':
      return new Set(body.keys.keys())
    case 'multipart':
      return new Set(body.fields)
    case 'parts':
      return new Set([...body.texts, ...body.fields])
    case 'json':
    case 'raw':
      return 'any'
    case 'choice':
      return body.of.map(keysOf).reduce(join, new Set())
  }
}

function join(a: Keys | undefined, b: Keys): Keys {
  if (a === 'any' || b === 'any') return 'any'
  return a === undefined ? b : a.union(b)
}

/** Of a text that may be an id of several types, or of none: then it stays as it is. */
export function canonicalText(types: Specs, text: string, catalog: Catalog): string | undefined {
  if (types.length === 0) return text
  for (const type of types) {
    const id = canonicalId(catalog.resources[type], text)
    if (id !== undefined) return id
  }
  return undefined
}
