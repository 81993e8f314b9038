/** One access request under one grant, asked for one combination of its field names: what every matcher looks at. */

import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Action, FieldWord } from '../domain/catalog.ts'
import { ID } from './catalog-facts.ts'
import type { FactsInHand } from './policy-engine.ts'
import type { Reading } from './truth.ts'

/** Stands for a fact that nobody has fetched yet, or that differs from item to item. */
export const OPEN: unique symbol = Symbol('open')

export type Names = Readonly<Partial<Record<FieldWord, string>>>

export class Ask {
  readonly request: AccessRequest
  readonly action: Action
  readonly context: RequestContext
  /** Items are decided one by one: a list, a stream, or a device that only the cloud can name. */
  readonly itemwise: boolean
  readonly #facts: FactsInHand
  #inHand: Readonly<Record<string, unknown>> | undefined
  #looked = false

  reading: Reading = 'strict'
  names: Names = {}
  /** For the question "would it be allowed at another hour?". */
  ignoreHours = false
  /** Set by matchers: something was open, so the other reading may differ. */
  open = false
  /** Set by matchers: a `can` was left out for its hours alone. */
  outsideHours = false
  used: Record<string, unknown> | undefined

  constructor(request: AccessRequest, action: Action, facts: FactsInHand, context: RequestContext) {
    this.request = request
    this.action = action
    this.context = context
    this.itemwise = action.shape !== 'item' || request.relation === true
    this.#facts = facts
  }

  /** The attribute's value, `undefined` where the resource has none, `OPEN` where it is not known yet. */
  attribute(name: string): unknown {
    if (this.itemwise) {
      this.open = true
      return OPEN
    }
    const { resource } = this.request
    if (name === ID) return idOf(resource)
    if (resource.type === 'none') return undefined
    if (!this.#looked) {
      this.#looked = true
      this.#inHand = this.#facts(resource)
    }
    if (this.#inHand === undefined) {
      this.open = true
      return OPEN
    }
    const value = Object.hasOwn(this.#inHand, name) ? this.#inHand[name] : undefined
    this.used ??= {}
    this.used[name] = value
    return value
  }

  value(name: string): unknown {
    const { values } = this.request
    return Object.hasOwn(values, name) ? values[name] : undefined
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
