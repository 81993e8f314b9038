/** Creates, changes and deletes API users that live in the store. */

import { isDeepStrictEqual } from 'node:util'
import type { ApiUser } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import type { TokenInfo } from '../../store/tokens.ts'
import type { NewUser } from '../../store/user-store.ts'
import type { Actor, ApiUserRecord, ApiUsers, Changed } from '../api-users.ts'
import {
  observesLonger,
  requireEditor,
  requireHeld,
  requireObserver,
  requireVisible,
  requireWithin,
} from './bounds.ts'
import { definedView, viewOf } from './change-views.ts'
import { authorOf, toProblem, type Changing } from './changing.ts'
import { compileDefinition } from './definition.ts'
import type { ApiUsersParts } from './parts.ts'
import { placeOf, type Records } from './records.ts'

export function createDefinitions(
  parts: ApiUsersParts,
  records: Records,
  changing: Changing,
): Pick<ApiUsers, 'create' | 'update' | 'delete'> {
  const { store, tokens, policy, clock, outsideGit } = parts

  function requireOutsideGit(): void {
    if (outsideGit) return
    throw new Problem('role_forbids', {
      says: 'API users live in the policy files alone here (api_users.outside_git: false).',
    })
  }

  /** A token of somebody under observation is not held to a product. */
  function requireTokenHeld(actor: Actor, user: ApiUser): void {
    const untilMs = Math.max(user.observeUntilMs ?? 0, parts.observeUntilMs ?? 0)
    requireHeld(actor, untilMs, clock.now())
  }

  function prepare(actor: Actor, user: ApiUser, previous: string | undefined) {
    requireTokenHeld(actor, user)
    try {
      return tokens.prepare(user, previous)
    } catch (error) {
      throw toProblem(error)
    }
  }

  async function afterwards(name: string): Promise<ApiUserRecord> {
    const found = await records.find(name)
    // Deleted by somebody else in the same moment.
    if (found === undefined) throw new Problem('conflict')
    return found.record
  }

  return {
    async create(actor, name, definition, token) {
      requireEditor(actor)
      requireOutsideGit()
      const git = policy.user(name)
      if (git !== undefined) throw inFiles(git)
      const { user, text } = compileDefinition(policy, name, definition)
      requireWithin(actor, user)
      requireObserver(actor, undefined, user)
      if ((await records.find(name)) !== undefined) throw taken(name)
      const made = token === 'issue' ? prepare(actor, user, undefined) : undefined
      const after = definedView(1, definition, user, made?.issued.tokenId)
      const intent = { change: 'user.create', target: name, before: undefined, after, status: 201 }
      return changing(actor, intent, async (): Promise<Changed> => {
        const row = newUser(user, text, clock.now())
        await store.users.create(row, made?.kept, authorOf(actor))
        return { record: await afterwards(name), token: made?.issued }
      })
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
      return changing(actor, { ...intent, status: 200 }, async (): Promise<Changed> => {
        const row = newUser(user, text, clock.now())
        try {
          await store.users.update(row, record.version, made?.kept, authorOf(actor))
        } catch (error) {
          throw lost(toProblem(error), ifMatch)
        }
        return { record: await afterwards(name), token: made?.issued }
      })
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
