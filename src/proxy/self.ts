/** Answers about the caller's own token, made here: the cloud would speak of the gate's. */

import type { OutcomeFields } from '../audit/audit-log.ts'
import type { Grant } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import type { Tokens } from '../store/tokens.ts'
import type { Exchange } from './exchange.ts'

export type SelfParts = {
  tokens: Tokens
  /** Today's grant of an API user; undefined: there is no such user any more. */
  grantOf: (principal: Principal) => Grant | undefined
}

export async function selfAnswer(
  exchange: Exchange,
  principal: Principal,
  about: 'user' | 'token' | 'revoke',
  { tokens, grantOf }: SelfParts,
): Promise<OutcomeFields> {
  switch (about) {
    case 'user':
      return exchange.answer(200, { username: principal.user, is_programmatic: true })
    case 'token':
      return exchange.answer(200, {
        expires_at:
          principal.expiresAtMs === undefined
            ? null
            : new Date(principal.expiresAtMs).toISOString(),
        client: 'fleetgate',
        scopes: inBoth(principal.issued, grantOf(principal)),
        orgs: [],
      })
    case 'revoke':
      await tokens.revoke({ tokenId: principal.tokenId }, 'self')
      return exchange.answer(200, { ok: true })
  }
}

/** What the token names is what both its own grant and today's name. */
function inBoth(issued: Grant, today: Grant | undefined): string[] {
  const now = granted(today)
  return [...granted(issued)].filter((action) => now.has(action)).toSorted()
}

function granted(grant: Grant | undefined): Set<string> {
  const cans = grant?.rules.filter(({ effect }) => effect === 'can') ?? []
  return new Set(cans.flatMap(({ actions }) => actions))
}
