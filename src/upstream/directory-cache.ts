/** The directory: look-ups cached for stated times, asked once at a time, and rationed per API user. */

import type { Resource } from '../domain/access-request.ts'
import type { Clock } from '../domain/clock.ts'
import { parseCloudText } from '../lib/cloud-json.ts'
import type { Directory, Sweep } from './directory.ts'
import type { DirectoryClient, Found, Question } from './directory-client.ts'
import { createForgotten } from './forgotten.ts'
import { createGuesses } from './guesses.ts'
import { createLocate } from './locate.ts'
import { createLookUps } from './look-ups.ts'
import { createPrepare } from './prepare.ts'
import { createRation } from './ration.ts'
import { relationTarget } from './relations.ts'

export type DirectoryOptions = {
  client: DirectoryClient
  clock: Clock
  /** Maximum ages, milliseconds. `places`: what organization or product something is of. */
  ages: { attributesMs: number; placesMs: number; unknownMs: number }
  /** Look-ups that lead nowhere per API user and minute. */
  unknownPerMinute: number
  /** Answers kept. */
  maxEntries: number
  /** Absent: devices are only ever asked for one by one. */
  sweep?: Sweep
  /** Waits for room in the budget of lists; absent: there always is. */
  admit?: (user: string) => Promise<void>
}

/** Written to where it is not known yet which product a device is in. */
const ANY_PRODUCT = 'product/*'

