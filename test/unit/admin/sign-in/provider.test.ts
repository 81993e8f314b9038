import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Login } from '../../../../src/admin/sign-in/login-cookie.ts'
import { createProvider, type Provider } from '../../../../src/admin/sign-in/provider.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { Secret } from '../../../../src/lib/secret.ts'
import {
  type ForgingProvider,
  signed,
  signedByAnother,
  signedWithPublicKey,
  startForgingProvider,
  type TokenMaker,
  unsigned,
} from '../../../kit/forging-provider.ts'

let remote: ForgingProvider
let provider: Provider
let monotonicMs = 0

const redirectUri = 'http://127.0.0.1:8090/sign-in/callback'

function open(issuer = remote.issuer, claimsFrom: 'id_token' | 'userinfo' = 'id_token'): Provider {
  const client = { clientId: 'fleetgate', clientSecret: new Secret('s3cret-of-the-client') }
  return createProvider({
    oidc: { issuer, ...client, redirectUri, scopes: ['openid', 'profile'], claimsFrom },
    clock: { monotonic: () => monotonicMs },
    random: randomBytes,
  })
}

beforeEach(async () => {
  remote = await startForgingProvider()
  provider = open()
})
afterEach(() => remote[Symbol.asyncDispose]())

const nowS = () => Math.floor(Date.now() / 1000)

function honest({ nonce }: Login, more: Readonly<Record<string, unknown>> = {}) {
  return () => ({
    ...{ iss: remote.issuer, aud: 'fleetgate', sub: 'a1', email: 'alice@acme.example' },
    ...{ iat: nowS(), exp: nowS() + 60, nonce, ...more },
  })
}

/** The code of the problem, or the subject that was let in. */
async function outcome(
  login: Login,
  query: Readonly<Record<string, string>> = { code: 'c0de', state: login.state },
): Promise<string> {
  try {
    return String((await provider.finish(query, login))['sub'])
  } catch (error) {
    return error instanceof Problem ? error.code : `not a problem: ${String(error)}`
  }
}

describe('a sign-in under way', () => {
  it('asks for a code, with state, nonce and a challenge that are new each time', async () => {
    const { url, login } = await provider.begin()
    const asked = new URL(url)
    expect(asked.origin).toBe(remote.issuer)
    const keys = Object.fromEntries(asked.searchParams)
    expect(keys).toMatchObject({
      response_type: 'code',
      client_id: 'fleetgate',
      redirect_uri: redirectUri,
      scope: 'openid profile',
      state: login.state,
      nonce: login.nonce,
      code_challenge_method: 'S256',
    })
    expect(url).not.toContain(login.verifier)
    const again = (await provider.begin()).login
    expect(new Set([...Object.values(login), ...Object.values(again)]).size).toBe(6)
  })

  it('ends with the claims of a token that the provider has signed for it', async () => {
    const { login } = await provider.begin()
    remote.claims = honest(login)
    expect(await outcome(login)).toBe('a1')
  })

  it('is refused with another state or nonce, or without them', async () => {
    const { login } = await provider.begin()
    remote.claims = honest(login)
    const before = remote.requests.length
    expect(await outcome(login, { code: 'c0de', state: 'another' })).toBe('sign_in_refused')
    expect(await outcome(login, { code: 'c0de' })).toBe('sign_in_refused')
    expect(remote.requests.length).toBe(before)
    remote.claims = honest(login, { nonce: 'another' })
    expect(await outcome(login)).toBe('sign_in_refused')
    remote.claims = honest(login, { nonce: undefined })
    expect(await outcome(login)).toBe('sign_in_refused')
  })

  const forgeries: [string, TokenMaker][] = [
    ['no signature (alg none)', unsigned],
    ['the public key as a shared secret (HS256)', signedWithPublicKey('k1')],
    ['a kid that is a path', signedWithPublicKey('../../dev/null')],
    ['the key of somebody else', signedByAnother],
    ['a signature that was cut off', (claims) => signed(claims).replace(/[^.]+$/, '')],
  ]
  it.each(forgeries)('T15 is refused for an ID token with %s', async (_, make) => {
    const { login } = await provider.begin()
    remote.claims = honest(login)
    remote.make = make
    expect(await outcome(login)).toBe('sign_in_refused')
    remote.make = signed
    expect(await outcome(login)).toBe('a1')
  })

  it('T15 is refused for a weak ID token even where the provider names its algorithm', async () => {
    await using weak = await startForgingProvider(['RS256', 'none', 'HS256'])
    provider = open(weak.issuer)
    for (const make of [unsigned, signedWithPublicKey('k1')]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { login } = await provider.begin()
      weak.claims = honest(login, { iss: weak.issuer })
      weak.make = make
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await outcome(login)).toBe('sign_in_refused')
    }
  })

  it.each([
    ['another client', { aud: 'another' }],
    ['another provider', { iss: 'http://127.0.0.1:1' }],
    ['the past', { exp: nowS() - 15, iat: nowS() - 120 }],
  ])('is refused for an ID token of %s', async (_, more) => {
    const { login } = await provider.begin()
    remote.claims = honest(login, more)
    expect(await outcome(login)).toBe('sign_in_refused')
  })

  it.each([
    [undefined, 'Basic '],
    [['client_secret_basic'], 'Basic '],
    [['client_secret_basic', 'client_secret_post'], ''],
  ])('shows its secret as the provider takes it: %s', async (methods, scheme) => {
    remote.metadata = { token_endpoint_auth_methods_supported: methods }
    const { login } = await provider.begin()
    remote.claims = honest(login)
    expect(await outcome(login)).toBe('a1')
    const shown = remote.authorizations[remote.requests.indexOf('/token')] ?? '-'
    expect(shown.slice(0, 6)).toBe(scheme)
  })

  it('allows for clocks that differ by a few seconds', async () => {
    const { login } = await provider.begin()
    remote.claims = honest(login, { exp: nowS() - 3, iat: nowS() - 120 })
    expect(await outcome(login)).toBe('a1')
  })

  it('is refused where the provider says no, in a word of its own', async () => {
    const { login } = await provider.begin()
    const query = { error: 'access_denied', state: login.state }
    expect(await outcome(login, query)).toBe('sign_in_refused')
    const { state } = login
    const says = await provider
      .finish({ error: 'fg_o_abc <script>', state }, login)
      .catch((error: unknown) => (error instanceof Problem ? error.says : ''))
    expect(says).toBe('The provider says no: an error.')
  })
})

