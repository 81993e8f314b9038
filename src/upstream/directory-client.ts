/** Asks the cloud about one organization, product or device, as the catalog's `lookup` says, and believes only a fitting answer. */

import type { Resource, ResourceType } from '../domain/access-request.ts'
import type { Attribute, AttributeType, Catalog, ResourceSpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { UpstreamCredentials } from './credentials.ts'
import type { UpstreamAnswer, UpstreamRequest } from './upstream.ts'

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

export type DirectoryClient = {
  /** The one spelling under which a question is cached and an answer compared. */
  fold(type: FleetType, idOrAlias: string): string
  /**
   * Resolves `undefined` for what the cloud does not know.
   * @throws Problem `attribute_unavailable` where it cannot say, or answers about something else.
   */
  ask(question: Question): Promise<Found | undefined>
}

export function createDirectoryClient(parts: {
  catalog: Pick<Catalog, 'resources'>
  credentials: UpstreamCredentials
  send: (request: UpstreamRequest) => Promise<UpstreamAnswer>
}): DirectoryClient {
  const { catalog, credentials, send } = parts

  function fold(type: FleetType, idOrAlias: string): string {
    const spec = catalog.resources[type]
    const folded = spec.fold === 'lower' ? idOrAlias.toLowerCase() : idOrAlias
    return spec.id.test(folded) ? folded : idOrAlias
  }

  async function ask(question: Question): Promise<Found | undefined> {
    const spec = catalog.resources[question.type]
    const asked = fold(question.type, question.idOrAlias)
    if (!spec.id.test(asked) && !spec.alias?.test(asked)) return undefined
    const path = lookupPath(spec, { ...question, idOrAlias: asked })
    if (path === undefined || spec.lookup === undefined) return undefined
    let answer: UpstreamAnswer
    try {
      const credential = credentials.for(resourceOf(question, asked))
      const headers = { accept: 'application/json' }
      answer = await send({ method: 'GET', target: path, headers, body: undefined, credential })
    } catch (cause) {
      throw new Problem('attribute_unavailable', { cause })
    }
    if (spec.lookup.absent.includes(answer.status)) return undefined
    if (answer.status !== 200) throw unavailable(`look-up answered ${answer.status}`)
    return read(spec, asked, question, parse(answer.body))
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
      attributes: readAttributes(spec.attributes, root),
    }
  }

  return { fold, ask }
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

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new Problem('attribute_unavailable', { cause })
  }
}

function readAttributes(
  attributes: ReadonlyMap<string, Attribute>,
  root: unknown,
): Readonly<Record<string, unknown>> {
  const read: Record<string, unknown> = {}
  for (const { name, type, from } of attributes.values()) {
    const value = typed(at(root, from), type)
    if (value !== undefined) read[name] = value
  }
  return read
}

/** The value if it is of the catalog's type, else nothing. */
function typed(value: unknown, type: AttributeType): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'time':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
        ? value
        : undefined
  }
}

/** Ids are strings inside the gate; clouds also write them as whole numbers. */
function pickText(root: unknown, path: string | undefined): string | undefined {
  const value = path === undefined ? undefined : at(root, path)
  if (typeof value === 'string' && value !== '') return value
  return Number.isSafeInteger(value) ? String(value) : undefined
}

function at(root: unknown, path: string): unknown {
  let found = root
  for (const key of path.split('.')) {
    if (!isRecord(found) || !Object.hasOwn(found, key)) return undefined
    found = found[key]
  }
  return found
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function unavailable(cause: string): Problem {
  return new Problem('attribute_unavailable', { cause })
}
