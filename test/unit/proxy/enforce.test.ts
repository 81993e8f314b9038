import { describe, expect, it } from 'vitest'
import type { Action, Route } from '../../../src/domain/catalog.ts'
import type { Grant } from '../../../src/domain/grant.ts'
import { Problem } from '../../../src/domain/problem.ts'
import { Secret } from '../../../src/lib/secret.ts'
import type { Asked } from '../../../src/proxy/describe.ts'
import { createEnforce, type EnforceParts, type Served } from '../../../src/proxy/enforce.ts'
import { selfAnswer } from '../../../src/proxy/self.ts'
import type { Tokens } from '../../../src/store/tokens.ts'
import { aCatalog, aRoute, mine } from '../../kit/a-route.ts'
import * as kit from '../../kit/fakes.ts'

const resource = { type: 'device', product: '1', device: mine } as const

const quietAction: Action = {
  ...{ name: 'a', scope: 'a', origin: 'cloud', classes: [], says: 'Asks.', fields: [] },
  ...{ values: new Map(), shape: 'item', onDevice: true, deviceFree: false, writes: [] },
  changes: 'nothing',
}

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

const record = {
  context: { requestId: 'r', atMs: 0, address: '' },
  revision: 'rev-1',
  progress: () => undefined,
}

function enforcer(overrides: Partial<EnforceParts> = {}) {
  const lists = kit.uncutLists()
  const directory = kit.fakeDirectory()
  const tokens = kit.fakeTokens()
  const credentials = { for: () => new Secret('cloud-credential') }
  return {
    directory,
    written: lists.fleetLists.written,
    enforce: createEnforce({
      quota: kit.noQuota,
      ...{ catalog: aCatalog(), credentials, directory, tokens, grantOf: today },
      ...lists,
      ...kit.noQueue,
      ...overrides,
    }),
  }
}