export function createDirectory(options: DirectoryOptions): Directory {
  const { client, clock, ages, maxEntries, admit } = options
  const ration = createRation({ clock, perMinute: options.unknownPerMinute, maxUsers: 10_000 })
  const guesses = createGuesses({ clock, ration, repeatMs: ages.unknownMs, maxTraces: maxEntries })
  const forgotten = createForgotten(maxEntries)
  const common = { clock, forgotten, guesses, ration, unknownMs: ages.unknownMs, maxEntries }
  const facts = createLookUps<Found>({
    ...common,
    namesOf: (key, found) => (found === undefined ? namesInKey(key) : namesOfFound(key, found)),
    nameOf: (found) => found.id,
  })
  const related = createLookUps<string>({
    ...common,
    namesOf: (_, found) => (found === undefined ? [ANY_PRODUCT] : [ANY_PRODUCT, `device/${found}`]),
    nameOf: (found) => found,
  })
  const products = createLookUps<readonly string[]>({
    ...common,
    namesOf: (organization) => [ANY_PRODUCT, `organization/${organization}`],
    nameOf: (found) => `products ${found.join()}`,
  })

  const look = (question: Question, user: string, maxAgeMs: number) =>
    facts.find({ key: keyOf(question), user, maxAgeMs, ask: () => client.ask(question, user) })
  const follow = (question: Question, user: string, maxAgeMs: number) =>
    facts.follow({
      ...{ key: keyOf(question), maxAgeMs, ask: () => client.ask(question, user) },
      ...(admit !== undefined && { admit: () => admit(user) }),
    })
  const place = (question: Question, user: string) => look(question, user, ages.placesMs)
  const limit = (maxAgeMs = Number.POSITIVE_INFINITY) => Math.min(ages.attributesMs, maxAgeMs)

  const directory: Directory = {
    async organization(idOrAlias, user) {
      return (await place({ type: 'organization', idOrAlias }, user))?.id
    },
    async product(idOrAlias, user) {
      const found = await place({ type: 'product', idOrAlias }, user)
      return found && { id: found.id, organization: found.organization }
    },
    async device(idOrAlias, user, maxAgeMs = Number.POSITIVE_INFINITY) {
      const limitMs = Math.min(ages.placesMs, maxAgeMs)
      const found = await look({ type: 'device', idOrAlias }, user, limitMs)
      return found && { id: found.id, product: found.product }
    },
    async products(organization, user) {
      const key = client.fold('organization', organization)
      const ask = () => client.products(key, user)
      return (await products.find({ key, user, maxAgeMs: ages.placesMs, ask })) ?? []
    },
    async related(relation, params, within, user, maxAgeMs) {
      const own = relation.device.length === 0
      const itself = own ? deviceId(params[relation.parameter]) : undefined
      if (own && (itself === undefined || relation.when === undefined)) return itself
      const target = relationTarget(relation, params, within)
      const found = await related.find({
        // The same target may be read in two ways.
        key: JSON.stringify([target, relation.device, relation.when?.at, relation.when?.is]),
        user,
        maxAgeMs: limit(maxAgeMs),
        ask: () => client.related(relation, target, within, user),
      })
      return found === '' ? itself : found
    },
    async attributes(resource, user, maxAgeMs) {
      const question = questionOf(resource)
      if (question === undefined) return {}
      return (await look(question, user, limit(maxAgeMs)))?.attributes ?? {}
    },
    cached(resource, maxAgeMs) {
      const question = questionOf(resource)
      if (question === undefined) return {}
      const entry = facts.peek(keyOf(question), limit(maxAgeMs))
      return entry && (entry.found?.attributes ?? {})
    },
    prepare: (resources, user, maxAgeMs) => prepare(resources, 'user', user, limit(maxAgeMs)),
    named: (resources, user, maxAgeMs) => prepare(resources, 'cloud', user, limit(maxAgeMs)),
    locate: createLocate({
      sweep: options.sweep,
      maxAgeMs: ages.placesMs,
      peek: (device) => directory.placed(device),
      async one(device, user) {
        const found = await follow({ type: 'device', idOrAlias: device }, user, ages.placesMs)
        return found?.id === device ? found.product : undefined
      },
      begin: () => forgotten.now(),
      put(product, device, text, asked) {
        const key = keyOf({ type: 'device', idOrAlias: device })
        facts.put(key, listed(product, device, text), asked)
      },
    }),
    placed(device) {
      const entry = facts.peek(keyOf({ type: 'device', idOrAlias: device }), ages.placesMs)
      return entry && { product: entry.found?.id === device ? entry.found.product : undefined }
    },
    forget({ organization, product, device }) {
      if (device !== undefined) forgotten.mark([`device/${client.fold('device', device)}`])
      else if (product !== undefined) forgotten.mark([`product/${product}`, ANY_PRODUCT])
      else if (organization !== undefined) forgotten.mark([`organization/${organization}`])
    },
    deadEnd({ organization, product, device }, user) {
      const ids = [device, product, organization].filter((id) => id !== undefined)
      guesses.deadEnd(user, ids)
    },
  }

  const prepare = createPrepare({
    sweep: options.sweep,
    peek: (resource, maxAgeMs) => directory.cached(resource, maxAgeMs),
    async one(resource, namedBy, user, maxAgeMs) {
      if (namedBy === 'user') return directory.attributes(resource, user, maxAgeMs)
      const question = questionOf(resource)
      return (question && (await follow(question, user, maxAgeMs)))?.attributes ?? {}
    },
    begin: () => forgotten.now(),
    isWritten: (product, device, moment) =>
      forgotten.since(moment, [`device/${device}`, `product/${product}`]),
    listed: (product, device, text) => listed(product, device, text).attributes,
    put(product, device, text, asked) {
      const key = keyOf({ type: 'device', product, idOrAlias: device })
      const found = listed(product, device, text)
      facts.put(key, found, asked)
      // One and the same object, for whoever compares it with what is in the cache.
      return found.attributes
    },
  })

  function listed(product: string, device: string, text: string): Found {
    return client.listed(device, product, parseCloudText(text))
  }

  /** It is sent on as it was written, so it must be written as it is decided. */
  function deviceId(spelling = ''): string | undefined {
    const isCanonical = client.fold('device', spelling) === spelling
    return isCanonical && client.isId('device', spelling) ? spelling : undefined
  }

  /** A slash is in no id and no alias grammar's way: it cannot join two questions into one. */
  function keyOf({ type, idOrAlias, product }: Question): string {
    return `${type}/${product === undefined ? '' : encodeURIComponent(product)}/${client.fold(type, idOrAlias)}`
  }

  return directory
}

function namesInKey(key: string): string[] {
  const [type = '', product = '', id = ''] = key.split('/')
  if (type !== 'device') return [`${type}/${id}`]
  return [`device/${id}`, product === '' ? ANY_PRODUCT : `product/${decodeURIComponent(product)}`]
}

function namesOfFound(key: string, { id, product }: Found): string[] {
  if (!key.startsWith('device/')) return [`${key.slice(0, key.indexOf('/'))}/${id}`]
  return product === undefined ? [`device/${id}`] : [`device/${id}`, `product/${product}`]
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
