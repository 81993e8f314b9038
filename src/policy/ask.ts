/** One access request under one grant, asked for one combination of its field names: what every matcher looks at. */

import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Action, FieldWord } from '../domain/catalog.ts'
import type { Charge } from '../domain/decision.ts'
import { ID, type CatalogFacts } from './catalog-facts.ts'
import type { FactsInHand, Item } from './policy-engine.ts'
import type { Reading } from './truth.ts'

/** Stands for a fact that nobody has fetched yet, or that differs from item to item. */
export const OPEN: unique symbol = Symbol('open')

/** Stands for a device's attribute where no device is spoken of: not even its absence is seen. */
export const NO_DEVICE: unique symbol = Symbol('no device')

export type Names = Readonly<Partial<Record<FieldWord, string>>>

export type AskParts = {
  request: AccessRequest
  action: Action
  known: CatalogFacts
  context: RequestContext
  /** Absent where items are judged: each brings its own. */
  facts?: FactsInHand
  /** One event of a stream is asked about, not the stream. */
  event?: Item['event']
  /** How old the facts may be, where a rule on the action says so. */
  maxAgeMs?: number | undefined
}

export class Ask {
  readonly request: AccessRequest
  readonly action: Action
  /** A list or a stream as a whole: its items may differ in what this asks. */
  readonly itemwise: boolean
  readonly #facts: FactsInHand | undefined
  readonly #maxAgeMs: number | undefined
  readonly #ofDevices: boolean
  readonly #isItem: boolean
  readonly context: RequestContext
  /** What differs from item to item are their resources too, not only their names. */
  readonly #ofMany: boolean
  #inHand: Readonly<Record<string, unknown>> | undefined
  #looked = false

  /** Of the request, or of the item being judged. */
  resource: Resource
  event: Item['event']
  atMs: number
  reading: Reading = 'strict'
  names: Names = {}
  /** For the question "would it be allowed at another hour?". */
  ignoreHours = false
  /** Set by matchers: a fact was not in hand, so the other reading may differ. */
  open = false
  /** Set by matchers: the same, for what differs from item to item. */
  varies = false
  /** Set by matchers: the same, for what hangs on values of the request. */
  anyValue = false
  /** For the question "would it be allowed if nobody counted?". */
  ignoreLimits = false
  /** Set by matchers: a `can` was left out for its hours alone. */
  outsideHours = false
  /** Set by matchers: a `can` was left out for its limit alone; the shortest time until one has room. */
  waitMs: number | undefined
  /** Set by matchers: limits of the rules that the answer rests on. */
  charges: Set<Charge> | undefined
  /** Set by matchers: keys of limits that have no room. */
  spent: Set<string> | undefined
  used: Record<string, unknown> | undefined

  constructor({ request, action, known, context, facts, event, maxAgeMs }: AskParts) {
    this.request = request
    this.action = action
    this.resource = request.resource
    this.event = event
    this.atMs = context.atMs
    this.context = context
    this.#facts = facts
    this.#maxAgeMs = maxAgeMs
    this.#ofDevices = known.isOfDevices(action)
    this.#isItem = facts === undefined || event !== undefined
    const isOne = this.#isItem || known.isItem(action, request.resource.type)
    this.itemwise = action.shape !== 'item' && !isOne
    this.#ofMany = this.itemwise && request.resource.type !== 'device'
  }

  /** Turns to the next item. */
  take({ resource, facts, event }: Item, atMs: number): void {
    this.resource = resource
    this.event = event
    this.atMs = atMs
    this.#inHand = facts
    this.open = false
  }

  /** Of a device-wise kind, but of no one device: only who reaches all devices of the place may see or touch it. */
  get ofNoDevice(): boolean {
    if (this.resource.type === 'device') return false
    const { relation } = this.request
    if (relation === 'none' || relation === 'all') return true
    return (
      this.#isItem &&
      this.#ofDevices &&
      (this.event === undefined || this.event.source === 'device')
    )
  }

  /** The attribute's value, `undefined` where the resource has none, `OPEN` where it is not known yet. */
  attribute(name: string): unknown {
    if (this.#ofMany) {
      this.varies = true
      return OPEN
    }
    const { resource } = this
    if (this.#ofDevices && resource.type !== 'device') {
      return this.event === undefined ? undefined : NO_DEVICE
    }
    if (name === ID) return idOf(resource)
    if (resource.type === 'none') return undefined
    if (this.#facts !== undefined && !this.#looked) {
      this.#looked = true
      this.#inHand = this.#facts(resource, this.#maxAgeMs)
    }
    if (this.#inHand === undefined) {
      this.open = true
      return OPEN
    }
    const value = Object.hasOwn(this.#inHand, name) ? this.#inHand[name] : undefined
    if (this.#facts !== undefined) {
      this.used ??= {}
      this.used[name] = value
    }
    return value
  }

  /** The request is counted and its items are not: for them a limit that had no room then has none now. */
  hasRoom(charge: Charge): boolean {
    if (this.ignoreLimits) return true
    if (this.#facts === undefined) return this.context.spent?.has(charge.key) !== true
    const waitMs = this.context.wait?.(charge) ?? 0
    if (waitMs <= 0) return true
    this.waitMs = Math.min(waitMs, this.waitMs ?? waitMs)
    this.spent ??= new Set()
    this.spent.add(charge.key)
    return false
  }

  /** `OPEN` where it is asked about requests with any values. */
  value(name: string): unknown {
    if (this.context.anyValues !== undefined) {
      this.anyValue = true
      return OPEN
    }
    const { values } = this.request
    return Object.hasOwn(values, name) ? values[name] : undefined
  }

  /** Each event of a stream has its own name; what the client asked for is at most a beginning of it. */
  isOpenName(word: FieldWord): boolean {
    return word === 'events' && this.action.shape === 'stream' && this.itemwise
  }
}

export function idOf(resource: Resource): string | undefined {
  switch (resource.type) {
    case 'device':
      return resource.device
    case 'product':
      return resource.product
    case 'organization':
      return resource.organization
    case 'none':
      return undefined
  }
}

const NO_NAMES: readonly Names[] = [{}]

/**
 * Every combination of the request's names, one per field word of the action: each is asked by itself and all must
 * pass, so that no two rules can be mixed into a right that neither gives.
 */
export function combinations(request: AccessRequest, action: Action): readonly Names[] {
  let all = NO_NAMES
  for (const word of action.fields) {
    const names = request.fields[word]
    if (names === undefined || names.length === 0) continue
    all = all.flatMap((tuple) => names.map((name) => ({ ...tuple, [word]: name })))
  }
  return all
}
