/** Who calls the admin port: an operator by a bearer token, or by the session cookie of a sign-in. */

import { Problem } from '../../domain/problem.ts'
import type { OperatorRole, OperatorRow } from '../../store/operator-store.ts'
import type { OperatorTokens } from '../../store/operator-tokens.ts'
import { parseToken } from '../../store/token-format.ts'
import type { Operator } from '../operation.ts'
import { cookiesOf, countCookies, isSameOrigin } from './cookies.ts'
import type { Failures } from './failures.ts'
import { valuesOf, type Head } from './head.ts'

export type SignOnParts = {
  operatorTokens: Pick<OperatorTokens, 'authenticate'>
  /** Name of the cookie that holds a sign-in; absent: there is none. */
  sessionCookie: string | undefined
  failures: Failures
}

export type SignOn = (head: Head) => Promise<Operator>

/** RFC 6750 §2.1 b64token, one space. */
const bearer = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/i

/**
 * @throws Problem `missing_token`, `invalid_token`, `expired_token`, `several_credentials`, `store_unavailable`,
 * `role_forbids` for a change by a cookie from elsewhere, `over_limit` instead of a refusal where there were too many
 */
export function createSignOn({ operatorTokens, sessionCookie, failures }: SignOnParts): SignOn {
  return async (head) => {
    try {
      const { token, by } = credentialOf(head, sessionCookie)
      const row = await operatorTokens.authenticate(token)
      // A lasting token has no business in a cookie, which a browser sends by itself.
      if (by === 'cookie' && row.via !== 'oidc') throw new Problem('invalid_token')
      if (by === 'cookie' && !isRead(head.method) && !isSameOrigin(head)) {
        throw new Problem('role_forbids', { says: 'A sign-in changes nothing from another page.' })
      }
      return operatorOf(row)
    } catch (error) {
      const problem = Problem.from(error)
      const waitS = problem.status === 401 ? failures.add(head.address) : undefined
      if (waitS === undefined) throw error
      throw new Problem('over_limit', { retryAfterS: waitS, cause: problem })
    }
  }
}

const ranks: Readonly<Record<OperatorRole, number>> = { viewer: 1, editor: 2, owner: 3 }

/** Whether this role is no less than the other. */
export function isAtLeast(role: OperatorRole, least: OperatorRole): boolean {
  return ranks[role] >= ranks[least]
}

/** Public id of a token of ours, for the record of a refusal; a token of another kind has one too. */
export function tokenIdIn(head: Head): string | undefined {
  const [header = ''] = valuesOf(head, 'authorization')
  const parsed = parseToken(bearer.exec(header)?.[1] ?? '', 'o')
  return 'id' in parsed ? parsed.id : undefined
}

function credentialOf(
  head: Head,
  sessionCookie: string | undefined,
): { token: string; by: 'header' | 'cookie' } {
  const headers = valuesOf(head, 'authorization')
  const cookies = sessionCookie === undefined ? 0 : countCookies(head, sessionCookie)
  if (headers.length + cookies > 1) {
    throw new Problem('several_credentials', { says: 'Only one credential may be given.' })
  }
  const [header] = headers
  if (header !== undefined) {
    const token = bearer.exec(header)?.[1]
    if (token === undefined) throw new Problem('invalid_token')
    return { token, by: 'header' }
  }
  const cookie = sessionCookie === undefined ? undefined : cookiesOf(head)[sessionCookie]
  if (cookie === undefined) {
    throw new Problem('missing_token', { says: 'This call needs the token of an operator.' })
  }
  return { token: cookie, by: 'cookie' }
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

function operatorOf({ id, name, role, product, via }: OperatorRow): Operator {
  return { name, role, product, tokenId: id, via }
}
