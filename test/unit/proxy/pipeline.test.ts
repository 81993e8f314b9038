import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createRouteTable } from '../../../src/catalog/route-table.ts'
import type { Route } from '../../../src/domain/catalog.ts'
import { Problem, type ProblemCode } from '../../../src/domain/problem.ts'
import { Secret } from '../../../src/lib/secret.ts'
import type { PolicyEngine } from '../../../src/policy/policy-engine.ts'
import { createIdentify, createObservedUntil } from '../../../src/proxy/caller.ts'
import { createDecide } from '../../../src/proxy/decide.ts'
import { createDescribe } from '../../../src/proxy/describe.ts'
import { createEnforce } from '../../../src/proxy/enforce.ts'
import { createIdResolver } from '../../../src/proxy/ids.ts'
import { createPipeline, type PipelineParts } from '../../../src/proxy/pipeline.ts'
import { createRelate } from '../../../src/proxy/relations.ts'
import { createMatchRoute } from '../../../src/proxy/routing.ts'
import type { Tokens } from '../../../src/store/tokens.ts'
import { mintToken } from '../../../src/store/token-format.ts'
import { aCatalog, aDeed, aRoute, fieldsBody, mine } from '../../kit/a-route.ts'
import * as kit from '../../kit/fakes.ts'

const line = `GET /v1/products/1337/devices/${mine}`
const bearer = { authorization: 'Bearer U' }
const routes: readonly Route[] = [
  aRoute(),
  aRoute('PUT /v1/products/:product/devices/:device', {
    deeds: [aDeed('devices:update.name', { keys: ['name'] })],
    body: fieldsBody({ name: 'string' }),
  }),
  aRoute('GET /v1/products/:product/events', { way: 'streaming', answer: { kind: 'opaque' } }),
  aRoute('GET /v1/user', { kind: { kind: 'self', answer: 'user' }, deeds: [] }),
  aRoute('GET /v1/access_tokens', { kind: { kind: 'refused', why: 'not ours' } }),
]

type Play = {
  tokens?: Partial<Tokens>
  decide?: PolicyEngine['decide']
  parts?: Partial<PipelineParts>
  directory?: Parameters<typeof kit.fakeDirectory>[0]
  elsewhere?: PolicyEngine['fromElsewhere']
}

function stage(play: Play = {}) {
  const { tokens: played = {}, decide, parts = {}, directory: facts = {}, elsewhere } = play
  const catalog = aCatalog(routes)
  const audit = new kit.FakeAudit()
  const tokens = kit.fakeTokens(played)
  const directory = kit.fakeDirectory(facts)
  const policy = { ...kit.fakePolicy(decide), ...(elsewhere && { fromElsewhere: elsewhere }) }
  const credentials = { for: () => new Secret('cloud-credential') }
  const ids = createIdResolver(catalog.resources, directory, () => undefined)
  const faults: unknown[] = []
  const pipeline = createPipeline({
    ...{ catalog, tokens, policy, audit },
    onFault: (cause) => void faults.push(cause),
    durability: { read: 'written', change: 'synced' },
    matchRoute: createMatchRoute(createRouteTable(catalog)),
    describe: createDescribe(catalog, ids, createRelate({ directory, ids, policy })),
    decide: createDecide(policy, directory),
    enforce: createEnforce({
      quota: kit.noQuota,
      ...{ catalog, credentials, directory, tokens, ...kit.uncutLists(), ...kit.noQueue },
      grantOf: () => kit.aPrincipal.issued,
    }),
    identify: createIdentify({
      policy,
      tokens,
      observedUntil: createObservedUntil(policy, undefined),
      fingerprint: notAsked,
    }),
    observe: notAsked,
    warnBeforeMs: 14 * 86_400_000,
    ...parts,
  })
  return { pipeline, audit, directory, faults }
}

async function run(exchange: kit.FakeExchange, play: Play = {}) {
  const staged = stage(play)
  await staged.pipeline(exchange)
  return { ...staged, exchange, code: exchange.rejections[0]?.code }
}

const notAsked = (): never => {
  throw new Error('nobody is observed')
}

const fail = (code: ProblemCode) => () => {
  throw new Problem(code)
}

