/** Lists of API users: those of the policy files first, then those of the store, each by name; a page at a time. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ApiUser } from '../../domain/grant.ts'
import type { Suspension, UserQuery, UserRow } from '../../store/user-store.ts'
import type { Actor, ApiUserQuery, ApiUserRecord } from '../api-users.ts'
import { isWithin } from './bounds.ts'
import { oneByOne } from './one-by-one.ts'
import type { ApiUsersParts } from './parts.ts'
import { placeOf, type Found, type Records } from './records.ts'
import { stateOfToken } from './views.ts'

type Suspensions = ReadonlyMap<string, Suspension>
type Window = { offset: number; limit: number }
type Page = { records: ApiUserRecord[]; total: number }
type Sought = Pick<UserQuery, 'search' | 'product' | 'organization'>

/** Rows read at a time where each must be looked at. */
const chunk = 2000

export function createListing(parts: ApiUsersParts, records: Records) {
  const { store, tokens, policy, clock, warnBeforeMs } = parts

  return async function page(actor: Actor, query: ApiUserQuery): Promise<Page> {
    const { state, page: number, perPage } = query
    const sought = soughtBy(actor, query)
    if (sought === undefined) return { records: [], total: 0 }
    const suspensions = await store.users.suspensions()
    const inFiles = [...policy.set.users.values()]
      .filter((user) => isWithin(actor, placeOf(user)) && fits(rowLike(user), sought))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const window = { offset: (number - 1) * perPage, limit: perPage }
    // The store tells neither how a token stands nor what lies wholly inside a product: each is looked at.
    return state === undefined && actor.operator.product === undefined
      ? byOffset(inFiles, suspensions, sought, window)
      : byLooking(actor, inFiles, suspensions, { ...sought, state }, window)
  }

  async function byOffset(
    inFiles: readonly ApiUser[],
    suspensions: Suspensions,
    sought: Sought,
    { offset, limit }: Window,
  ): Promise<Page> {
    const own = inFiles.slice(offset, offset + limit)
    const { rows, total } = await store.users.page({
      ...sought,
      offset: Math.max(0, offset - inFiles.length),
      limit: limit - own.length,
    })
    const found = [
      ...(await oneByOne(own, (user) => records.ofGit(user, suspensions.get(user.name)))),
      ...(await oneByOne(rows, (row) => records.ofStore(row))),
    ]
    return { records: found.map(({ record }) => record), total: inFiles.length + total }
  }

  /** Definitions are compiled for what is shown alone: to look at a hundred thousand would take seconds. */
  async function byLooking(
    actor: Actor,
    inFiles: readonly ApiUser[],
    suspensions: Suspensions,
    { state, ...sought }: Sought & { state: ApiUserQuery['state'] | undefined },
    { offset, limit }: Window,
  ): Promise<Page> {
    const standing = await createStanding(state, suspensions)
    const shown: (() => Promise<Found>)[] = []
    let total = 0
    const take = (show: () => Promise<Found>): void => {
      if (total >= offset && shown.length < limit) shown.push(show)
      total += 1
    }
    for (const user of inFiles) {
      const suspended = suspensions.get(user.name)
      if (standing.fits(user.name, suspended)) take(() => records.ofGit(user, suspended))
    }
    for await (const row of rowsOf(standing.names, sought)) {
      if (!isWithin(actor, row.place)) continue
      if (state !== undefined && row.displacedAtMs !== undefined) continue
      if (standing.fits(row.name, row.suspended)) take(() => records.ofStore(row))
    }
    const found = await oneByOne(shown, (show) => show())
    return { records: found.map(({ record }) => record), total }
  }

  /** Those of few names by their names, else all that are sought. */
  async function* rowsOf(
    names: readonly string[] | undefined,
    sought: Sought,
  ): AsyncGenerator<UserRow> {
    if (names === undefined) yield* allRows(sought)
    for (const name of names ?? []) {
      // oxlint-disable-next-line no-await-in-loop -- an embedded store has nothing to do side by side
      const row = await store.users.get(name)
      if (row?.stored !== undefined && fits(row, sought)) yield row
      // oxlint-disable-next-line no-await-in-loop -- it answers at once: others want their turn
      await nextTurn()
    }
  }

  async function* allRows(sought: Sought): AsyncGenerator<UserRow> {
    for (let offset = 0; ; offset += chunk) {
      // oxlint-disable-next-line no-await-in-loop -- one page after the other, so that memory stays flat
      const { rows } = await store.users.page({ ...sought, offset, limit: chunk })
      yield* rows
      if (rows.length < chunk) return
      // oxlint-disable-next-line no-await-in-loop -- an embedded store answers at once: others want their turn
      await nextTurn()
    }
  }

  async function createStanding(
    state: ApiUserQuery['state'],
    suspensions: Suspensions,
  ): Promise<Standing> {
    if (state === undefined) return { names: undefined, fits: () => true }
    if (state === 'suspended') {
      const names = [...suspensions.keys()].filter((name) => policy.user(name) === undefined)
      return { names, fits: (_name, suspended) => suspended !== undefined }
    }
    const times = { nowMs: clock.now(), warnBeforeMs }
    const all = await tokens.list({ live: true })
    const ofState = new Set<string>()
    for (const token of all) {
      if (state === 'no_token' || stateOfToken(token, times) === state) ofState.add(token.user)
    }
    // Few tokens end at a time; of the valid ones there may be as many as there are API users.
    const isRare = state === 'expired' || state === 'expires_soon'
    const names = [...ofState].filter((name) => policy.user(name) === undefined).toSorted()
    return {
      names: isRare ? names : undefined,
      fits: (name, suspended) =>
        suspended === undefined && ofState.has(name) === (state !== 'no_token'),
    }
  }
}

type Standing = {
  /** All that may fit, of the store; absent: too many to say. */
  names: readonly string[] | undefined
  fits(name: string, suspended: Suspension | undefined): boolean
}

function rowLike(user: ApiUser) {
  const { name, description = '' } = user
  return { name, description, place: placeOf(user) }
}

/** An operator of one product seeks in no other. */
function soughtBy(
  { operator }: Actor,
  { search, product, organization }: ApiUserQuery,
): Sought | undefined {
  const place = operator.product ?? product
  if (product !== undefined && product !== place) return undefined
  return {
    ...(search !== undefined && { search }),
    ...(place !== undefined && { product: place }),
    ...(organization !== undefined && { organization }),
  }
}

function fits(
  { name, description, place }: Pick<UserRow, 'name' | 'description' | 'place'>,
  { search, product, organization }: Sought,
): boolean {
  const text = search?.toLowerCase()
  if (text !== undefined && !`${name}\n${description}`.toLowerCase().includes(text)) return false
  if (product !== undefined && !place.products.includes(product)) return false
  return organization === undefined || place.organization === organization
}