describe('enforce', () => {
  it('throws a deny as 403, with what the policy tells the client', async () => {
    const exchange = new kit.FakeExchange('GET /v1/x')
    const { enforce } = enforcer()
    const deny = async (tell: string | undefined) =>
      enforce(exchange, kit.aPrincipal, asked(aRoute()), { ...kit.denied, tell }, record)
    await expect(deny('No.')).rejects.toMatchObject({ code: 'forbidden', says: 'No.' })
    await expect(deny(undefined)).rejects.toMatchObject({ says: new Problem('forbidden').says })
    expect(exchange.sent).toEqual([])
  })

  it('answers a limit that is used up with 429 and when to try again', async () => {
    const exchange = new kit.FakeExchange('GET /v1/x')
    const { enforce } = enforcer()
    const over = { ...kit.denied, reason: 'over_limit' as const, retryAfterS: 17 }
    await expect(
      (async () => enforce(exchange, kit.aPrincipal, asked(aRoute()), over, record))(),
    ).rejects.toMatchObject({ code: 'over_limit', status: 429, retryAfterS: 17 })
    expect(exchange.sent).toEqual([])
  })

  it('tells nobody from where an API user may call, whatever a rule would tell', async () => {
    const exchange = new kit.FakeExchange('GET /v1/x')
    const { enforce } = enforcer()
    const away = { ...kit.denied, reason: 'outside_addresses' as const, tell: 'From 10.0.0.0/8.' }
    await expect(
      (async () => enforce(exchange, kit.aPrincipal, asked(aRoute()), away, record))(),
    ).rejects.toMatchObject({
      ...{ code: 'outside_addresses', status: 403 },
      says: new Problem('outside_addresses').says,
    })
    expect(exchange.sent).toEqual([])
  })

  it('H04 H08 sends allow-listed headers and our credential, none of the client’s', async () => {
    const headers = { Authorization: 'Bearer U', Accept: 'a/b', 'X-User': 'evil', Cookie: 's=1' }
    const exchange = new kit.FakeExchange('GET /v1/x', { ...headers, 'Content-Type': 'x/y' })
    await enforcer().enforce(exchange, kit.aPrincipal, asked(aRoute()), kit.allowed, record)
    const { request } = exchange.sent[0] ?? {}
    expect(request?.headers).toEqual({ accept: 'a/b' })
    expect(request?.credential.reveal()).toBe('cloud-credential')
  })

  it('B05 names a body that was read by the media type it was read as', async () => {
    const type = 'Application/JSON; charset="utf-8"; x=y'
    const exchange = new kit.FakeExchange('PUT /v1/x', { 'Content-Type': type }, '{}')
    const upstream = { body: Buffer.from('{}'), contentType: 'application/json' }
    const { enforce, directory } = enforcer()
    await enforce(exchange, kit.aPrincipal, asked(aRoute(), upstream), kit.allowed, record)
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
      enforce(broken, kit.aPrincipal, asked(aRoute()), kit.allowed, record),
    ).rejects.toMatchObject({ code: 'upstream_failed' })
    expect(directory.forgotten).toHaveLength(2)
    await enforce(
      new kit.FakeExchange('GET /v1/x'),
      kit.aPrincipal,
      asked(aRoute()),
      kit.allowed,
      record,
    )
    expect(directory.forgotten).toHaveLength(2)
  })

  it('hands obligations on by both ways, and none with an answer that has no keys', async () => {
    const send = async (route: Route) => {
      const exchange = new kit.FakeExchange('GET /v1/x')
      await enforcer().enforce(exchange, kit.aPrincipal, asked(route), kit.allowed, record)
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

  it('tells kept lists what was written, before it goes out and after', async () => {
    const { enforce, written } = enforcer()
    const upstream = { target: '/v1/products/1/devices/x?force=true' }
    const put = new kit.FakeExchange('PUT /v1/x')
    await enforce(put, kit.aPrincipal, asked(aRoute(), upstream), kit.allowed, record)
    const write = [resource, '/v1/products/1/devices/x', 'device']
    expect(written).toEqual([write, write])
  })

  it('notes a write on many devices as one on their product', async () => {
    const put = async (count: number) => {
      const { enforce, written, directory } = enforcer()
      const requests = Array.from({ length: count }, (_, index) => ({
        ...{ action: 'a', fields: {}, values: {} },
        resource: { ...resource, device: `${index}` },
      }))
      const exchange = new kit.FakeExchange('PUT /v1/x')
      await enforce(exchange, kit.aPrincipal, { ...asked(aRoute()), requests }, kit.allowed, record)
      return { written, forgotten: directory.forgotten.length }
    }
    const many = await put(51)
    const product = { type: 'product', product: '1' }
    expect(many.written.map(([one, , reach]) => [one, reach])).toEqual([
      [product, 'place'],
      [product, 'place'],
    ])
    expect(many.forgotten).toBe(2)
    const few = await put(50)
    expect(few.written.every(([, , reach]) => reach === 'device')).toBe(true)
    expect(few.written).toHaveLength(100)
  })

  it('keeps what is in memory for an action that changes nothing', async () => {
    const catalog = aCatalog()
    const quiet = new Map([['a', quietAction]])
    const put = async (parts: Partial<EnforceParts>) => {
      const { enforce, written, directory } = enforcer(parts)
      const exchange = new kit.FakeExchange('PUT /v1/x')
      await enforce(exchange, kit.aPrincipal, asked(aRoute()), kit.allowed, record)
      return [exchange.sent.length, written.length, directory.forgotten.length]
    }
    expect(await put({ catalog: { ...catalog, actions: quiet } })).toEqual([1, 0, 0])
    expect(await put({})).toEqual([1, 2, 2])
  })

  it('hands lists and streams to those who cut them, and nothing goes by whole', async () => {
    const served: Served[] = []
    const outcome = { status: 200, bytes: 1, ended: 'answered' } as const
    const serve = async (one: Served) => {
      served.push(one)
      return { ...outcome, upstreamStatus: undefined, upstreamRequestId: undefined }
    }
    const lists = { isCut: () => true, serve }
    const streams = { serve, [Symbol.dispose]: () => undefined }
    const exchange = new kit.FakeExchange('GET /v1/x')
    const { enforce } = enforcer({ lists, streams })
    const shared = aRoute().pattern
    const stream = aRoute('GET /v1/x', { answer: { kind: 'stream', shared } })
    await enforce(exchange, kit.aPrincipal, asked(aRoute()), kit.allowed, record)
    await enforce(exchange, kit.aPrincipal, asked(stream), kit.allowed, record)
    expect(served.map(({ context, request }) => [context, request.target])).toEqual([
      [record.context, '/v1/x'],
      [record.context, '/v1/x'],
    ])
    expect(exchange.sent).toEqual([])
  })
})

describe('selfAnswer', () => {
  const answer = async (
    about: 'user' | 'token' | 'revoke',
    revoke: Tokens['revoke'] = async () => undefined,
    grantOf: () => Grant | undefined = today,
  ) => {
    const exchange = new kit.FakeExchange('GET /v1/x')
    const principal = { ...kit.aPrincipal, expiresAtMs: 0 }
    await selfAnswer(exchange, principal, about, { tokens: kit.fakeTokens({ revoke }), grantOf })
    return exchange.answers
  }

  it('names only what today’s grant still names', async () => {
    const scopes = async (grant: Grant | undefined) =>
      (await answer('token', undefined, () => grant)).map(({ body }) => body)
    expect(await scopes(today())).toMatchObject([{ scopes: ['devices:a'] }])
    expect(await scopes({ ...today(), rules: [] })).toMatchObject([{ scopes: [] }])
    expect(await scopes(undefined)).toMatchObject([{ scopes: [] }])
  })

  it('T16 speaks of the caller’s own token, never of the gate’s', async () => {
    expect(await answer('user')).toEqual([
      { status: 200, body: { username: 'acme', is_programmatic: true } },
    ])
    expect(await answer('token')).toEqual([
      {
        status: 200,
        body: {
          ...{ expires_at: '1970-01-01T00:00:00.000Z', client: 'fleetgate' },
          ...{ scopes: ['devices:a'], orgs: [] },
        },
      },
    ])
  })

  it('T16 revokes the caller’s token and says so only when it is done', async () => {
    const revoked: unknown[] = []
    const exchange = new kit.FakeExchange('DELETE /v1/x')
    const revoke: Tokens['revoke'] = async (which, by) => {
      await Promise.resolve()
      expect(exchange.answers).toEqual([])
      revoked.push(which, by)
      return undefined
    }
    const tokens = kit.fakeTokens({ revoke })
    await selfAnswer(exchange, kit.aPrincipal, 'revoke', { tokens, grantOf: today })
    expect(revoked).toEqual([{ tokenId: kit.aPrincipal.tokenId }, 'self'])
    const failing = async () => {
      throw new Problem('store_unavailable')
    }
    await expect(answer('revoke', failing)).rejects.toThrow(/store_unavailable/)
  })
})
