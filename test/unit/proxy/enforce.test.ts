import { describe, expect, it } from 'vitest'
import type { Route } from '../../../src/domain/catalog.ts'
import type { Grant } from '../../../src/domain/grant.ts'
import { Problem } from '../../../src/domain/problem.ts'
import { Secret } from '../../../src/lib/secret.ts'
import type { Asked } from '../../../src/proxy/describe.ts'
import { createEnforce } from '../../../src/proxy/enforce.ts'
import { selfAnswer } from '../../../src/proxy/self.ts'
import { aCatalog, aRoute, mine } from '../../kit/a-route.ts'
import * as kit from '../../kit/fakes.ts'

const resource = { type: 'device', product: '1', device: mine } as const

function asked(route: Route, upstream: Partial<Asked['upstream']> = {}): Asked {
  return {
    ...{ route, target: '/v1/x', unresolved: undefined, resource },
    requests: [{ action: 'a', resource, fields: {}, values: {} }],
    upstream: {
      ...{ target: '/v1/x', body: undefined, contentType: '', guard: { kind: 'none' } },
      ...upstream,
    },
  }
}

/** Today's grant is the one the token was issued with. */
const today = (): Grant => kit.aPrincipal.issued

function enforcer() {
  const directory = kit.fakeDirectory()
  const tokens = kit.fakeTokens()
  const credentials = { for: () => new Secret('cloud-credential') }
  return {
    directory,
    enforce: createEnforce({ catalog: aCatalog(), credentials, directory, tokens, grantOf: today }),
  }
}

describe('enforce', () => {
  it('throws a deny as 403, with what the policy tells the client', async () => {
    const exchange = new kit.FakeExchange('GET /v1/x')
    const { enforce } = enforcer()
    const deny = async (tell: string | undefined) =>
      enforce(exchange, kit.aPrincipal, asked(aRoute()), { ...kit.denied, tell })
    await expect(deny('No.')).rejects.toMatchObject({ code: 'forbidden', says: 'No.' })
    await expect(deny(undefined)).rejects.toMatchObject({ says: new Problem('forbidden').says })
    expect(exchange.sent).toEqual([])
  })

  it('H04 H08 sends allow-listed headers and our credential, none of the client’s', async () => {
    const headers = { Authorization: 'Bearer U', Accept: 'a/b', 'X-User': 'evil', Cookie: 's=1' }
    const exchange = new kit.FakeExchange('GET /v1/x', { ...headers, 'Content-Type': 'x/y' })
    await enforcer().enforce(exchange, kit.aPrincipal, asked(aRoute()), kit.allowed)
    const { request } = exchange.sent[0] ?? {}
    expect(request?.headers).toEqual({ accept: 'a/b' })
    expect(request?.credential.reveal()).toBe('cloud-credential')
  })

  it('B05 names a body that was read by the media type it was read as', async () => {
    const type = 'Application/JSON; charset="utf-8"; x=y'
    const exchange = new kit.FakeExchange('PUT /v1/x', { 'Content-Type': type }, '{}')
    const upstream = { body: Buffer.from('{}'), contentType: 'application/json' }
    const { enforce, directory } = enforcer()
    await enforce(exchange, kit.aPrincipal, asked(aRoute(), upstream), kit.allowed)
    expect(exchange.sent[0]?.request.headers).toEqual({ 'content-type': 'application/json' })
    expect(directory.forgotten).toEqual([resource, resource])
  })

  it('forgets what was written also where the write fails, and nothing after a read', async () => {
    const { enforce, directory } = enforcer()
    const broken = new kit.FakeExchange('PUT /v1/x')
    broken.onSend = () => {
      throw new Problem('upstream_failed')
    }
    await expect(
      enforce(broken, kit.aPrincipal, asked(aRoute()), kit.allowed),
    ).rejects.toMatchObject({ code: 'upstream_failed' })
    expect(directory.forgotten).toHaveLength(2)
    await enforce(new kit.FakeExchange('GET /v1/x'), kit.aPrincipal, asked(aRoute()), kit.allowed)
    expect(directory.forgotten).toHaveLength(2)
  })

  it('hands obligations on by both ways, and none with an answer that has no keys', async () => {
    const send = async (route: Route) => {
      const exchange = new kit.FakeExchange('GET /v1/x')
      await enforcer().enforce(exchange, kit.aPrincipal, asked(route), kit.allowed)
      return exchange.sent[0]
    }
    const { obligations } = kit.allowed
    const small = aRoute()
    expect((await send(small))?.cut).toEqual({ answer: small.answer, obligations })
    const streaming = aRoute('GET /v1/x', { way: 'streaming' })
    expect((await send(streaming))?.cut).toEqual({ answer: streaming.answer, obligations })
    const opaque = await send(aRoute('GET /v1/x', { way: 'streaming', answer: { kind: 'opaque' } }))
    expect([opaque?.cut, opaque?.guard]).toEqual([undefined, { kind: 'none' }])
  })
})

describe('selfAnswer', () => {
  const answer = (
    about: 'user' | 'token' | 'revoke',
    revoke = () => undefined,
    grantOf: () => Grant | undefined = today,
  ) => {
    const exchange = new kit.FakeExchange('GET /v1/x')
    const principal = { ...kit.aPrincipal, expiresAtMs: 0 }
    selfAnswer(exchange, principal, about, { tokens: kit.fakeTokens({ revoke }), grantOf })
    return exchange.answers
  }

  it('names only what today’s grant still names', () => {
    const scopes = (grant: Grant | undefined) =>
      answer('token', undefined, () => grant).map(({ body }) => body)
    expect(scopes(today())).toMatchObject([{ scopes: ['devices:a'] }])
    expect(scopes({ ...today(), rules: [] })).toMatchObject([{ scopes: [] }])
    expect(scopes(undefined)).toMatchObject([{ scopes: [] }])
  })

  it('T16 speaks of the caller’s own token, never of the gate’s', () => {
    expect(answer('user')).toEqual([
      { status: 200, body: { username: 'acme', is_programmatic: true } },
    ])
    expect(answer('token')).toEqual([
      {
        status: 200,
        body: {
          ...{ expires_at: '1970-01-01T00:00:00.000Z', client: 'fleetgate' },
          ...{ scopes: ['devices:a'], orgs: [] },
        },
      },
    ])
  })

  it('T16 revokes the caller’s token and says so only when it is done', () => {
    const revoked: unknown[] = []
    const exchange = new kit.FakeExchange('DELETE /v1/x')
    const revoke = (which: unknown) => {
      revoked.push(which)
      return undefined
    }
    const tokens = kit.fakeTokens({ revoke: (which) => revoke(which) })
    selfAnswer(exchange, kit.aPrincipal, 'revoke', { tokens, grantOf: today })
    expect(revoked).toEqual([{ tokenId: kit.aPrincipal.tokenId }])
    const failing = () => {
      throw new Problem('store_unavailable')
    }
    expect(() => answer('revoke', failing)).toThrow(/store_unavailable/)
  })
})
