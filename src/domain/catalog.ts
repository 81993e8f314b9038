/** What one cloud's API is: routes, actions, scopes, classes, resource types. Loaded by `catalog/`, read by everyone. */

import type { ResourceType } from './access-request.ts'
import type { AnswerSpec, Pattern } from './answer-spec.ts'
import type { FieldWord, Method } from './words.ts'

export type {
  AnswerSpec,
  ItemsSpec,
  ListAnswer,
  Paging,
  Pattern,
  Segment,
  Side,
} from './answer-spec.ts'

export type { FieldWord, Method } from './words.ts'

export type Catalog = {
  name: string
  /** SHA-256 (hex) of the catalog's source text: part of every revision. */
  hash: string
  resources: Readonly<Record<Exclude<ResourceType, 'none'>, ResourceSpec>>
  credentials: CredentialPlaces
  errors: ErrorShape
  /** How events of a stream are told apart. Absent: the API has no streams. */
  events?: EventsSpec
  /** Class name to its sentence for people. */
  classes: ReadonlyMap<string, string>
  actions: ReadonlyMap<string, Action>
  /** Scope name to the names of its actions (one, or its deeds). */
  scopes: ReadonlyMap<string, readonly string[]>
  routes: readonly Route[]
  /** Lower-case names of client headers that go upstream; all others are dropped. */
  forwardHeaders: readonly string[]
  /** Lower-case names of upstream headers that go back to the client beyond the gate's fixed set. */
  returnHeaders: readonly string[]
}

export type ResourceSpec = {
  /** The cloud's words, used as keys of policy files: `product`, `products`. */
  one: string
  many: string
  /** Grammar of a canonical id after `fold`, anchored. */
  id: RegExp
  /** Letter case is folded before matching and deciding. */
  fold: 'lower' | 'none'
  /** Grammar of another spelling (slug, device name) that the directory resolves; absent: ids only. */
  alias?: RegExp
  attributes: ReadonlyMap<string, Attribute>
  /** Keys known in an answer's item of this type; empty: not checked at load. */
  keys: readonly string[]
  lookup?: Lookup
}

/** How the directory asks the cloud about one resource. Patterns are route patterns; picks are dotted paths in the answer. */
export type Lookup = {
  /** With all boundary parameters known, e.g. `/v1/products/:product/devices/:device`. */
  path: string
  /** Device only: without its product, by id or name, e.g. `/v1/devices/:device`. */
  bare?: string
  /** Dotted paths from the answer's root: `id`, and where known `slug`, `organization`, `product`. */
  pick: Readonly<Record<string, string>>
  /** Statuses that mean "no such thing", e.g. 403 and 404. */
  absent: readonly number[]
}

export type AttributeType = 'string' | 'number' | 'boolean' | 'time' | 'strings'

export type Attribute = {
  name: string
  type: AttributeType
  /** Dotted path from the root of the `lookup` answer. */
  from: string
  /** Dotted path from an item of a list of these resources, where it differs from `from`. */
  item?: string
  says: string
}

/** Where a client may put its token. The header is always taken. */
export type CredentialPlaces = {
  /** Name of the query or form parameter, e.g. `access_token`. */
  parameter: string
  query: readonly Method[]
  form: readonly Method[]
}

export type ErrorShape = {
  /** Body template: key to literal text, or `$error`, `$says`, `$code`, `$tell`. */
  body: Readonly<Record<string, string>>
}

/** Each event's data is a JSON object. */
export type EventsSpec = {
  /** Dotted path in the data to the id of the device that sent it, or to a word for another source. */
  source: string
  /** Words that mean: published through the API, or made by the cloud itself. What is neither these nor an id is dropped. */
  api: readonly string[]
  cloud: readonly string[]
}

export type Action = {
  /** `devices.function:call`, `devices:update.name`. */
  name: string
  /** `devices:update`; equals `name` where the scope has one deed. */
  scope: string
  origin: 'cloud' | 'gate'
  classes: readonly string[]
  says: string
  /** Field words that a rule on this action may use. */
  fields: readonly FieldWord[]
  /** Request values that `with` may name. */
  values: ReadonlyMap<string, AttributeType>
  /** `item`: one resource or none. `list`, `stream`: each item or event is decided by itself. */
  shape: 'item' | 'list' | 'stream'
  /** True where one device is acted on; false where a product, an organization or nothing is. */
  onDevice: boolean
  /** May be reached by wildcards for a device-limited API user although it is not about one device. */
  deviceFree: boolean
  /** Attributes of the resource that the action writes. */
  writes: readonly string[]
  /** `nothing`: no list and no look-up shows that it was done, so nothing that is kept of the fleet is read again for it. */
  changes: 'listed' | 'nothing'
}

