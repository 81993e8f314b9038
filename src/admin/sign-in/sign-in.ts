/** Sign-in by OpenID Connect and sign-out, as operations of the admin port: who comes through holds a short-lived operator token in a cookie. */

import type { AuditLog, RejectFields } from '../../audit/audit-log.ts'
import { callbackPath as callback } from '../../config/accounts-shape.ts'
import type { OidcConfig } from '../../config/config.ts'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { Log } from '../../lib/log.ts'
import { createSeldom } from '../../lib/seldom.ts'
import { z } from '../../lib/shape.ts'
import type { OperatorTokens } from '../../store/operator-tokens.ts'
import type { RandomBytes } from '../../store/token-format.ts'
import type { AnyOperation, OpenOperation, OpenRequest, Operation } from '../operation.ts'
import { personOf } from './claims.ts'
import { cookiesFor } from './cookies.ts'
import { createLoginSeal, loginMaxAgeMs } from './login-cookie.ts'
import { isHttpsOrLoopback } from '../../lib/http-url.ts'
import { createProvider } from './provider.ts'
import { createSessions } from './sessions.ts'

export type SignInParts = {
  oidc: OidcConfig
  /** How long a session lasts. */
  sessionMs: number
  operatorTokens: Pick<OperatorTokens, 'create' | 'revoke' | 'list'>
  audit: Pick<AuditLog, 'change' | 'reject'>
  clock: Clock
  random: RandomBytes
  log: Pick<Log, 'warn'>
}

export type SignIn = {
  operations: readonly AnyOperation[]
  /** Name of the cookie that holds the token of a session. */
  sessionCookie: string
}

/** Where people are sent afterwards; a fixed place, so that no link can send them elsewhere. */
const home = '/api/whoami'
const warnEveryMs = 10_000

/** RFC 6749 §4.1.2, RFC 9207 §2, and what providers are known to add. */
const answerKeys = [
  ...['code', 'state', 'iss', 'error', 'error_description', 'error_uri', 'error_subtype'],
  ...['session_state', 'scope', 'authuser', 'hd', 'prompt', 'client_info'],
]
const ownKeys = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri']
const base = { tag: 'Sign-in', errors: 'problem' } as const
const open = { ...base, role: 'none', method: 'GET' } as const

/** @throws Error, with the key of the configuration, where the provider or the way back is neither https nor on this machine */
export function createSignIn(parts: SignInParts): SignIn {
  const { oidc, audit, clock, random, log } = parts
  for (const [key, url] of [
    ['issuer', oidc.issuer],
    ['redirect_uri', oidc.redirectUri],
  ] as const) {
    if (isHttpsOrLoopback(url)) continue
    throw new Error(`operators.oidc.${key} must be https; http is for loopback addresses alone`)
  }
  const cookies = cookiesFor(oidc.redirectUri)
  const provider = createProvider({ oidc, clock, random })
  const seal = createLoginSeal(oidc.clientSecret, `${oidc.issuer}\n${oidc.clientId}`, random)
  const sessions = createSessions(parts)
  const seldom = createSeldom(clock, warnEveryMs)

  /** Refusals are on record; why, for whoever runs the gate, is in its log. */
  async function refusing<T>(path: string, request: OpenRequest, work: () => Promise<T>) {
    try {
      return await work()
    } catch (error) {
      const problem = Problem.from(error)
      const { requestId, address, agent } = request
      const { code: reason, status, cause } = problem
      const envelope = { atMs: clock.now(), method: 'GET', rawTarget: path, port: 'admin' } as const
      const row: RejectFields = { ...envelope, requestId, address, agent, reason, status }
      audit.reject(row)
      seldom(reason, (skipped) => {
        const because = typeof cause === 'string' ? cause : problem.says
        log.warn('a sign-in failed', {
          code: reason,
          because,
          address,
          request: requestId,
          skipped,
        })
      })
      throw problem
    }
  }

  const begin: OpenOperation = {
    ...open,
    ...{ id: 'signIn', path: '/sign-in' },
    summary: 'Sign in with the provider: leads there',
    answers: { 303: { says: 'To the provider' } },
    handle: (request) =>
      refusing('/sign-in', request, async () => {
        const { url, login } = await provider.begin()
        const sealed = seal.seal(login, clock.now())
        const cookie = cookies.set(cookies.login, sealed, loginMaxAgeMs / 1000)
        return { status: 303, headers: { location: url, 'set-cookie': cookie } }
      }),
  }

  const finish: OpenOperation = {
    ...open,
    ...{ id: 'signInCallback', path: callback },
    summary: 'Where the provider sends people back to',
    query: Object.fromEntries(answerKeys.map((key) => [key, z.string().max(4096)])),
    answers: { 303: { says: 'Signed in, by a cookie' } },
    handle: (request) =>
      refusing(callback, request, async () => {
        const login = seal.open(request.cookies[cookies.login] ?? '', clock.now())
        if (login === undefined) {
          const says =
            'This sign-in was not begun in this browser, or too long ago: begin again at /sign-in.'
          throw new Problem('sign_in_refused', { says })
        }
        const given = Object.entries(request.query).filter(([key]) => ownKeys.includes(key))
        const claims = await provider.finish(Object.fromEntries(given), login)
        const { token, maxAgeS } = await sessions.open(request, personOf(claims, oidc))
        const cookie = cookies.set(cookies.session, token.reveal(), maxAgeS)
        return { status: 303, headers: { location: home, 'set-cookie': cookie } }
      }),
  }

  const end: Operation = {
    ...base,
    ...{ id: 'signOut', method: 'POST', path: '/sign-out', role: 'viewer' },
    summary: 'End this session; its cookie is dead',
    answers: { 204: { says: 'Signed out' } },
    async handle(request) {
      await sessions.close(request)
      return { status: 204, headers: { 'set-cookie': cookies.clear(cookies.session) } }
    },
  }
  return { operations: [begin, finish, end], sessionCookie: cookies.session }
}
