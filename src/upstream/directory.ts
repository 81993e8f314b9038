/** Facts about organizations, products and devices, asked of the cloud, cached, and rationed (the PIP). */

import type { Resource } from '../domain/access-request.ts'
import type { Relation } from '../domain/catalog.ts'

export type ProductFacts = { id: string; organization: string | undefined }
export type DeviceFacts = { id: string; product: string | undefined }
/** By their catalog names. */
export type Attributes = Readonly<Record<string, unknown>>
/**
 * What was found of each resource that was asked for, young enough when it was asked for; none: the cloud knows nothing
 * of it. `undefined` for a resource that was not asked for.
 */
export type Prepared = (resource: Resource) => Attributes | undefined

/**
 * Every method resolves `undefined` for what the cloud does not know.
 * @throws Problem `rationed` when look-ups of `user` led nowhere too often, `attribute_unavailable` when the cloud fails.
 */
export interface Directory {
  organization(idOrAlias: string, user: string): Promise<string | undefined>
  product(idOrAlias: string, user: string): Promise<ProductFacts | undefined>
  /** By id or name, without knowing its product (user form). `maxAgeMs` tightens the configured limit; 0: asked anew. */
  device(idOrAlias: string, user: string, maxAgeMs?: number): Promise<DeviceFacts | undefined>
  /** Ids of the products that an organization owns; none where there is no such organization. */
  products(organization: string, user: string): Promise<readonly string[]>
  /**
   * The id of the device that a path parameter belongs to; `undefined`: it is no device's, or there is no such thing.
   * `maxAgeMs` tightens the limit of attributes; 0: asked anew.
   */
  related(
    relation: Relation,
    params: Readonly<Record<string, string>>,
    place: Resource,
    user: string,
    maxAgeMs?: number,
  ): Promise<string | undefined>
  /** Attributes by their catalog names; from the cache where young enough: never older than `maxAgeMs` or the configured limit. */
  attributes(resource: Resource, user: string, maxAgeMs?: number): Promise<Attributes>
  /** Looks at many devices that a user names: one by one, or by a product's whole list where that is fewer calls. */
  prepare(resources: readonly Resource[], user: string, maxAgeMs?: number): Promise<Prepared>
  /**
   * The same for devices that the cloud itself has named, in a list or an event: nobody guesses, so what it leads to
   * costs no ration, and what a whole list lacks is absent. Each call is one of the budget of lists.
   * @throws Problem `overloaded` where that is spent, or `attribute_unavailable`
   */
  named(resources: readonly Resource[], user: string, maxAgeMs?: number): Promise<Prepared>
  /**
   * In which product each device is that the cloud itself has named; one that is in none of `products` is left out.
   * @param devices canonical ids
   * @throws Problem as `named` does
   */
  locate(
    devices: readonly string[],
    products: readonly string[] | 'any',
    user: string,
  ): Promise<ReadonlyMap<string, string>>
  /** The same of one device where it is in hand; with no product: it is in none, or there is no such device. */
  placed(device: string): { product: string | undefined } | undefined
  /** What is in the cache and young enough, without asking. */
  cached(resource: Resource, maxAgeMs?: number): Attributes | undefined
  /** A write was seen passing. Of a product: all its devices are forgotten as well. */
  forget(resource: Resource): void
  /**
   * What this user looked up was not theirs: it costs their ration as if it were unknown, so that nobody can tell the
   * two apart by it. Nothing happens where they have looked up no id of it.
   */
  deadEnd(resource: Resource, user: string): void
}

/** Items of a product's device list, as the cloud wrote them. */
export type Swept = {
  /** JSON text by canonical device id, of those that were wanted; what is not there is not listed. */
  items: ReadonlyMap<string, string>
  /** When the list was asked for: monotonic milliseconds. */
  atMs: number
}

/** Many devices by their product's list. */
export type Sweep = {
  /** Calls that reading the list may cost; a guess where it was never read. */
  calls(product: string): number
  /** @throws Problem */
  read(wanted: {
    product: string
    devices: ReadonlySet<string>
    user: string
    maxAgeMs: number
  }): Promise<Swept>
}
