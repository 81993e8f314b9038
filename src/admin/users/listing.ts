/** Lists of API users: those of the policy files first, then those of the store, each by name; a page at a time. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ApiUser } from '../../domain/grant.ts'
import type { Suspension, UserQuery, UserRow } from '../../store/user-store.ts'
import type { Actor, ApiUserQuery, ApiUserRecord } from '../api-users.ts'
import type { Looks } from '../looks.ts'
import { isVisible, isWithin } from './bounds.ts'
import { oneByOne } from './one-by-one.ts'
import type { ApiUsersParts } from './parts.ts'
import { placeOf, type Found, type Records } from './records.ts'
import { stateOfToken } from './views.ts'

type Suspensions = ReadonlyMap<string, Suspension>
type Window = { offset: number; limit: number }
type Page = { records: ApiUserRecord[]; total: number }
type Sought = Pick<UserQuery, 'search' | 'product' | 'organization' | 'within'>
type State = ApiUserQuery['state']
/** Whether an API user of that name stands as is sought. */
type Stands = (name: string) => boolean

/** Names read at a time where each must be looked at. */
const chunk = 2000

export function createListing(parts: ApiUsersParts, records: Records, looks: Looks) {
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
    // What the store cannot find by an index of its own, each is looked at for.
    return state === undefined && sought.within === undefined
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

  /** Only names are gone through; definitions are read and compiled of what is shown alone. */
  async function byLooking(
    actor: Actor,
    inFiles: readonly ApiUser[],
    suspensions: Suspensions,
    { state, ...sought }: Sought & { state: State },
    { offset, limit }: Window,
  ): Promise<Page> {
    const names = await looks(JSON.stringify([state, sought]), async () => {
      const stands = await standingAs(state, suspensions)
      return {
        inFiles: inFiles.map(({ name }) => name).filter((name) => stands(name)),
        inStore: await namesInStore(sought, state === undefined ? 'all' : 'in_force', stands),
      }
    })
    const own = names.inFiles.slice(offset, offset + limit)
    const from = Math.max(0, offset - names.inFiles.length)
    const others = names.inStore.slice(from, from + limit - own.length)
    const found = [
      ...(await oneByOne(own, (name) => records.find(name))),
      ...(await oneByOne(others, ofStore)),
    ].flatMap((one) => (one !== undefined && isVisible(actor, one) ? [one.record] : []))
    return { records: found, total: names.inFiles.length + names.inStore.length }
  }

  async function ofStore(name: string): Promise<Found | undefined> {
    const row = await store.users.get(name)
    return row?.stored && records.ofStore(row)
  }

  async function namesInStore(
    sought: Sought,
    which: 'all' | 'in_force',
    stands: Stands,
  ): Promise<string[]> {
    const names: string[] = []
    for (let after: string | undefined; ;) {
      const query = { ...sought, ...(after !== undefined && { after }), limit: chunk }
      // oxlint-disable-next-line no-await-in-loop -- one part after the other, so that memory stays flat
      const rows = await store.users.names(query)
      for (const { name, displaced } of rows) {
        if ((which === 'all' || !displaced) && stands(name)) names.push(name)
      }
      after = rows.at(-1)?.name
      if (rows.length < chunk) return names
      // oxlint-disable-next-line no-await-in-loop -- an embedded store answers at once: others want their turn
      await nextTurn()
    }
  }

  async function standingAs(state: State, suspensions: Suspensions): Promise<Stands> {
    if (state === undefined) return () => true
    if (state === 'suspended') return (name) => suspensions.has(name)
    const times = { nowMs: clock.now(), warnBeforeMs }
    const ofState = new Set<string>()
    for (const token of await tokens.list({ live: true })) {
      if (state === 'no_token' || stateOfToken(token, times) === state) ofState.add(token.user)
    }
    return (name) => !suspensions.has(name) && ofState.has(name) === (state !== 'no_token')
  }
}

function rowLike(user: ApiUser) {
  const { name, description = '' } = user
  return { name, description, place: placeOf(user) }
}

/** An operator of one product seeks in no other, and nothing that reaches beyond it. */
function soughtBy(
  { operator: { product: within } }: Actor,
  { search, product, organization }: ApiUserQuery,
): Sought | undefined {
  if (within !== undefined && product !== undefined && product !== within) return undefined
  return {
    ...(search !== undefined && { search }),
    ...(product !== undefined && { product }),
    ...(organization !== undefined && { organization }),
    ...(within !== undefined && { within }),
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
