/** The provider of sign-ins: authorization code flow with PKCE, state and nonce, an ID token whose signature is checked, and what more its userinfo says. */

import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  type ClientAuth,
  ClientError,
  ClientSecretBasic,
  ClientSecretPost,
  clockTolerance,
  type Configuration,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  ResponseBodyError,
} from 'openid-client'
import type { OidcConfig } from '../../config/config.ts'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { Secret } from '../../lib/secret.ts'
import type { RandomBytes } from '../../store/token-format.ts'
import type { Claims } from './claims.ts'
import { isHttpsOrLoopback } from '../../lib/http-url.ts'
import type { Login } from './login-cookie.ts'

/** @throws Problem `sign_in_unavailable` where the provider does not answer */
export type Provider = {
  begin(): Promise<{ url: string; login: Login }>
  /** @param query of the callback. @throws Problem `sign_in_refused` for what does not stand up to the login */
  finish(query: Readonly<Record<string, string>>, login: Login): Promise<Claims>
}

export type ProviderParts = {
  oidc: Pick<
    OidcConfig,
    'issuer' | 'clientId' | 'clientSecret' | 'redirectUri' | 'scopes' | 'claimsFrom'
  >
  clock: Pick<Clock, 'monotonic'>
  random: RandomBytes
}

const timeoutS = 5
/** Between its clock and ours. */
const toleranceS = 10
/** Endpoints and keys may move; what was found is asked for again after so long. */
const discoveryMaxAgeMs = 60 * 60_000

/** Nothing is asked of the provider before somebody signs in. */
export function createProvider({ oidc, clock, random }: ProviderParts): Provider {
  let found: { configuration: Promise<Configuration>; atMs: number } | undefined
  const randomText = () => Buffer.from(random(32)).toString('base64url')

  function configurationNow(): Promise<Configuration> {
    const nowMs = clock.monotonic()
    if (found !== undefined && nowMs - found.atMs < discoveryMaxAgeMs) return found.configuration
    const asked = { configuration: discover(oidc), atMs: nowMs }
    found = asked
    asked.configuration.catch(() => {
      // A failure is not kept: the next who signs in asks again.
      if (found === asked) found = undefined
    })
    return asked.configuration
  }

  /** Whatever is wrong with what it says of itself, nobody can sign in. */
  async function discovered(): Promise<Configuration> {
    try {
      return await configurationNow()
    } catch (error) {
      throw unavailable(error)
    }
  }

  return {
    async begin() {
      const login = { state: randomText(), nonce: randomText(), verifier: randomText() }
      const configuration = await discovered()
      const url = buildAuthorizationUrl(configuration, {
        redirect_uri: oidc.redirectUri,
        response_type: 'code',
        scope: oidc.scopes.join(' '),
        state: login.state,
        nonce: login.nonce,
        code_challenge: await calculatePKCECodeChallenge(login.verifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, login }
    },

    async finish(query, { state, nonce, verifier }) {
      const configuration = await discovered()
      // Never from the Host header: the address that the provider knows.
      const url = new URL(oidc.redirectUri)
      url.search = new URLSearchParams(query).toString()
      const checks = {
        ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier },
        idTokenExpected: true,
      }
      const tokens = await refusing(authorizationCodeGrant(configuration, url, checks))
      const claims = tokens.claims()
      if (claims === undefined) throw new Problem('sign_in_refused', { cause: 'no ID token' })
      if (oidc.claimsFrom === 'id_token') return claims
      const { sub } = claims
      const more = await refusing(fetchUserInfo(configuration, tokens.access_token, sub))
      // What is signed counts where both say it.
      return { ...more, ...claims }
    },
  }
}

async function discover(oidc: ProviderParts['oidc']): Promise<Configuration> {
  const { issuer, clientId, clientSecret, claimsFrom } = oidc
  const server = new URL(issuer)
  const isPlain = server.protocol === 'http:'
  const configuration = await discovery(
    server,
    clientId,
    { [clockTolerance]: toleranceS },
    clientSecret === undefined ? None() : authBy(clientSecret),
    {
      timeout: timeoutS,
      execute: [enableNonRepudiationChecks, ...(isPlain ? [allowInsecureRequests] : [])],
    },
  )
  const { authorization_endpoint, token_endpoint, jwks_uri, userinfo_endpoint } =
    configuration.serverMetadata()
  const needed = [authorization_endpoint, token_endpoint, jwks_uri]
  if (claimsFrom === 'userinfo') needed.push(userinfo_endpoint)
  for (const endpoint of needed) {
    if (endpoint === undefined || !isHttpsOrLoopback(endpoint)) {
      throw new Error('the provider names an endpoint that is missing or not https')
    }
  }
  return configuration
}

/** In the body where the provider takes it there, else as OpenID Connect Discovery 1.0 §3 says of who says nothing. */
function authBy(secret: Secret): ClientAuth {
  const inBody = ClientSecretPost(secret.reveal())
  const inHeader = ClientSecretBasic(secret.reveal())
  return (server, ...rest) => {
    const taken = server.token_endpoint_auth_methods_supported ?? []
    return (taken.includes('client_secret_post') ? inBody : inHeader)(server, ...rest)
  }
}

async function refusing<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw toProblem(error)
  }
}

/** Causes are named without what the provider said: tokens may stand in it. */
function toProblem(error: unknown): Problem {
  if (error instanceof AuthorizationResponseError) {
    const word = plainWord(error.error)
    return new Problem('sign_in_refused', { says: `The provider says no: ${word}.`, cause: word })
  }
  if (error instanceof ResponseBodyError) {
    const cause = `the token endpoint answers ${plainWord(error.error)}`
    return new Problem(error.status >= 500 ? 'sign_in_unavailable' : 'sign_in_refused', { cause })
  }
  if (error instanceof ClientError && !isOutage(error)) {
    return new Problem('sign_in_refused', { cause: `${error.code ?? ''} ${error.message}`.trim() })
  }
  return unavailable(error)
}

function unavailable(error: unknown): Problem {
  const cause = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown'
  return new Problem('sign_in_unavailable', { cause, retryAfterS: timeoutS })
}

/** It took too long, or answered as something that is out of order does. */
function isOutage({ code, cause }: ClientError): boolean {
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return true
  return cause instanceof Response && (cause.status >= 500 || cause.status === 429)
}

function plainWord(word: string): string {
  return /^[a-z_]{1,40}$/.test(word) ? word : 'an error'
}