describe('what the ID token lacks', () => {
  const finish = async (login: Login) =>
    provider.finish({ code: 'c0de', state: login.state }, login)
  const asked = () => remote.requests.filter((url) => url === '/userinfo').length

  it('is taken from userinfo where that is configured; what is signed counts where both say it', async () => {
    provider = open(remote.issuer, 'userinfo')
    const { login } = await provider.begin()
    remote.claims = honest(login)
    remote.userinfo = { sub: 'a1', email: 'another@acme.example', groups: ['fleet'] }
    const claims = await finish(login)
    expect(claims).toMatchObject({ sub: 'a1', email: 'alice@acme.example', groups: ['fleet'] })
    expect(remote.authorizations[remote.requests.indexOf('/userinfo')]).toBe('Bearer at-0123456789')
  })

  it('is asked for nowhere else where it is not', async () => {
    const { login } = await provider.begin()
    remote.claims = honest(login)
    remote.userinfo = { sub: 'a1', groups: ['fleet'] }
    expect(await finish(login)).not.toHaveProperty('groups')
    expect(asked()).toBe(0)
  })

  it('is not believed of somebody else, or of nobody', async () => {
    provider = open(remote.issuer, 'userinfo')
    for (const userinfo of [{ sub: 'b2', groups: ['fleet'] }, { groups: ['fleet'] }]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { login } = await provider.begin()
      remote.claims = honest(login)
      remote.userinfo = userinfo
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await outcome(login)).toBe('sign_in_refused')
    }
    expect(asked()).toBe(2)
  })

  it('is waited for: without an answer nobody comes in', async () => {
    provider = open(remote.issuer, 'userinfo')
    const { login } = await provider.begin()
    remote.claims = honest(login)
    expect(await outcome(login)).toBe('sign_in_refused')
    expect(asked()).toBe(1)
  })

  it('is asked for over https alone, at an endpoint that the provider names', async () => {
    for (const userinfo_endpoint of ['http://login.example.com/userinfo', undefined]) {
      remote.metadata = { userinfo_endpoint }
      const asking = open(remote.issuer, 'userinfo').begin()
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await expect(asking).rejects.toMatchObject({ code: 'sign_in_unavailable' })
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await expect(open().begin()).resolves.toMatchObject({ login: {} })
    }
  })
})

describe('a provider that is out of order', () => {
  it('is asked again by the next who signs in, and nothing before', async () => {
    expect(remote.requests).toEqual([])
    remote.status = 503
    await expect(provider.begin()).rejects.toMatchObject({ code: 'sign_in_unavailable' })
    remote.status = 200
    await expect(provider.begin()).resolves.toMatchObject({ login: {} })
  })

  it('cannot be reached', async () => {
    const { issuer } = remote
    await remote[Symbol.asyncDispose]()
    const lost = open(issuer).begin()
    await expect(lost).rejects.toMatchObject({ code: 'sign_in_unavailable', status: 503 })
  })

  it('fails between the two halves of a sign-in', async () => {
    const { login } = await provider.begin()
    remote.status = 500
    expect(await outcome(login)).toBe('sign_in_unavailable')
  })

  it.each([
    { token_endpoint: 'http://login.example.com/token' },
    { jwks_uri: 'http://192.0.2.1/jwks' },
    { authorization_endpoint: 'javascript:alert(1)' },
    { issuer: 'http://127.0.0.1:1' },
  ])('is not believed with %o', async (metadata) => {
    remote.metadata = metadata
    await expect(provider.begin()).rejects.toMatchObject({ code: 'sign_in_unavailable' })
  })

  it('is discovered once in an hour', async () => {
    await Promise.all([provider.begin(), provider.begin()])
    expect(remote.requests).toHaveLength(1)
    monotonicMs += 3_599_999
    await provider.begin()
    expect(remote.requests).toHaveLength(1)
    monotonicMs += 1
    await provider.begin()
    expect(remote.requests).toHaveLength(2)
  })
})
