/** Answers about the caller's own token, made here: the cloud would speak of the gate's. */

import type { OutcomeFields } from '../audit/audit-log.ts'
import type { Principal } from '../domain/principal.ts'
import type { Tokens } from '../store/tokens.ts'
import type { Exchange } from './exchange.ts'

export function selfAnswer(
  exchange: Exchange,
  principal: Principal,
  about: 'user' | 'token' | 'revoke',
  tokens: Tokens,
): OutcomeFields {
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
        scopes: actionsOf(principal),
        orgs: [],
      })
    case 'revoke':
      tokens.revoke({ tokenId: principal.tokenId })
      return exchange.answer(200, { ok: true })
  }
}

function actionsOf({ issued }: Principal): string[] {
  const cans = issued.rules.filter(({ effect }) => effect === 'can')
  return [...new Set(cans.flatMap(({ actions }) => actions))].toSorted()
}
