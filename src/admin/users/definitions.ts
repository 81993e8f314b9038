/** Creates, changes and deletes API users that live in the store. */

import { isDeepStrictEqual } from 'node:util'
import type { ApiUser } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import type { TokenInfo } from '../../store/tokens.ts'
import type { NewUser, UserRow } from '../../store/user-store.ts'
import type { Actor, ApiUserRecord, ApiUsers, Changed } from '../api-users.ts'
import { infoOf, lookAgain } from './afterwards.ts'
import {
  isWithin,
  observesLonger,
  requireEditor,
  requireObserver,
  requireVisible,
  requireWithin,
} from './bounds.ts'
import { definedView, viewOf } from './change-views.ts'
import { authorOf, toProblem, type Changing } from './changing.ts'
import { compileDefinition } from './definition.ts'
import type { ApiUsersParts } from './parts.ts'
import { placeOf, type Records } from './records.ts'
import { createTokenBounds } from './token-bounds.ts'

export function createDefinitions(
  parts: ApiUsersParts,
  records: Records,
  changing: Changing,
): Pick<ApiUsers, 'create' | 'update' | 'delete'> {
  const { store, tokens, policy, clock, outsideGit } = parts
  const { requireToken } = createTokenBounds(parts)

  function requireOutsideGit(): void {
    if (outsideGit) return
    throw new Problem('role_forbids', {
      says: 'API users live in the policy files alone here (api_users.outside_git: false).',
    })
  }

  function prepare(actor: Actor, user: ApiUser, previous: string | undefined) {
    requireToken(actor, user)
    try {
      return tokens.prepare(user, previous)
    } catch (error) {
      throw toProblem(error)
    }
  }

  type Made = ReturnType<typeof tokens.prepare> | undefined

  async function afterwards(
    actor: Actor,
    row: UserRow,
    made: Made,
    before: TokenInfo | undefined,
  ): Promise<Changed> {
    const token = made === undefined ? before : infoOf(made.kept, clock.now())
    const left = records.withToken(row, token).record
    return { record: await lookAgain(actor, records, left), token: made?.issued }
  }

  return {
    async create(actor, name, definition, token) {
      requireEditor(actor)
      requireOutsideGit()
      const git = policy.user(name)
      // Where else a name is taken is not for operators of another product.
      if (git !== undefined) throw isWithin(actor, placeOf(git)) ? inFiles(git) : taken(name)
      const { user, text } = compileDefinition(policy, name, definition)
      requireWithin(actor, user)
      requireObserver(actor, undefined, user)
      if ((await records.find(name)) !== undefined) throw taken(name)
      const made = token === 'issue' ? prepare(actor, user, undefined) : undefined
      const after = definedView(1, definition, user, made?.issued.tokenId)
      const intent = { change: 'user.create', target: name, before: undefined, after, status: 201 }
      const row = await changing(actor, intent, () =>
        store.users.create(newUser(user, text, clock.now()), made?.kept, authorOf(actor)),
      )
      return afterwards(actor, row, made, undefined)
    },

    async update(actor, name, definition, ifMatch) {
      requireEditor(actor)
      const { record } = requireVisible(actor, await records.find(name))
      requireStored(record)
      requireOutsideGit()
      requireMatch(record, ifMatch)
      const { user, text } = compileDefinition(policy, name, definition)
      requireWithin(actor, user)
      requireObserver(actor, record.user, user)
      const made = replaces(record, user) ? prepare(actor, user, record.token?.tokenId) : undefined
      const tokenId = made?.issued.tokenId ?? liveOf(record)?.tokenId
      const after = definedView(record.version + 1, definition, user, tokenId)
      const intent = { change: 'user.update', target: name, before: viewOf(record), after }
      const row = await changing(actor, { ...intent, status: 200 }, async () => {
        try {
          const next = newUser(user, text, clock.now())
          return await store.users.update(next, record.version, made?.kept, authorOf(actor))
        } catch (error) {
          throw lost(toProblem(error), ifMatch)
        }
      })
      return afterwards(actor, row, made, record.token)
    },

    async delete(actor, name, ifMatch) {
      requireEditor(actor)
      const { record } = requireVisible(actor, await records.find(name))
      requireStored(record)
      requireMatch(record, ifMatch)
      const before = viewOf(record)
      const intent = { change: 'user.delete', target: name, before, after: undefined, status: 204 }
      return changing(actor, intent, async () => {
        try {
          await store.users.delete(name, record.version, clock.now(), authorOf(actor))
        } catch (error) {
          throw lost(toProblem(error), ifMatch)
        }
      })
    },
  }
}

export function inFiles({ name, origin: { file, line } }: ApiUser): Problem {
  return new Problem('conflict', {
    says: `${name} lives in the policy files, at ${file}:${line}; change it there.`,
  })
}

function taken(name: string): Problem {
  return new Problem('conflict', { says: `There is an API user ${name} already.` })
}

function requireStored({ home, user }: ApiUserRecord): void {
  if (home === 'git' && user !== undefined) throw inFiles(user)
}

function requireMatch({ etag }: ApiUserRecord, ifMatch: string | undefined): void {
  if (ifMatch !== undefined && ifMatch !== etag) throw new Problem('precondition_failed')
}

/** Who said which version was meant hears that it is another one. */
function lost(problem: Problem, ifMatch: string | undefined): Problem {
  const isRace = problem.code === 'conflict' && ifMatch !== undefined
  return isRace ? new Problem('precondition_failed', { cause: problem }) : problem
}

/**
 * A token never gains a right: where the edit changes rights or end, another takes its place. A shorter observation only
 * takes away, and what the policy files have added since its issue stays held back.
 */
function replaces(record: ApiUserRecord, after: ApiUser): boolean {
  const live = liveOf(record)
  if (live === undefined || live.state === 'expired') return false
  const before = record.user
  if (before === undefined || before.grantHash !== after.grantHash) return true
  return !isDeepStrictEqual(before.expiry, after.expiry) || observesLonger(before, after)
}

function liveOf({ token }: ApiUserRecord): TokenInfo | undefined {
  return token?.state === 'revoked' ? undefined : token
}

function newUser(user: ApiUser, definition: string, atMs: number): NewUser {
  const { name, description = '' } = user
  return { name, definition, place: placeOf(user), description, atMs }
}
