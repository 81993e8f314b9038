/** What is asked of the policy engine: principal + action + resource + fields + context. */

import type { FieldWord } from './catalog.ts'
import type { Charge } from './decision.ts'

/** What is acted on. `none`: a route about no resource of the fleet (public lists, the caller's own token). */
export type ResourceType = 'organization' | 'product' | 'device' | 'none'

/** Ids are canonical (folded, never a slug or a name). A device always has its product unless it is in none. */
export type Resource = {
  type: ResourceType
  organization?: string
  product?: string
  device?: string
}

/** A typed value from the wire or from a cloud's answer. */
export type Value =
  | string
  | number
  | boolean
  | null
  | readonly Value[]
  | { readonly [key: string]: Value }

export type AccessRequest = {
  action: string
  resource: Resource
  /** Names per field word; a word that is absent or empty counts as "no field". */
  fields: Readonly<Partial<Record<FieldWord, readonly string[]>>>
  /** Request values that `with` may read, by name. */
  values: Readonly<Record<string, Value>>
  /**
   * How its resource has to do with devices beyond what its type says. `device`: found through a relation (a SIM, a
   * ledger instance). `none`: so found to be no device's. `all`: it names no device, which means every one.
   */
  relation?: 'device' | 'none' | 'all'
}

/** Circumstances of the whole request. */
export type RequestContext = {
  requestId: string
  /** Milliseconds since the epoch. */
  atMs: number
  /** The client's address as the gate derived it. */
  address: string
  /** Milliseconds until one more call has room under this limit; 0 or absent: it has. */
  wait?: (charge: Charge) => number
  /**
   * Asked about requests whose values nobody knows: what may `surely` be done whatever they are, or `perhaps` with some.
   * Absent: they are those of the request.
   */
  anyValues?: 'surely' | 'perhaps'
  /** For items of a list or a stream: the `spent` of the decision that admitted it. */
  spent?: ReadonlySet<string>
}
