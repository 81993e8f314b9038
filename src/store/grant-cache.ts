/** Issued grants by their hash, parsed once: many tokens and every request share the same object. */

import { LRUCache } from 'lru-cache'
import type { Grant } from '../domain/grant.ts'
import { atMost } from '../lib/at-most.ts'

export type GrantCache = {
  /** @throws Error for a form of grant that this version does not know */
  get(hash: string, json: string): Grant
}

/** A grant never changes under its hash, so nothing here has to be invalidated. */
export function createGrantCache(size: number): GrantCache {
  const cache = new LRUCache<string, Grant>(atMost(size))
  return {
    get(hash, json) {
      const known = cache.get(hash)
      if (known !== undefined) return known
      const grant = parseGrant(json)
      cache.set(hash, grant)
      return grant
    },
  }
}

/** @throws Error for a form of grant that this version does not know */
export function parseGrant(json: string): Grant {
  const grant: unknown = JSON.parse(json)
  if (isGrant(grant)) return grant
  throw new Error('The store holds a grant of a form that this version does not know.')
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
