/** The directory: look-ups cached for stated times, asked once at a time, and rationed per API user. */

import { LRUCache } from 'lru-cache'
import type { Resource } from '../domain/access-request.ts'
import type { Clock } from '../domain/clock.ts'
import type { Directory } from './directory.ts'
import type { DirectoryClient, Found, Question } from './directory-client.ts'
import { createRation } from './ration.ts'

export type DirectoryOptions = {
  client: DirectoryClient
  clock: Clock
  /** Maximum ages, milliseconds. `places`: what organization or product something is of. */
  ages: { attributesMs: number; placesMs: number; unknownMs: number }
  /** Look-ups of unknown things per API user and minute. */
  unknownPerMinute: number
  /** Answers kept. */
  maxEntries: number
}

type Entry = { found: Found | undefined; atMs: number }
type Age = 'attributesMs' | 'placesMs'

export function createDirectory(options: DirectoryOptions): Directory {
  const { client, clock, ages } = options
  const cache = new LRUCache<string, Entry>({ max: options.maxEntries })
  const underWay = new Map<string, Promise<Found | undefined>>()
  const ration = createRation({ clock, perMinute: options.unknownPerMinute, maxUsers: 10_000 })

  function fresh(key: string, age: Age): Entry | undefined {
    const entry = cache.get(key)
    if (entry === undefined) return undefined
    const limitMs = entry.found === undefined ? ages.unknownMs : ages[age]
    return clock.monotonic() - entry.atMs < limitMs ? entry : undefined
  }

  async function look(question: Question, user: string, age: Age): Promise<Found | undefined> {
    const key = keyOf(client, question)
    const entry = fresh(key, age)
    if (entry !== undefined) return entry.found
    return ration.spend(user, async () => {
      // The ration may have kept us waiting.
      const since = fresh(key, age)
      if (since !== undefined) return { found: since.found, cost: 0 }
      const running = underWay.get(key)
      if (running !== undefined) return { found: await running, cost: 0 }
      return { found: await ask(key, question), cost: 1 }
    })
  }

  async function ask(key: string, question: Question): Promise<Found | undefined> {
    // The age counts from before the question: the answer may have been written then.
    const atMs = clock.monotonic()
    const started = client.ask(question)
    underWay.set(key, started)
    try {
      const found = await started
      // Not kept where a write was seen passing meanwhile. A failure is never kept.
      if (underWay.get(key) === started) cache.set(key, { found, atMs })
      return found
    } finally {
      if (underWay.get(key) === started) underWay.delete(key)
    }
  }

  function drop(question: Question): void {
    const key = keyOf(client, question)
    cache.delete(key)
    underWay.delete(key)
  }

  return {
    async organization(idOrAlias, user) {
      return (await look({ type: 'organization', idOrAlias }, user, 'placesMs'))?.id
    },
    async product(idOrAlias, user) {
      const found = await look({ type: 'product', idOrAlias }, user, 'placesMs')
      return found && { id: found.id, organization: found.organization }
    },
    async device(idOrAlias, user) {
      const found = await look({ type: 'device', idOrAlias }, user, 'placesMs')
      return found && { id: found.id, product: found.product }
    },
    async attributes(resource, user) {
      const question = questionOf(resource)
      if (question === undefined) return {}
      return (await look(question, user, 'attributesMs'))?.attributes ?? {}
    },
    cached(resource) {
      const question = questionOf(resource)
      if (question === undefined) return {}
      const entry = fresh(keyOf(client, question), 'attributesMs')
      return entry && (entry.found?.attributes ?? {})
    },
    forget(resource) {
      const question = questionOf(resource)
      if (question === undefined) return
      drop(question)
      if (question.product !== undefined) drop({ type: 'device', idOrAlias: question.idOrAlias })
    },
  }
}

function questionOf(resource: Resource): Question | undefined {
  const { type, organization, product, device } = resource
  switch (type) {
    case 'organization':
      return organization === undefined ? undefined : { type, idOrAlias: organization }
    case 'product':
      return product === undefined ? undefined : { type, idOrAlias: product }
    case 'device':
      if (device === undefined) return undefined
      return product === undefined
        ? { type, idOrAlias: device }
        : { type, idOrAlias: device, product }
    case 'none':
      return undefined
  }
}

function keyOf(client: DirectoryClient, { type, idOrAlias, product }: Question): string {
  // A slash is in no id and no alias grammar's way: it cannot join two questions into one.
  return `${type}/${product === undefined ? '' : encodeURIComponent(product)}/${client.fold(type, idOrAlias)}`
}