/** One method and one path pattern: what it means and what is sent on. */
export type Route = {
  /** `GET /v1/products/:product/devices/:device`: unique, stable, written to the audit log. */
  id: string
  method: Method
  pattern: Pattern
  /** Same deed in the form that is sent upstream; equal to `pattern` where there is no better one. */
  upstream: Pattern
  way: 'small' | 'streaming'
  kind: RouteKind
  deeds: readonly Deed[]
  query: ReadonlyMap<string, KeySpec>
  body: BodySpec
  answer: AnswerSpec
  /** Where device ids sit beside the path. Each named device is decided. */
  devices: readonly DevicePlace[]
  /** It names no device, and is about every one of its place. */
  reach?: 'all'
  /** A path parameter that belongs to a device in a way only the cloud knows (a SIM's ICCID, a ledger's scope value). */
  relation?: Relation
}

/** How the directory finds out which device a path parameter belongs to. */
export type Relation = {
  parameter: string
  /** Target to ask, with path parameters of the route: `/v1/products/:product/sims/:iccid`. */
  lookup: string
  /** Dotted paths in the answer where the device's id may stand; the first that is there counts. Empty: the parameter itself is the id. */
  device: readonly string[]
  /** Only an answer that has this text here speaks of a device at all. */
  when?: { at: string; is: string }
  /** Statuses that mean "no such thing", e.g. 403 and 404. */
  absent: readonly number[]
}

/**
 * `upstream`: decided, then sent on. `self`: answered by the gate itself. `refused`: known, and deliberately
 * never served (`why` is for people).
 */
export type RouteKind =
  | { kind: 'upstream' }
  | { kind: 'self'; answer: 'user' | 'token' | 'revoke' }
  | { kind: 'refused'; why: string }

/** One way a route may be meant. All deeds whose selectors match are asked; none matching is `no_deed`. */
export type Deed = {
  action: string
  /** Asked only when one of these body keys is present; empty: always. */
  keys: readonly string[]
  /** Asked only under this request content type (media type only, lower case). */
  contentType?: string
  /** Asked only under this exact `Accept` media type. A deed without it is not asked when another deed's `accept` matches. */
  accept?: string
  /** Field word to where its name stands. `body` needs no entry: it is the body's own keys. */
  fields: Readonly<Partial<Record<FieldWord, ValuePlace>>>
  /** `with` name to where its value stands (first present place wins; two present is `invalid_body`). */
  values: Readonly<Record<string, readonly ValuePlace[]>>
}

export type ValuePlace = {
  in: 'path' | 'query' | 'body'
  key: string
  /** The value is the beginning of names, not one name: asked as `value*`. */
  prefix?: true
}
export type DevicePlace = {
  in: 'query' | 'body'
  key: string
  list: boolean
  /** Where it is not there, the request is about every device of its place. Else: about none beside the others. */
  absent?: 'all'
  /** Other spellings of the key that the API surely reads: it is not absent where one of these is there. */
  or?: readonly string[]
}

/** `list`: JSON array; in a form `key[]=…` or repeated is refused unless `list`. `any`: any JSON, kept as it is. */
export type KeySpec = {
  type: 'string' | 'number' | 'boolean' | 'list' | 'object' | 'any'
  required: boolean
  /** The only values taken, where the cloud hides deeds behind one key; anything else is `invalid_body`. */
  only?: readonly string[]
  /**
   * The key of the answer's items that it filters or sorts by: to whom that key is hidden, this one is refused.
   * By value, where the value says by which key (`only` then has the same values).
   */
  reads?: string | Readonly<Record<string, string>>
}

export type BodySpec =
  | { kind: 'none' }
  | {
      kind: 'fields'
      types: readonly ('json' | 'form')[]
      keys: ReadonlyMap<string, KeySpec>
      optional: boolean
    }
  /** A whole JSON value that is the customer's own (a ledger's data): parsed strictly, sent on re-serialised. */
  | { kind: 'json' }
  /**
   * Streamed; part names matched exactly, or by a trailing `*` for numbered files. `products`: fields that name a
   * product by its id, each within the boundary or the body ends there.
   */
  | {
      kind: 'multipart'
      files: readonly string[]
      fields: readonly string[]
      products: readonly string[]
    }
  /**
   * A multipart body that is read whole, because what is in it is decided: `texts` are files of one value a line,
   * which places in the body see as lists, and `fields` are plain values. Sent on re-serialised.
   */
  | { kind: 'parts'; texts: readonly string[]; fields: readonly string[] }
  /** Streamed as it is under one of these media types. */
  | { kind: 'raw'; types: readonly string[] }
  /** Chosen by content type; the media type of the request picks one. */
  | { kind: 'choice'; of: readonly Exclude<BodySpec, { kind: 'choice' }>[] }
