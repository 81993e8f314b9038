/** A directory over a cloud that answers as it is told: which calls it makes, and what it believes. */

import type { Attribute, AttributeType, ResourceSpec, Route } from '../../src/domain/catalog.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createCredentials } from '../../src/upstream/credentials.ts'
import { createDirectory } from '../../src/upstream/directory-cache.ts'
import { createDirectoryClient } from '../../src/upstream/directory-client.ts'
import type { Sweep } from '../../src/upstream/directory.ts'

export const id = '0123456789abcdef01234567'
const attribute = (name: string, type: AttributeType, from: string): [string, Attribute] => [
  name,
  { name, type, from, says: '' },
]

const resources: Record<'organization' | 'product' | 'device', ResourceSpec> = {
  organization: {
    one: 'organization',
    many: 'organizations',
    id: /^[0-9a-f]{24}$/,
    fold: 'lower',
    alias: /^[a-z][a-z0-9-]*$/,
    attributes: new Map(),
    keys: [],
    lookup: {
      path: '/v1/orgs/:organization',
      pick: { id: 'organization.id', slug: 'organization.slug' },
      absent: [403, 404],
    },
  },
  product: {
    one: 'product',
    many: 'products',
    // 0 stands for a platform id: a number that is no product's.
    id: /^[1-9]\d{0,8}$/,
    fold: 'none',
    alias: /^[a-z][a-z0-9-]*$/,
    attributes: new Map(),
    keys: [],
    lookup: {
      path: '/v1/products/:product',
      pick: { id: 'product.id', slug: 'product.slug', organization: 'product.organization' },
      absent: [404],
    },
  },
  device: {
    one: 'device',
    many: 'devices',
    id: /^[0-9a-f]{24}$/,
    fold: 'lower',
    alias: /^[\w -]{1,64}$/,
    attributes: new Map([
      attribute('groups', 'strings', 'groups'),
      attribute('firmware_version', 'number', 'firmware.version'),
      attribute('online', 'boolean', 'online'),
      attribute('last_heard', 'time', 'last_heard'),
      attribute('name', 'string', 'name'),
    ]),
    keys: [],
    lookup: {
      path: '/v1/products/:product/devices/:device',
      bare: '/v1/devices/:device',
      pick: { id: 'id', product: 'product_id' },
      absent: [403, 404],
    },
  },
}

export type Answer = { status: number; json: unknown } | Error

type Options = {
  perMinute?: number
  routes?: readonly Route[]
  sweep?: Sweep
  maxEntries?: number
  admit?: (user: string) => Promise<void>
}

/** A directory over a cloud of scripted answers, with a clock that is moved by hand. */
export function aDirectory(answers: Record<string, Answer>, options: Options = {}) {
  const { perMinute = 3, routes = [], sweep, maxEntries = 1000, admit } = options
  let nowMs = 0
  const asked: string[] = []
  let gate: Promise<void> = Promise.resolve()
  const client = createDirectoryClient({
    catalog: { resources, routes },
    credentials: createCredentials({ default: new Secret('c') }),
    async send({ target }) {
      asked.push(target)
      await gate
      const answer = answers[target] ?? { status: 404, json: {} }
      if (answer instanceof Error) throw answer
      return { status: answer.status, headers: {}, body: Buffer.from(JSON.stringify(answer.json)) }
    },
  })
  const directory = createDirectory({
    client,
    clock: { now: () => nowMs, monotonic: () => nowMs },
    ages: { attributesMs: 60_000, placesMs: 300_000, unknownMs: 10_000 },
    unknownPerMinute: perMinute,
    maxEntries,
    ...(sweep !== undefined && { sweep }),
    ...(admit !== undefined && { admit }),
  })
  return {
    directory,
    answers,
    asked,
    pass: (ms: number) => {
      nowMs += ms
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
  }
}

export const device = { type: 'device', product: '1', device: id } as const
export const devicePath = `/v1/products/1/devices/${id}`
/** What the cloud says of the device `id` in product 1. */
export const found = (json: object) => ({ status: 200, json: { id, product_id: 1, ...json } })
