/** One operation of the admin port: what it takes and gives, who may use it, and what it does. The OpenAPI document is made of these. */

import type { z } from '../lib/shape.ts'
import type { OperatorRole } from '../store/operator-store.ts'

/** Who is signed in. */
export type Operator = {
  name: string
  role: OperatorRole
  /** Only what lies inside this product; absent: everything. */
  product: string | undefined
  /** Public id of the token it signed in with. */
  tokenId: string
  via: 'token' | 'oidc'
}

export type AdminRequest = {
  operator: Operator
  /** Decoded path parameters, by name. */
  params: Readonly<Record<string, string>>
  /** Declared keys only; each at most once. */
  query: Readonly<Record<string, string>>
  /** Parsed strictly and checked by the operation's own shape. */
  body: unknown
  ifMatch: string | undefined
  requestId: string
  address: string
  agent: string | undefined
}

/** `body` is sent as JSON; absent: an empty answer. */
export type AdminAnswer = {
  status: number
  body?: unknown
  /** JSON that was written before, in the place of `body`. */
  json?: Uint8Array
  headers?: Readonly<Record<string, string>>
}

export type Operation = {
  /** As `listUsers`: the OpenAPI operationId. */
  id: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** As `/api/users/{name}`. */
  path: string
  tag: string
  summary: string
  description?: string
  /** The least that may use it. Changes need `editor`; operators are managed by `owner`. */
  role: OperatorRole
  /** Shape of errors: RFC 9457 problems, or those of the cloud. */
  errors: 'problem' | 'cloud'
  /** Query keys with their shapes. */
  query?: Readonly<Record<string, z.ZodType>>
  body?: z.ZodType
  /** Updates that must say by If-Match which version they change. */
  conditional?: true
  answers: Readonly<Record<number, { says: string; body?: z.ZodType }>>
  /** @throws Problem */
  handle(request: AdminRequest): Promise<AdminAnswer>
}

/** What needs no credential: health, the OpenAPI document, signing in. Its answers may hold `set-cookie` and `location`. */
export type OpenOperation = Omit<Operation, 'role' | 'conditional' | 'body' | 'handle'> & {
  role: 'none'
  /** @throws Problem */
  handle(request: OpenRequest): Promise<AdminAnswer>
}

export type OpenRequest = Omit<AdminRequest, 'operator' | 'body' | 'ifMatch'> & {
  /** By name; one that comes twice is left out. */
  cookies: Readonly<Record<string, string>>
}

export type AnyOperation = Operation | OpenOperation
