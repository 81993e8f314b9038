/** Suspends and resumes API users, and rotates, extends and revokes their tokens, wherever they are defined. */

import type { ApiUser } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import type { Actor, ApiUserRecord, ApiUsers } from '../api-users.ts'
import { infoOf, lookAgain } from './afterwards.ts'
import { requireEditor, requireVisible } from './bounds.ts'
import { viewOf, type ChangeView } from './change-views.ts'
import { authorOf, toProblem, type Changing } from './changing.ts'
import type { ApiUsersParts } from './parts.ts'
import { changedTo, type Records } from './records.ts'
import { createTokenBounds } from './token-bounds.ts'
import { iso } from './views.ts'

/** What is another than before. */
type Left = Parameters<typeof changedTo>[1]

export function createLifecycle(
  parts: ApiUsersParts,
  records: Records,
  changing: Changing,
): Pick<ApiUsers, 'suspend' | 'resume' | 'rotate' | 'extend' | 'revoke'> {
  const { store, tokens, clock } = parts
  const bounds = createTokenBounds(parts)

  async function changeable(actor: Actor, name: string): Promise<ApiUserRecord> {
    requireEditor(actor)
    return requireVisible(actor, await records.find(name)).record
  }

  /** `work` says how it leaves the API user. */
  async function change(
    actor: Actor,
    what: string,
    record: ApiUserRecord,
    after: ChangeView,
    work: (by: string) => Promise<Left>,
    status: 200 | 201 = 200,
  ): Promise<ApiUserRecord> {
    const before = viewOf(record)
    const intent = { change: what, target: record.name, before, after, status }
    const left = await changing(actor, intent, () => work(authorOf(actor)))
    return lookAgain(actor, records, changedTo(record, left))
  }

  return {
    async suspend(actor, name, because) {
      const record = await changeable(actor, name)
      if (record.suspended !== undefined) return record
      const atMs = clock.now()
      const suspended = { at: iso(atMs), by: authorOf(actor), because }
      const after = { ...viewOf(record), suspended }
      return change(actor, 'user.suspend', record, after, async (by) => {
        await store.users.suspend(name, because, atMs, by)
        return { suspended: { atMs, by, because } }
      })
    },

    async resume(actor, name) {
      const record = await changeable(actor, name)
      if (record.suspended === undefined) return record
      const { suspended: _, ...after } = viewOf(record)
      return change(actor, 'user.resume', record, after, async (by) => {
        await store.users.resume(name, clock.now(), by)
        return { suspended: undefined }
      })
    },

    async rotate(actor, name) {
      const record = await changeable(actor, name)
      const user = requireInForce(record)
      bounds.requireToken(actor, user)
      const previous = record.token?.state === 'revoked' ? undefined : record.token?.tokenId
      const { issued, kept } = prepare(user, previous)
      const token = { id: issued.tokenId, grant: user.grantHash }
      const what = previous === undefined ? 'token.issue' : 'token.rotate'
      // Kept in the place of the very token that was read: of two who rotate at once one is told so.
      const view = { ...viewOf(record), token }
      const replaced = async (by: string): Promise<Left> => {
        await store.tokens.replace(kept, by)
        return { token: infoOf(kept, clock.now()) }
      }
      const after = await change(actor, what, record, view, replaced, 201)
      return { record: after, token: issued }
    },

    async extend(actor, name) {
      const record = await changeable(actor, name)
      const user = requireInForce(record)
      bounds.requireReach(actor, user)
      const { token } = record
      if (token === undefined || token.state === 'revoked' || token.state === 'expired') {
        throw new Problem('conflict', { says: `${name} has no valid token to extend.` })
      }
      const after = { ...viewOf(record), token: { id: token.tokenId, grant: user.grantHash } }
      return change(actor, 'token.extend', record, after, async (by) => ({
        token: await tokens.extend(user, by),
      }))
    },

    async revoke(actor, name) {
      const record = await changeable(actor, name)
      const { token } = record
      if (token === undefined || token.state === 'revoked') {
        throw new Problem('not_found', { says: `${name} has no token that could be revoked.` })
      }
      const { token: _, ...after } = viewOf(record)
      return change(actor, 'token.revoke', record, after, async (by) => {
        const revoked = await tokens.revoke({ tokenId: token.tokenId }, by)
        if (revoked === undefined) throw new Problem('conflict')
        return { token: revoked }
      })
    },
  }

  function prepare(user: ApiUser, previous: string | undefined) {
    try {
      return tokens.prepare(user, previous)
    } catch (error) {
      throw toProblem(error)
    }
  }
}

/** @throws Problem `conflict` where its definition counts for nothing now */
function requireInForce({ name, user, displacedAtMs, home }: ApiUserRecord): ApiUser {
  if (user !== undefined) return user
  const why =
    home === 'store' && displacedAtMs !== undefined
      ? 'lost its name to the policy files'
      : 'has a definition that does not hold under the policies in force'
  throw new Problem('conflict', { says: `${name} ${why}; update it first.` })
}
