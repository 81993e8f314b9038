/** Asks the cloud about one organization, product or device, as the catalog's `lookup` says, and believes only a fitting answer. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { Resource, ResourceType } from '../domain/access-request.ts'
import type { Catalog, Relation, ResourceSpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { parseAnswer, pickText, unavailable } from './answer-facts.ts'
import { createAttributeReader } from './attributes.ts'
import type { UpstreamCredentials } from './credentials.ts'
import type { OwnSend } from './own-calls.ts'
import { createProductList } from './product-list.ts'
import { createRelations } from './relations.ts'
import type { UpstreamAnswer } from './upstream.ts'

export type FleetType = Exclude<ResourceType, 'none'>

/** What is asked: a resource by id or alias, with the product it must lie in where that is known. */
export type Question = { type: FleetType; idOrAlias: string; product?: string }

/** What the cloud knows. Attributes of a wrong type are left out: conditions see them as absent. */
export type Found = {
  id: string
  organization: string | undefined
  product: string | undefined
  attributes: Readonly<Record<string, unknown>>
}

/** What is asked, and for which API user: whose part of the cloud's quota it costs. */
export type Asking = { target: string; place: Resource; absent: readonly number[]; user: string }

/** One GET with the gate's own credential for that place; `undefined`: one of the statuses that mean "no such thing". */
export type Get = (asking: Asking) => Promise<unknown>

/**
 * Everything resolves `undefined` for what the cloud does not know.
 * @throws Problem `attribute_unavailable` where it cannot say, or answers about something else; `upstream_quota`.
 */
export type DirectoryClient = {
  /** The one spelling under which a question is cached and an answer compared. */
  fold(type: FleetType, idOrAlias: string): string
  /** Of a folded spelling. */
  isId(type: FleetType, folded: string): boolean
  ask(question: Question, user: string): Promise<Found | undefined>
  /** What a list says of one of its items. */
  listed(device: string, product: string, item: unknown): Found
  products(organization: string, user: string): Promise<readonly string[] | undefined>
  /** What a relation's target says: the device's id, or an empty text where the parameter itself is the id. */
  related(
    relation: Relation,
    target: string,
    place: Resource,
    user: string,
  ): Promise<string | undefined>
}

export function createDirectoryClient(parts: {
  catalog: Pick<Catalog, 'resources' | 'routes'>
  credentials: UpstreamCredentials
  send: OwnSend
}): DirectoryClient {
  const { catalog, credentials, send } = parts
  const { organization, product, device } = catalog.resources
  const readers = {
    organization: createAttributeReader(organization.attributes, 'lookup'),
    product: createAttributeReader(product.attributes, 'lookup'),
    device: createAttributeReader(device.attributes, 'lookup'),
  }
  const readItem = createAttributeReader(device.attributes, 'item')

  function fold(type: FleetType, idOrAlias: string): string {
    return canonicalId(catalog.resources[type], idOrAlias) ?? idOrAlias
  }

  const get: Get = async ({ target, place, absent, user }) => {
    let answer: UpstreamAnswer
    try {
      const credential = credentials.for(place)
      const headers = { accept: 'application/json' }
      answer = await send({ method: 'GET', target, headers, body: undefined, credential }, [user])
    } catch (cause) {
      throw isQuota(cause) ? cause : unavailable(cause)
    }
    if (absent.includes(answer.status)) return undefined
    if (answer.status !== 200) throw unavailable(`look-up answered ${answer.status}`)
    return parseAnswer(answer.body)
  }

  async function ask(question: Question, user: string): Promise<Found | undefined> {
    const spec = catalog.resources[question.type]
    const asked = fold(question.type, question.idOrAlias)
    if (!spec.id.test(asked) && !spec.alias?.test(asked)) return undefined
    const target = lookupPath(spec, { ...question, idOrAlias: asked })
    if (target === undefined || spec.lookup === undefined) return undefined
    const { absent } = spec.lookup
    const root = await get({ target, place: resourceOf(question, asked), absent, user })
    return root === undefined ? undefined : read(spec, asked, question, root)
  }

  function read(
    spec: ResourceSpec,
    asked: string,
    { type, product }: Question,
    root: unknown,
  ): Found {
    const pick = spec.lookup?.pick ?? {}
    const id = pickText(root, pick['id'])
    const folded = id === undefined ? undefined : fold(type, id)
    if (folded === undefined || !spec.id.test(folded)) throw unavailable('look-up without an id')
    const byId = spec.id.test(asked)
    const alias = pickText(root, pick['slug'])
    // An answer about another thing would make the gate decide on one resource and the cloud act on another.
    const other = byId ? folded !== asked : alias !== undefined && !sameAlias(spec, alias, asked)
    if (other) throw unavailable('look-up answered about something else')
    // A device that is in no product has its platform's number there, which is no product id.
    const stated = pickText(root, pick['product'])
    const itsProduct =
      stated !== undefined && catalog.resources.product.id.test(stated) ? stated : undefined
    if (product !== undefined && itsProduct !== undefined && itsProduct !== product) {
      throw unavailable('look-up answered from another product')
    }
    return {
      id: folded,
      organization: pickText(root, pick['organization']),
      product: itsProduct ?? product,
      attributes: readers[type](root),
    }
  }

  return {
    fold,
    isId: (type, folded) => catalog.resources[type].id.test(folded),
    ask,
    listed: (id, within, item) => ({
      ...{ id, product: within, organization: undefined },
      attributes: readItem(item),
    }),
    products: createProductList(catalog, get),
    related: createRelations(device, fold, get),
  }
}

/** Not the cloud is at fault, and the caller may come back. */
function isQuota(cause: unknown): boolean {
  return cause instanceof Problem && cause.code === 'upstream_quota'
}

function sameAlias(spec: ResourceSpec, one: string, other: string): boolean {
  return spec.fold === 'lower' ? one.toLowerCase() === other.toLowerCase() : one === other
}

function resourceOf({ type, product }: Question, asked: string): Resource {
  switch (type) {
    case 'organization':
      return { type, organization: asked }
    case 'product':
      return { type, product: asked }
    case 'device':
      return product === undefined ? { type, device: asked } : { type, product, device: asked }
  }
}

/** `undefined`: the catalog has no look-up for this question. */
function lookupPath({ lookup }: ResourceSpec, { type, idOrAlias, product }: Question) {
  const bare = type === 'device' && product === undefined
  const pattern = bare ? lookup?.bare : lookup?.path
  if (pattern === undefined) return undefined
  return pattern.replaceAll(/:(organization|product|device)/g, (_, name: string) =>
    encodeURIComponent(name === type ? idOrAlias : (product ?? '')),
  )
}
