/** Facts about organizations, products and devices, asked of the cloud, cached, and rationed (the PIP). */

import type { Resource } from '../domain/access-request.ts'

export type ProductFacts = { id: string; organization: string | undefined }
export type DeviceFacts = { id: string; product: string | undefined }

/**
 * Every method resolves `undefined` for what the cloud does not know.
 * @throws Problem `rationed` when `user` has asked for too many unknown things, `attribute_unavailable` when the cloud fails.
 */
export interface Directory {
  organization(idOrAlias: string, user: string): Promise<string | undefined>
  product(idOrAlias: string, user: string): Promise<ProductFacts | undefined>
  /** By id or name, without knowing its product (user form). */
  device(idOrAlias: string, user: string): Promise<DeviceFacts | undefined>
  /** Attributes by their catalog names; from the cache where young enough. */
  attributes(resource: Resource, user: string): Promise<Readonly<Record<string, unknown>>>
  /** What is in the cache and young enough, without asking. */
  cached(resource: Resource): Readonly<Record<string, unknown>> | undefined
  /** A write was seen passing. */
  forget(resource: Resource): void
}
