/** The work behind the team API: API users of one product or organization, said in the cloud's words. */

import { Problem } from '../../domain/problem.ts'
import type { RandomBytes } from '../../store/token-format.ts'
import type { IssuedToken } from '../../store/tokens.ts'
import type { Actor, ApiUserRecord, ApiUsers } from '../api-users.ts'
import type { TeamChange, TeamDefinitions } from './definition.ts'
import { noMember, type TeamKind, type TeamPlace, type TeamPlaces } from './place.ts'
import { untilItHolds } from './retry.ts'
import { makeUsername } from './username.ts'

/** Which team, as the path has it. */
export type TeamName = { kind: TeamKind; text: string }

export type Team = {
  list(actor: Actor, team: TeamName): Promise<{ record: ApiUserRecord; from: TeamPlace }[]>
  create(
    actor: Actor,
    team: TeamName,
    friendlyName: string,
    scopes: readonly string[],
  ): Promise<{ username: string; token: IssuedToken }>
  /** `token`: where it has a new one; the old one is dead then. */
  update(
    actor: Actor,
    team: TeamName,
    username: string,
    change: TeamChange,
  ): Promise<IssuedToken | undefined>
  regenerate(actor: Actor, team: TeamName, username: string): Promise<IssuedToken>
  delete(actor: Actor, team: TeamName, username: string): Promise<void>
}

export type TeamParts = {
  apiUsers: Pick<ApiUsers, 'get' | 'page' | 'create' | 'update' | 'rotate' | 'delete'>
  places: TeamPlaces
  definitions: TeamDefinitions
  random: RandomBytes
}

const perPage = 100
/** The cloud's list has no pages; a longer one would hold up everybody. */
const maxListed = 5000

export function createTeam({ apiUsers, places, definitions, random }: TeamParts): Team {
  /** @throws Problem `not_found` */
  async function memberOf(
    actor: Actor,
    { kind, text }: TeamName,
    username: string,
  ): Promise<ApiUserRecord> {
    const place = await places.findKnown(actor, kind, text)
    const record = await apiUsers.get(actor, username).catch((error: unknown) => {
      throw error instanceof Problem && error.code === 'not_found' ? noMember() : error
    })
    await places.requireMember(actor, place, record)
    return record
  }

  async function pagesOf(actor: Actor, place: TeamPlace): Promise<ApiUserRecord[]> {
    const records: ApiUserRecord[] = []
    for (let page = 1; ; page++) {
      const query = { [place.kind]: place.id, page, perPage }
      // oxlint-disable-next-line no-await-in-loop -- one after the other, so that memory stays flat
      const found = await apiUsers.page(actor, query)
      if (found.total > maxListed) throw tooMany()
      records.push(...found.records)
      if (page * perPage >= found.total) return records
    }
  }

  return {
    async list(actor, { kind, text }) {
      const place = await places.find(actor, kind, text)
      const listed = new Map<string, { record: ApiUserRecord; from: TeamPlace }>()
      for (const from of await places.within(actor, place)) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other, so that memory stays flat
        for (const record of await pagesOf(actor, from)) {
          // Of the store, and its name is another's now: the other one counts.
          if (record.home === 'store' && record.displacedAtMs !== undefined) continue
          if (!listed.has(record.name)) listed.set(record.name, { record, from })
        }
        if (listed.size > maxListed) throw tooMany()
      }
      return [...listed.values()]
    },

    async create(actor, { kind, text }, friendlyName, scopes) {
      definitions.requireExpiry()
      definitions.checkScopes(scopes)
      const place = await places.find(actor, kind, text)
      const definition = definitions.create(actor.operator.name, place, friendlyName, scopes)
      return untilItHolds(async () => {
        const username = makeUsername(friendlyName, random)
        const { token } = await apiUsers.create(actor, username, definition, 'issue')
        if (token === undefined) throw new Error('An API user was made without its token.')
        return { username, token }
      })
    },

    async update(actor, team, username, change) {
      definitions.requireExpiry()
      definitions.checkScopes(change.scopes ?? [])
      let isDue = false
      return untilItHolds(async () => {
        const record = await memberOf(actor, team, username)
        requireStored(record)
        const { definition, rights } = definitions.change(record, change)
        const { token } = await apiUsers.update(actor, username, definition, record.etag)
        if (rights === 'other') isDue = true
        if (token !== undefined || !isDue) return token
        // It had none that could be replaced, and a change of scopes answers with one.
        return (await apiUsers.rotate(actor, username)).token
      })
    },

    regenerate: (actor, team, username) =>
      untilItHolds(async () => {
        await memberOf(actor, team, username)
        return (await apiUsers.rotate(actor, username)).token
      }),

    delete: (actor, team, username) =>
      untilItHolds(async () => {
        const record = await memberOf(actor, team, username)
        requireStored(record)
        await apiUsers.delete(actor, username, record.etag)
      }),
  }
}

function requireStored({ name, home, user }: ApiUserRecord): void {
  if (home === 'store') return
  const place = user === undefined ? '' : `, at ${user.origin.file}:${user.origin.line}`
  throw new Problem('role_forbids', {
    says: `${name} lives in the policy files${place}; change it there.`,
  })
}

function tooMany(): Problem {
  return new Problem('invalid_request', {
    says: `This team has more than ${maxListed} API users; list them by pages at /api/users.`,
  })
}
