/** All that an API user may do, compiled from the policy files: plain JSON, so that it can be hashed, kept and compared. */

import type { FieldWord } from './catalog.ts'

export type Scalar = string | number | boolean

/** One test on one attribute or request value. Names are the policy language's operators. */
export type Test =
  | { op: '$eq' | '$ne'; value: Scalar }
  | { op: '$in' | '$nin'; values: readonly Scalar[] }
  | { op: '$lt' | '$lte' | '$gt' | '$gte'; value: number | string }
  | { op: '$exists'; value: boolean }
  | { op: '$any' | '$all' | '$only'; values: readonly Scalar[] }

/** Three-valued condition tree. `attribute` reads the resource, `value` reads the request. */
export type Condition =
  | { attribute: string; test: Test }
  | { value: string; test: Test }
  | { and: readonly Condition[] }
  | { or: readonly Condition[] }
  | { not: Condition }

export type Hours = {
  /** 0 = Sunday … 6; absent: every day. */
  days?: readonly number[]
  /** Minutes since midnight in `zone`, end exclusive; a window over midnight has from > to. */
  hours?: { from: number; to: number }
  /** IANA zone. */
  zone: string
  /** `YYYY-MM-DD` in `zone`. */
  notOn?: readonly string[]
}

export type Limit = { calls: number; perS: number }

export type EventSource = 'device' | 'cloud' | 'api'

/** One `can` or `cannot`, with scopes, classes, wildcards and templates resolved. */
export type GrantRule = {
  effect: 'can' | 'cannot'
  /** Action names, sorted. */
  actions: readonly string[]
  /** `where` and `with`, joined. Absent: always. */
  condition?: Condition
  unless?: Condition
  fields?: Readonly<Partial<Record<FieldWord, readonly string[]>>>
  answer?: readonly string[]
  hide?: readonly string[]
  sources?: readonly EventSource[]
  when?: Hours
  limit?: Limit
  /** How old, at most, the facts may be that this rule looks at, milliseconds; it only ever tightens the gate's own limit. */
  maxAgeMs?: number
  because?: string
  tell?: string
  id?: string
  /** Where a person finds it. Not part of the grant's hash. */
  origin: { file: string; line: number; text: string }
}

export type Boundary =
  | { kind: 'organization'; organization: string }
  | { kind: 'products'; products: readonly string[] }

/** Which devices of a product (or of the whole boundary, under `*`). */
export type DeviceLimit = { all: true } | { ids: readonly string[] } | { where: Condition }

export type Grant = {
  version: 1
  user: string
  boundary: Boundary
  /** By product id; `*` for all products of the boundary. Empty: no device action is granted. */
  devices: Readonly<Record<string, DeviceLimit>>
  /** Cans first, then cannots (own, roles', guardrails'); within each by file and position. */
  rules: readonly GrantRule[]
  /** All requests of the API user together. */
  rate?: Limit
  /** CIDR ranges and addresses from which it may call, canonical and sorted; absent: from anywhere. */
  from?: readonly string[]
}

/** How long a token of an API user lives; a plain `never` must have been said. `notBeforeMs`: refused until then. */
export type Expiry = { notBeforeMs?: number } & (
  | { kind: 'never'; idleMs?: number }
  | { kind: 'date'; atMs: number; idleMs?: number }
  | { kind: 'lifetime'; lifetimeMs: number; idleMs?: number }
  | { kind: 'idle'; idleMs: number }
)

/** An API user as the policy files, or its definition in the store, state it. */
export type ApiUser = {
  name: string
  home: 'git' | 'store'
  owner?: string
  description?: string
  expiry: Expiry
  grant: Grant
  /** SHA-256 (hex) of the grant's canonical JSON without origins. */
  grantHash: string
  /** Until then it is observed and not enforced: what would be denied is forwarded, and recorded as `would_deny`. */
  observeUntilMs?: number
  origin: { file: string; line: number }
}

/** An API user that lives in the store: what an operator wrote, as it was written. */
export type StoredDefinition = {
  /** JSON of one entry of a policy file's `users` section, without its name. */
  definition: string
  /** Counts the operators' edits, from 1. */
  version: number
}
