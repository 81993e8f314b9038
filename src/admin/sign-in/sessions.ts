/** Sessions of people who signed in: operator tokens that end soon, each begun and ended on record. */

import { Problem } from '../../domain/problem.ts'
import type { Secret } from '../../lib/secret.ts'
import type { OperatorRow } from '../../store/operator-store.ts'
import type { OpenRequest } from '../operation.ts'
import type { Actor } from '../api-users.ts'
import { authorOf, createChanging, toProblem } from '../users/changing.ts'
import type { Person } from './claims.ts'
import type { SignInParts } from './sign-in.ts'

export type Sessions = {
  /** @throws Problem `sign_in_refused`, `audit_unavailable`, `store_unavailable` */
  open(
    from: Pick<OpenRequest, 'requestId' | 'address' | 'agent'>,
    person: Person,
  ): Promise<{ token: Secret; maxAgeS: number }>
  /** @throws Problem `role_forbids` for an operator's own token, `audit_unavailable`, `store_unavailable` */
  close(actor: Actor): Promise<void>
}

type SessionsParts = Pick<SignInParts, 'oidc' | 'sessionMs' | 'operatorTokens' | 'audit' | 'clock'>

export function createSessions(parts: SessionsParts): Sessions {
  const { oidc, sessionMs, operatorTokens, clock } = parts
  const changing = createChanging(parts.audit)

  /** What is done under a name must be one operator's: nobody may choose, at the provider, the name of an automation. */
  async function requireFreeName(name: string): Promise<void> {
    const rows = await operatorTokens.list().catch((error: unknown) => {
      throw toProblem(error)
    })
    if (!rows.some((row) => isLasting(row, clock.now()) && isSameName(row.name, name))) return
    throw new Problem('sign_in_refused', {
      says: 'An operator with a token of its own has your name; one of the two must be another.',
    })
  }

  return {
    async open({ requestId, address, agent }, { name, role, subject }) {
      await requireFreeName(name)
      const expiresAtMs = clock.now() + sessionMs
      const session = { name, role, via: 'oidc', expiresAtMs } as const
      const operator = { name, role, product: undefined, tokenId: '', via: 'oidc' } as const
      const actor: Actor = { operator, requestId, address, agent }
      const end = new Date(expiresAtMs).toISOString()
      const after = { role, via: 'oidc', issuer: oidc.issuer, subject, expires_at: end }
      const change = { change: 'operator.sign_in', target: name, before: undefined, after }
      try {
        return await changing(actor, { ...change, status: 303 }, async () => {
          const { token } = await operatorTokens.create(session, authorOf(actor))
          return { token, maxAgeS: Math.floor(sessionMs / 1000) }
        })
      } catch (error) {
        const problem = Problem.from(error)
        if (problem.code !== 'unprocessable') throw problem
        throw new Problem('sign_in_refused', { says: problem.says, cause: problem.cause })
      }
    },

    async close(actor) {
      const { name, role, tokenId, via } = actor.operator
      if (via !== 'oidc') {
        throw new Problem('role_forbids', {
          says: 'This is a token of your own, not a sign-in; revoke it among the operators.',
        })
      }
      const before = { token: { id: tokenId }, role, via }
      const change = { change: 'operator.sign_out', target: name, before, after: undefined }
      await changing(actor, { ...change, status: 204 }, () =>
        operatorTokens.revoke(tokenId, authorOf(actor)),
      )
    },
  }
}

function isLasting({ via, revokedAtMs, expiresAtMs }: OperatorRow, nowMs: number): boolean {
  return via === 'token' && revokedAtMs === undefined && (expiresAtMs ?? Infinity) > nowMs
}

function isSameName(one: string, other: string): boolean {
  const plain = (name: string) => name.normalize('NFKC').toLowerCase()
  return plain(one) === plain(other)
}
