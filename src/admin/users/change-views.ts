/** What the audit log says of an API user before and after a change; nothing of a token but its public id. */

import type { ApiUser } from '../../domain/grant.ts'
import type { ApiUserRecord } from '../api-users.ts'
import type { Definition } from './definition.ts'
import { at, iso, toBoundaryView, toExpiryView } from './views.ts'

export type ChangeView = Readonly<Record<string, unknown>>

/** As it stands. */
export function viewOf({ home, version, definition, user, token, suspended }: ApiUserRecord) {
  const live = token?.state === 'revoked' ? undefined : token
  return {
    ...{ home, version },
    ...(definition !== undefined && { definition }),
    ...(user !== undefined && grantView(user)),
    ...(live !== undefined && {
      token: { id: live.tokenId, grant: live.grantHash, ...at('expires_at', live.expiresAtMs) },
    }),
    ...(suspended !== undefined && {
      suspended: { at: iso(suspended.atMs), by: suspended.by, because: suspended.because },
    }),
  } satisfies ChangeView
}

/** As it will be once its definition is taken. */
export function definedView(
  version: number,
  definition: Definition,
  user: ApiUser,
  tokenId: string | undefined,
): ChangeView {
  return {
    ...{ home: 'store', version, definition, ...grantView(user) },
    ...(tokenId !== undefined && { token: { id: tokenId, grant: user.grantHash } }),
  }
}

function grantView({ grant, grantHash, expiry, observeUntilMs }: ApiUser): ChangeView {
  return {
    grant: grantHash,
    boundary: toBoundaryView(grant.boundary),
    expiry: toExpiryView(expiry),
    ...at('observe_until', observeUntilMs),
  }
}
