/** Suspends and resumes API users, and rotates, extends and revokes their tokens, wherever they are defined. */

import type { ApiUser } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import type { Actor, ApiUserRecord, ApiUsers } from '../api-users.ts'
import { requireEditor, requireHeld, requireVisible } from './bounds.ts'
import { viewOf, type ChangeView } from './change-views.ts'
import { authorOf, toProblem, type Changing } from './changing.ts'
import type { ApiUsersParts } from './parts.ts'
import type { Records } from './records.ts'
import { iso } from './views.ts'

export function createLifecycle(
  parts: ApiUsersParts,
  records: Records,
  changing: Changing,
): Pick<ApiUsers, 'suspend' | 'resume' | 'rotate' | 'extend' | 'revoke'> {
  const { store, tokens, clock } = parts

  async function visible(actor: Actor, name: string): Promise<ApiUserRecord> {
    return requireVisible(actor, await records.find(name)).record
  }

  async function changeable(actor: Actor, name: string): Promise<ApiUserRecord> {
    requireEditor(actor)
    return visible(actor, name)
  }

  async function change(
    actor: Actor,
    what: string,
    record: ApiUserRecord,
    after: ChangeView,
    work: (by: string) => Promise<unknown>,
  ): Promise<ApiUserRecord> {
    const before = viewOf(record)
    const intent = { change: what, target: record.name, before, after, status: 200 }
    return changing(actor, intent, async () => {
      await work(authorOf(actor))
      return visible(actor, record.name)
    })
  }

  return {
    async suspend(actor, name, because) {
      const record = await changeable(actor, name)
      if (record.suspended !== undefined) return record
      const atMs = clock.now()
      const suspended = { at: iso(atMs), by: authorOf(actor), because }
      return change(actor, 'user.suspend', record, { ...viewOf(record), suspended }, (by) =>
        store.users.suspend(name, because, atMs, by),
      )
    },

    async resume(actor, name) {
      const record = await changeable(actor, name)
      if (record.suspended === undefined) return record
      const { suspended: _, ...after } = viewOf(record)
      return change(actor, 'user.resume', record, after, (by) =>
        store.users.resume(name, clock.now(), by),
      )
    },

    async rotate(actor, name) {
      const record = await changeable(actor, name)
      const user = requireInForce(record)
      const untilMs = Math.max(user.observeUntilMs ?? 0, parts.observeUntilMs ?? 0)
      requireHeld(actor, untilMs, clock.now())
      const previous = record.token?.state === 'revoked' ? undefined : record.token?.tokenId
      const { issued, kept } = prepare(user, previous)
      const token = { id: issued.tokenId, grant: user.grantHash }
      const what = previous === undefined ? 'token.issue' : 'token.rotate'
      // Kept in the place of the very token that was read: of two who rotate at once one is told so.
      const after = await change(actor, what, record, { ...viewOf(record), token }, (by) =>
        store.tokens.replace(kept, by),
      )
      return { record: after, token: issued }
    },

    async extend(actor, name) {
      const record = await changeable(actor, name)
      const user = requireInForce(record)
      const { token } = record
      if (token === undefined || token.state === 'revoked' || token.state === 'expired') {
        throw new Problem('conflict', { says: `${name} has no valid token to extend.` })
      }
      const after = { ...viewOf(record), token: { id: token.tokenId, grant: user.grantHash } }
      return change(actor, 'token.extend', record, after, (by) => tokens.extend(user, by))
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
