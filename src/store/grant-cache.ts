/** Issued grants by their hash, parsed once: many tokens and every request share the same object. */

import { LRUCache } from 'lru-cache'
import type { Grant } from '../domain/grant.ts'
import type { TokenStore } from './token-store.ts'

export type GrantCache = {
  /** `undefined`: no valid token needs this grant any more, so the store has dropped it. */
  get(hash: string): Grant | undefined
}

/** A grant never changes under its hash, so nothing here has to be invalidated. */
export function createGrantCache(store: TokenStore, size: number): GrantCache {
  const cache = new LRUCache<string, Grant>({ max: size })
  return {
    get(hash) {
      const known = cache.get(hash)
      if (known !== undefined) return known
      const json = store.grant(hash)
      if (json === undefined) return undefined
      const grant: unknown = JSON.parse(json)
      if (!isGrant(grant))
        throw new Error(`The store holds a grant ${hash} of a form this version does not know.`)
      cache.set(hash, grant)
      return grant
    },
  }
}

/** Our own writing, so its version is enough; a later form must never be read as this one. */
function isGrant(value: unknown): value is Grant {
  return (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    value.version === 1 &&
    'boundary' in value &&
    'rules' in value &&
    Array.isArray(value.rules)
  )
}
