/** The product or organization whose team is spoken of, and which API users are of it. */

import { canonicalId } from '../../domain/canonical-id.ts'
import type { Catalog } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { Actor, ApiUserRecord } from '../api-users.ts'
import { authorOf } from '../users/changing.ts'

export type TeamKind = 'product' | 'organization'
export type TeamPlace = { kind: TeamKind; id: string }

export type TeamPlaces = {
  /** @throws Problem `not_found` for what the cloud does not know, or what lies beyond the operator's product */
  find(actor: Actor, kind: TeamKind, idOrSlug: string): Promise<TeamPlace>
  /** The same, but an id is taken as it is: to take rights away must not hang on whether the cloud answers. */
  findKnown(actor: Actor, kind: TeamKind, idOrSlug: string): Promise<TeamPlace>
  /** The place itself, and of an organization the products that it owns. */
  within(actor: Actor, place: TeamPlace): Promise<readonly TeamPlace[]>
  /** @throws Problem `not_found` where the API user is of another team */
  requireMember(actor: Actor, place: TeamPlace, record: ApiUserRecord): Promise<void>
}

export type TeamPlacesParts = {
  catalog: Pick<Catalog, 'resources'>
  directory: Pick<Directory, 'organization' | 'product' | 'products'>
}

export function createTeamPlaces({ catalog, directory }: TeamPlacesParts): TeamPlaces {
  async function look(actor: Actor, kind: TeamKind, idOrSlug: string): Promise<TeamPlace> {
    const by = authorOf(actor)
    const id =
      kind === 'product'
        ? (await directory.product(idOrSlug, by))?.id
        : await directory.organization(idOrSlug, by)
    if (id === undefined) throw nowhere(kind)
    return { kind, id }
  }

  async function within(actor: Actor, place: TeamPlace): Promise<readonly TeamPlace[]> {
    if (place.kind === 'product') return [place]
    const products = await directory.products(place.id, authorOf(actor))
    return [place, ...products.map((id) => ({ kind: 'product' as const, id }))]
  }

  return {
    find: async (actor, kind, idOrSlug) => requireOpen(actor, await look(actor, kind, idOrSlug)),
    async findKnown(actor, kind, idOrSlug) {
      const id = canonicalId(catalog.resources[kind], idOrSlug)
      const place = id === undefined ? await look(actor, kind, idOrSlug) : { kind, id }
      return requireOpen(actor, place)
    },
    within,
    async requireMember(actor, place, record) {
      const own = placesOf(record, catalog)
      const isOf = (one: TeamPlace) =>
        own.some(({ kind, id }) => kind === one.kind && id === one.id)
      if (isOf(place)) return
      const isBelow = place.kind === 'organization' && own.some(({ kind }) => kind === 'product')
      if (isBelow && (await within(actor, place)).some(isOf)) return
      throw noMember()
    },
  }
}

/** Where an API user stands; of one whose definition does not hold any more, as the definition has it. */
export function placesOf(
  { user, definition = {} }: Pick<ApiUserRecord, 'user' | 'definition'>,
  { resources: { product, organization } }: Pick<Catalog, 'resources'>,
): readonly TeamPlace[] {
  const boundary = user?.grant.boundary
  if (boundary?.kind === 'organization') {
    return [{ kind: 'organization', id: boundary.organization }]
  }
  const products = boundary?.products ?? [definition[product.one], definition[product.many]].flat()
  const places = products.map((id) => ({ kind: 'product' as const, id: textOf(id) }))
  const owner = { kind: 'organization' as const, id: textOf(definition[organization.one]) }
  return (boundary === undefined ? [...places, owner] : places).filter(({ id }) => id !== '')
}

export function noMember(): Problem {
  return new Problem('not_found', { says: 'There is no such API user in this team.' })
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** Whoever administers one product knows of no other team. */
function requireOpen({ operator: { product } }: Actor, place: TeamPlace): TeamPlace {
  if (product === undefined) return place
  if (place.kind === 'product' && place.id === product) return place
  throw nowhere(place.kind)
}

function nowhere(kind: TeamKind): Problem {
  const says = kind === 'product' ? 'Product not found.' : 'Organization not found.'
  return new Problem('not_found', { says })
}
