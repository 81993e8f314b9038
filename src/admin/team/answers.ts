/** Answers of the team API, in the cloud's shape. */

import type { Catalog } from '../../domain/catalog.ts'
import type { ApiUser } from '../../domain/grant.ts'
import { z } from '../../lib/shape.ts'
import type { IssuedToken } from '../../store/tokens.ts'
import type { ApiUserRecord } from '../api-users.ts'
import { placesOf, type TeamPlace } from './place.ts'

const ok = { ok: z.literal(true) }
const tokens = z
  .array(z.strictObject({ token: z.string() }))
  .meta({ description: 'The one token; shown this once' })
const member = z.strictObject({
  username: z.string(),
  friendly_name: z.string(),
  scopes: z.array(z.string()),
  is_programmatic: z.literal(true),
  product_id: z.union([z.int(), z.string()]).optional(),
})

export const okAnswer = z.strictObject(ok)
export const listAnswer = z.strictObject({ ...ok, team: z.array(member) })
export const createdAnswer = z.strictObject({
  ...ok,
  created: z.strictObject({ username: z.string(), is_programmatic: z.literal(true), tokens }),
})
export const updatedAnswer = z.strictObject({
  ...ok,
  updated: z.strictObject({
    username: z.string(),
    tokens: tokens.optional().meta({ description: 'Where it has a new one' }),
  }),
})

export function toCreated(username: string, { token }: IssuedToken): z.infer<typeof createdAnswer> {
  const shown = [{ token: token.reveal() }]
  return { ok: true, created: { username, is_programmatic: true, tokens: shown } }
}

export function toUpdated(
  username: string,
  issued: IssuedToken | undefined,
): z.infer<typeof updatedAnswer> {
  const shown = issued === undefined ? {} : { tokens: [{ token: issued.token.reveal() }] }
  return { ok: true, updated: { username, ...shown } }
}

/** @param from the place in whose list it was found */
export function toMember(
  record: ApiUserRecord,
  from: TeamPlace,
  catalog: Pick<Catalog, 'resources' | 'scopes'>,
): z.infer<typeof member> {
  const { name, user, definition } = record
  const description = user?.description ?? definition?.['description']
  const isHere = from.kind === 'product'
  const product = isHere
    ? from.id
    : placesOf(record, catalog).find(({ kind }) => kind === 'product')?.id
  return {
    username: name,
    friendly_name: typeof description === 'string' ? description : name,
    scopes: scopesOf(definition?.['scopes']) ?? scopesGranted(user, catalog),
    is_programmatic: true,
    ...(product !== undefined && { product_id: toProductId(product) }),
  }
}

function scopesOf(written: unknown): string[] | undefined {
  const list = typeof written === 'string' ? [written] : written
  if (!Array.isArray(list)) return undefined
  return list.filter((scope) => typeof scope === 'string')
}

/** Of those that are not defined by scopes: each scope of which they may do every deed, if only on some devices. */
function scopesGranted(user: ApiUser | undefined, { scopes }: Pick<Catalog, 'scopes'>): string[] {
  const cans = user?.grant.rules.filter(({ effect }) => effect === 'can') ?? []
  const granted = new Set(cans.flatMap(({ actions }) => actions))
  return [...scopes]
    .filter(([, deeds]) => deeds.length > 0 && deeds.every((deed) => granted.has(deed)))
    .map(([scope]) => scope)
}

/** The cloud writes numbers. */
function toProductId(id: string): number | string {
  const number = Number(id)
  return /^[1-9]\d*$/.test(id) && Number.isSafeInteger(number) ? number : id
}