describe('pipeline', () => {
  it('records an allow as decided, then sends it, then closes', async () => {
    const exchange = new kit.FakeExchange(`${line}?access_token=U`)
    const order: string[] = []
    const { pipeline, audit } = stage({ tokens: { confirm: () => void order.push('confirm') } })
    audit.onCommit = () => void order.push('commit')
    exchange.onSend = () => void order.push('send')
    await pipeline(exchange)
    expect(order).toEqual(['commit', 'confirm', 'send'])
    expect(exchange.sent[0]?.request.target).toBe(`/v1/products/1337/devices/${mine}`)
    expect(audit.decisions).toMatchObject([
      {
        ...{ user: 'acme', revision: 'rev-1', grant: 'acme-a', enforcement: 'filter' },
        ...{ target: `/v1/products/1337/devices/${mine}`, durability: 'written' },
        result: { outcome: 'allow' },
      },
    ])
    expect(audit.outcomes).toMatchObject([{ status: 200, ended: 'answered' }])
    expect([audit.rejects, exchange.rejections]).toEqual([[], []])
    expect(JSON.stringify(audit.decisions)).not.toContain('access_token')
  })

  it('demands synced of an allowed write, written of a denied one', async () => {
    const put = () =>
      new kit.FakeExchange(
        `PUT /v1/products/1337/devices/${mine}`,
        { ...bearer, 'content-type': 'application/json' },
        '{"name":"x"}',
      )
    expect((await run(put())).audit.decisions[0]?.durability).toBe('synced')
    const refused = await run(put(), { decide: () => kit.denied })
    expect(refused.audit.decisions[0]?.durability).toBe('written')
    expect(refused.exchange.sent).toEqual([])
  })

  it('rejects a denied request with 403 and sends nothing', async () => {
    const { audit, exchange, code } = await run(new kit.FakeExchange(line, bearer), {
      decide: () => ({ ...kit.denied, tell: 'Ask Zoë.' }),
    })
    expect([code, exchange.rejections[0]?.says]).toEqual(['forbidden', 'Ask Zoë.'])
    expect(exchange.sent).toEqual([])
    expect(audit.decisions).toMatchObject([{ result: { outcome: 'deny' }, enforcement: 'reject' }])
    expect(audit.outcomes).toMatchObject([{ status: 403, ended: 'forbidden' }])
  })

  const before: Readonly<Record<string, [kit.FakeExchange, Play, ProblemCode]>> = {
    'M02 TRACE': [new kit.FakeExchange('TRACE /v1/devices', bearer), {}, 'method_not_allowed'],
    'M03 an unknown verb': [new kit.FakeExchange('PURGE /v1/x', bearer), {}, 'method_not_allowed'],
    'H13 two Hosts': [
      new kit.FakeExchange(line, ['Host', 'a', 'host', 'b', 'Authorization', 'Bearer U']),
      ...([{}, 'invalid_request'] as const),
    ],
    'P01 an ambiguous target': [
      new kit.FakeExchange('GET /v1/../x', bearer),
      ...([{}, 'ambiguous_target'] as const),
    ],
    'no token': [new kit.FakeExchange(line), {}, 'missing_token'],
    'T01 two tokens': [
      new kit.FakeExchange(`${line}?access_token=x`, bearer),
      ...([{}, 'several_credentials'] as const),
    ],
    'T14 a token of another kind': [
      new kit.FakeExchange(line, bearer),
      ...([{ tokens: { authenticate: fail('invalid_token') } }, 'invalid_token'] as const),
    ],
    'T07 an expired token': [
      new kit.FakeExchange(line, bearer),
      ...([{ tokens: { authenticate: fail('expired_token') } }, 'expired_token'] as const),
    ],
    'A13 a token store that is down': [
      new kit.FakeExchange(line, bearer),
      ...([{ tokens: { authenticate: fail('store_unavailable') } }, 'store_unavailable'] as const),
    ],
    'an unmapped path without a token': [new kit.FakeExchange('GET /nope'), {}, 'missing_token'],
  }
  for (const [name, [exchange, play, expected]] of Object.entries(before)) {
    it(`writes one reject row and no decision for ${name}: ${expected}`, async () => {
      const { audit, code } = await run(exchange, play)
      expect(code).toBe(expected)
      expect(audit.rejects).toMatchObject([{ reason: expected }])
      expect([audit.decisions, audit.outcomes, exchange.sent]).toEqual([[], [], []])
      expect(exchange.rejections).toHaveLength(1)
    })
  }

  it('names a refused token by its public id, and nothing that only looks like one', async () => {
    const play = { tokens: { authenticate: fail('expired_token') } }
    const { token, id } = mintToken('u', randomBytes)
    const own = await run(new kit.FakeExchange(line, { authorization: `Bearer ${token}` }), play)
    expect(own.audit.rejects).toMatchObject([{ reason: 'expired_token', tokenId: id }])
    expect(JSON.stringify(own.audit.rejects)).not.toContain(token)
    const wrong = { authorization: `Bearer ${token.slice(0, -1)}` }
    const { audit } = await run(new kit.FakeExchange(line, wrong), play)
    expect(audit.rejects).toHaveLength(1)
    expect(audit.rejects[0]).not.toHaveProperty('tokenId')
  })

  const json = { ...bearer, 'content-type': 'application/json' }
  const put = `PUT /v1/products/1337/devices/${mine}`
  const after: Readonly<Record<string, [kit.FakeExchange, Play, ProblemCode]>> = {
    'P22 an unmapped path': [
      new kit.FakeExchange('GET /v10/devices', bearer),
      {},
      'unmapped_route',
    ],
    'P13 another letter case': [
      new kit.FakeExchange('GET /V1/products/1/devices/x', bearer),
      ...([{}, 'unmapped_route'] as const),
    ],
    'another method': [
      new kit.FakeExchange(`DELETE /v1/products/1/devices/${mine}`, bearer),
      ...([{}, 'method_not_allowed'] as const),
    ],
    'P03 a bad parameter': [
      new kit.FakeExchange('GET /v1/products/1/devices/a%2Fb', bearer),
      ...([{}, 'invalid_request'] as const),
    ],
    'T16 a refused route': [
      new kit.FakeExchange('GET /v1/access_tokens', bearer),
      ...([{}, 'refused_route'] as const),
    ],
    'an undeclared query key': [
      new kit.FakeExchange(`${line}?_method=DELETE`, bearer),
      ...([{}, 'unknown_query_key'] as const),
    ],
    'B01 a repeated body key': [
      new kit.FakeExchange(put, json, '{"name":"a","name":"b"}'),
      ...([{}, 'invalid_body'] as const),
    ],
    'a body that asks for nothing': [new kit.FakeExchange(put, json, '{}'), {}, 'no_deed'],
    'a fact that cannot be had': [
      new kit.FakeExchange(line, bearer),
      {
        decide: () => ({
          outcome: 'needs_facts',
          resources: [{ type: 'device', device: mine }],
          maxAgeMs: undefined,
        }),
        directory: { attributes: async () => fail('attribute_unavailable')() },
      },
      'attribute_unavailable',
    ],
    'an unknown error in a stage': [
      new kit.FakeExchange(line, bearer),
      {
        decide: () => {
          throw new TypeError('secret detail')
        },
      },
      'internal',
    ],
  }
  for (const [name, [exchange, play, expected]] of Object.entries(after)) {
    it(`writes one deny and no reject row for ${name}: ${expected}`, async () => {
      const { audit, code, faults } = await run(exchange, play)
      expect(code).toBe(expected)
      expect(audit.decisions).toMatchObject([
        { result: { outcome: 'deny', reason: expected }, enforcement: 'reject', requests: [] },
      ])
      expect(audit.outcomes).toMatchObject([{ ended: expected }])
      expect([audit.rejects, exchange.sent]).toEqual([[], []])
      expect(exchange.rejections).toHaveLength(1)
      const isFault = expected === 'internal' || expected === 'attribute_unavailable'
      expect(faults).toHaveLength(isFault ? 1 : 0)
    })
  }

  const form = { ...bearer, 'content-type': 'application/x-www-form-urlencoded' }
  const unread = () => Promise.reject(new Error('read'))
  const asked: readonly [string, Record<string, string>, string?][] = [
    [line, bearer],
    ['GET /v1/user', bearer],
    ['GET /v10/devices', bearer],
    [`${line}?_method=DELETE`, bearer],
    ['GET /v1/products/my-product/devices/x', bearer],
    [put, json, '{"nam'],
    [`POST /v1/products/1337/devices/${mine}`, form, 'access_token=x'],
    [`${line}?access_token=U`, {}],
  ]
  const reasons = [
    ['outside_addresses', 'outside_addresses'],
    ['not_in_issued_grant', 'forbidden'],
  ] as const
  it.each(asked)('asks from where before all else: %s', async (request, headers, body) => {
    for (const [reason, told] of reasons) {
      const exchange = new kit.FakeExchange(request, headers, body)
      exchange.body = exchange.unknownBody = unread
      const uses: boolean[] = []
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { audit, code } = await run(exchange, {
        elsewhere: (_, address) =>
          address === exchange.envelope.address ? { ...kit.denied, reason } : undefined,
        tokens: {
          authenticate(_, isUse) {
            uses.push(isUse?.(kit.aPrincipal) ?? true)
            return kit.aPrincipal
          },
        },
        directory: { product: unread, device: unread, attributes: unread },
        parts: { warnBeforeMs: Infinity },
      })
      expect([code, uses]).toEqual([told, [false]])
      expect([exchange.sent, exchange.answers, exchange.endsAtMs]).toEqual([[], [], undefined])
      expect(audit.decisions).toMatchObject([
        { user: 'acme', result: { outcome: 'deny', reason }, enforcement: 'reject', requests: [] },
      ])
      expect([audit.outcomes.length, audit.rejects]).toEqual([1, []])
    }
  })

  it('counts who calls from where it may as a use of its token, and serves it', async () => {
    const uses: unknown[] = []
    const authenticate: Tokens['authenticate'] = (_, isUse) => {
      uses.push(isUse?.(kit.aPrincipal))
      return kit.aPrincipal
    }
    const { exchange } = await run(new kit.FakeExchange(line, bearer), { tokens: { authenticate } })
    expect([uses, exchange.sent.length]).toEqual([[true], 1])
  })

  it('B09 waits for a form only once its caller is known, and then still finds a second token', async () => {
    const post = `POST /v1/products/1337/devices/${mine}`
    const wrong = new kit.FakeExchange(post, form, 'a=1')
    wrong.body = wrong.unknownBody = unread
    const refused = await run(wrong, { tokens: { authenticate: fail('invalid_token') } })
    expect([refused.code, refused.audit.rejects.length]).toEqual(['invalid_token', 1])
    const second = new kit.FakeExchange(post, form, 'a=1&access_token=U')
    second.unknownBody = unread
    const { code, audit } = await run(second)
    expect([code, second.sent, audit.decisions]).toEqual(['several_credentials', [], []])
    expect(audit.rejects).toMatchObject([{ reason: 'several_credentials' }])
  })

  it('A01 answers 503 and sends nothing where the record cannot be written', async () => {
    for (const decide of [() => kit.allowed, () => kit.denied]) {
      const exchange = new kit.FakeExchange(line, bearer)
      const { pipeline, audit } = stage({ decide })
      audit.failure = new Problem('audit_unavailable')
      await pipeline(exchange)
      expect(exchange.rejections.map(({ status }) => status)).toEqual([503])
      expect([exchange.sent, exchange.answers, audit.decisions, audit.rejects]).toEqual([
        ...[[], [], [], []],
      ])
    }
  })

  it('A01 says 503 also where it was a refusal that could not be written down', async () => {
    const exchange = new kit.FakeExchange('GET /v10/devices', bearer)
    const { pipeline, audit } = stage()
    audit.failure = new Problem('audit_unavailable')
    await pipeline(exchange)
    expect(exchange.rejections.map(({ code }) => code)).toEqual(['audit_unavailable'])
    expect([audit.decisions, audit.rejects]).toEqual([[], []])
  })

  it('T08 does not serve a token that was revoked while its record was written', async () => {
    let revoked = false
    const exchange = new kit.FakeExchange(line, bearer)
    const { pipeline, audit } = stage({
      tokens: {
        confirm: () => {
          if (revoked) throw new Problem('invalid_token')
        },
      },
    })
    audit.onCommit = () => {
      revoked = true
    }
    await pipeline(exchange)
    expect(exchange.rejections.map(({ code }) => code)).toEqual(['invalid_token'])
    expect([exchange.sent, audit.rejects, audit.decisions.length]).toEqual([[], [], 1])
    expect(audit.outcomes).toMatchObject([{ status: 401, ended: 'invalid_token' }])
  })

  it('asks the epoch and sends in one turn', async () => {
    let other = 'not run'
    const exchange = new kit.FakeExchange(line, bearer)
    const confirm = () => void setImmediate(() => (other = 'run'))
    exchange.onSend = () => expect(other).toBe('not run')
    await run(exchange, { tokens: { confirm } })
    expect([exchange.sent.length, exchange.rejections]).toEqual([1, []])
  })

  it('answers an unknown error of the upstream way with a bare 500 and one decision, and logs why', async () => {
    const exchange = new kit.FakeExchange(line, bearer)
    const cause = new RangeError('secret detail')
    exchange.onSend = () => {
      throw cause
    }
    const { audit, faults } = await run(exchange)
    expect(faults).toMatchObject([{ code: 'internal', cause }])
    const [problem] = exchange.rejections
    expect([problem?.status, problem?.says]).toEqual([500, 'Something went wrong.'])
    expect([audit.decisions.length, audit.rejects.length, audit.outcomes.length]).toEqual([1, 0, 1])
  })

  it('tells operators why an answer could not be cut or the cloud is away, and not of a call too many', async () => {
    const faultsOf = async (code: 'unfilterable_answer' | 'upstream_failed' | 'too_many_calls') => {
      const exchange = new kit.FakeExchange(line, bearer)
      exchange.onSend = () => {
        throw new Problem(code, { cause: 'odd' })
      }
      return (await run(exchange)).faults
    }
    expect(await faultsOf('unfilterable_answer')).toMatchObject([{ cause: 'odd' }])
    expect(await faultsOf('upstream_failed')).toMatchObject([{ cause: 'odd' }])
    expect(await faultsOf('too_many_calls')).toEqual([])
  })

  it('M01 decides HEAD by the route of GET and sends HEAD', async () => {
    const { audit, exchange } = await run(
      new kit.FakeExchange(`HEAD /v1/products/1337/devices/${mine}`, bearer),
    )
    expect(audit.decisions[0]?.route).toBe(aRoute().id)
    expect(exchange.sent[0]?.request.method).toBe('HEAD')
    const refused = await run(
      new kit.FakeExchange(`HEAD /v1/products/1337/devices/${mine}`, bearer),
      { decide: () => kit.denied },
    )
    expect([refused.code, refused.exchange.sent]).toEqual(['forbidden', []])
  })

  it('M08 refuses HTTP/0.9 although its target may hold a token', async () => {
    const exchange = new kit.FakeExchange(`${line}?access_token=U`)
    Object.assign(exchange.raw, { httpVersion: '0.9' })
    const { audit, code } = await run(exchange)
    expect([code, audit.rejects.length]).toEqual(['invalid_request', 1])
    expect(exchange.sent).toEqual([])
  })

  it('M05 H09 H12 decides by method and path alone, whatever other headers say', async () => {
    const headers = {
      ...bearer,
      ...{ 'X-HTTP-Method-Override': 'DELETE', 'X-Original-URL': '/v1/user' },
      ...{ 'User-Agent': 'kube-probe/1.30', 'X-Forwarded-Uri': '/healthz' },
    }
    const { exchange, audit } = await run(new kit.FakeExchange(line, headers))
    expect(exchange.sent[0]?.request).toMatchObject({ method: 'GET', headers: {} })
    expect(audit.decisions[0]?.route).toBe(aRoute().id)
    const refused = await run(new kit.FakeExchange(line, headers), { decide: () => kit.denied })
    expect(refused.exchange.sent).toEqual([])
  })

  it('answers about the caller itself without asking the policy or the cloud', async () => {
    const { exchange, audit } = await run(new kit.FakeExchange('GET /v1/user', bearer), {
      decide: fail('internal'),
    })
    expect(exchange.answers).toEqual([
      { status: 200, body: { username: 'acme', is_programmatic: true } },
    ])
    expect([exchange.sent, audit.decisions.length]).toEqual([[], 1])
  })

  it('sends what streams by the streaming way', async () => {
    const stream = 'GET /v1/products/1337/events'
    const { exchange, audit } = await run(new kit.FakeExchange(stream, bearer))
    expect(exchange.sent[0]?.guard).toEqual({ kind: 'none' })
    expect(audit.decisions[0]?.enforcement).toBe('forward')
  })

  it('denies bytes of which a rule shows only a part: cannot_filter', async () => {
    const stream = 'GET /v1/products/1337/events'
    const { obligations } = kit.allowed
    for (const part of [{ hide: new Set(['coreid']) }, { answer: new Set(['data']) }]) {
      const { exchange, audit } = await run(new kit.FakeExchange(stream, bearer), {
        decide: () => ({ ...kit.allowed, obligations: { ...obligations, ...part } }),
      })
      expect(exchange.sent).toEqual([])
      expect(audit.decisions[0]?.result).toMatchObject({ reason: 'cannot_filter' })
    }
  })
})
