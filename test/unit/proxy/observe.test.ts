import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../../../src/domain/principal.ts'
import { Problem } from '../../../src/domain/problem.ts'
import { mintToken } from '../../../src/store/token-format.ts'
import { DeadToken } from '../../../src/store/tokens.ts'
import { createQuota, type Quota } from '../../../src/upstream/quota.ts'
import { mine } from '../../kit/a-route.ts'
import { aPrincipal, denied, FakeExchange, noQuota } from '../../kit/fakes.ts'
import { gateCredential, observeRig, type ObservePlay } from '../../kit/observe-rig.ts'
import { withWrongChecksum } from '../../kit/tokens.ts'

const line = `GET /v1/products/1337/devices/${mine}`
const call = `POST /v1/products/1337/devices/${mine}/blink`
const cloudToken = 'c'.repeat(40)
const own = { authorization: 'Bearer U' }
const strange = { authorization: `Bearer ${cloudToken}` }
const form = 'application/x-www-form-urlencoded'
const later = 2_000_000
const adopted: Principal = { ...aPrincipal, tokenKind: 'adopted' }

async function run(exchange: FakeExchange, play: ObservePlay = { untilMs: later }) {
  const rig = observeRig(play)
  await rig.run(exchange)
  const [passed] = exchange.passed
  const authorization =
    passed === undefined
      ? 'nothing was sent'
      : passed.authorization.of === 'gate'
        ? `gate ${passed.authorization.credential.reveal()}`
        : passed.authorization.value?.reveal()
  return { ...rig, exchange, passed, authorization, code: exchange.rejections[0]?.code }
}

describe('an API user that is observed', () => {
  it('is served what would be denied, and the record says why it would be', async () => {
    const play = { ownUntilMs: later, principal: adopted, decide: () => denied }
    const { audit, passed, authorization, exchange } = await run(new FakeExchange(line, own), play)
    expect(passed).toMatchObject({ method: 'GET', target: line.slice(4), body: undefined })
    expect(authorization).toBe('Bearer U')
    expect(audit.decisions).toMatchObject([
      {
        ...{ user: 'acme', enforcement: 'observe', observed: { untilMs: later } },
        result: { outcome: 'deny', reason: 'not_granted' },
        requests: [{ action: 'devices:get', resource: { device: mine } }],
      },
    ])
    expect(audit.outcomes).toMatchObject([{ status: 200, ended: 'answered' }])
    expect(exchange.rejections).toEqual([])
  })

  it('is denied by the same decision where it is not, and at the very end of it', async () => {
    const plays: ObservePlay[] = [
      { decide: () => denied },
      { decide: () => denied, ownUntilMs: 1_000_000, untilMs: 1_000_000 },
    ]
    for (const play of plays) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { audit, exchange, code } = await run(new FakeExchange(line, own), play)
      expect([code, exchange.passed, exchange.sent]).toEqual(['forbidden', [], []])
      expect(audit.decisions).toMatchObject([{ enforcement: 'reject' }])
      expect(audit.decisions[0]).not.toHaveProperty('observed')
    }
  })

  it('T17 never sends up a token of the gate’s own: the gate’s credential goes instead', async () => {
    const { authorization, passed } = await run(new FakeExchange(`${line}?access_token=U`))
    expect(authorization).toBe(`gate ${gateCredential}`)
    expect(JSON.stringify(passed)).not.toContain('access_token')
  })

  it('says of an allow that its answer would have been cut', async () => {
    const hiding = {
      ...{ outcome: 'allow' as const, rule: undefined, facts: {} },
      obligations: { answer: undefined, hide: new Set(['ip']), reveal: new Set<string>() },
    }
    const cut = await run(new FakeExchange(line, own), { untilMs: later, decide: () => hiding })
    expect(cut.audit.decisions).toMatchObject([
      { result: { outcome: 'allow' }, observed: { would: 'filter' } },
    ])
    const whole = await run(new FakeExchange(line, own))
    expect(whole.audit.decisions[0]?.observed).toEqual({ untilMs: later })
  })

  it.each([
    ['an unmapped route', new FakeExchange('GET /v9/things?x=1', own), 'unmapped_route'],
    ['an undeclared query key', new FakeExchange(`${line}?filter=a`, own), 'unknown_query_key'],
    [
      'a body that the strict parser refuses',
      new FakeExchange(
        call,
        { ...own, 'content-type': 'application/json' },
        '{"arg":"1","arg":"2"}',
      ),
      'invalid_body',
    ],
    [
      'a form that cannot be read',
      new FakeExchange(call, { ...own, 'content-type': form }, 'arg=a;b'),
      'invalid_body',
    ],
    [
      'a token in a place that the cloud does not know',
      new FakeExchange(`${call}?access_token=U`),
      'invalid_request',
    ],
  ])('sends on %s, and records what is wrong with it', async (_, exchange, reason) => {
    const play = { untilMs: later, principal: adopted }
    const { audit, passed, code } = await run(exchange, play)
    expect(code).toBeUndefined()
    expect(passed?.method).toBe(exchange.raw.method)
    expect(audit.decisions).toMatchObject([
      { user: 'acme', enforcement: 'observe', result: { outcome: 'deny', reason } },
    ])
    // The same is refused where nobody is observed.
    const again = new FakeExchange(
      `${exchange.raw.method} ${exchange.raw.target}`,
      exchange.raw.rawHeaders.filter((__, i, all) => !/length/i.test(all[i - (i % 2)] ?? '')),
      (await exchange.body()).toString(),
    )
    const enforced = await run(again, { principal: adopted })
    expect(enforced.code).toBeDefined()
    expect([again.passed, again.sent]).toEqual([[], []])
  })

  it('has its body sent on as it came, but for the token in a form', async () => {
    const json = '{ "arg" : "1" }'
    const type = { 'content-type': 'application/json' }
    const whole = await run(new FakeExchange(call, { ...own, ...type }, json))
    expect(whole.passed?.body?.toString()).toBe(json)
    const inForm = new FakeExchange(
      call,
      { 'content-type': form },
      'arg=a+b&access%5Ftoken=U&x=%41',
    )
    const { passed, code } = await run(inForm)
    expect([code, passed?.body?.toString()]).toEqual([undefined, 'arg=a+b&x=%41'])
  })

  it('has a body streamed that nobody had to read', async () => {
    const type = { 'content-type': 'multipart/form-data; boundary=B' }
    const upload = new FakeExchange('POST /v1/products/1337/firmware', { ...own, ...type }, '--B--')
    const { passed, audit } = await run(upload)
    expect(passed).toBeDefined()
    expect(passed?.body).toBeUndefined()
    expect(audit.decisions[0]?.durability).toBe('synced')
  })

  it('T16 with a token of the gate’s own hears of itself from the gate, in no spelling from the cloud', async () => {
    const user = await run(new FakeExchange('GET /v1/user', own))
    expect(user.exchange.answers).toMatchObject([{ status: 200, body: { username: 'acme' } }])
    expect(user.exchange.passed).toEqual([])
    for (const attack of ['DELETE /V1/Access_Tokens/current', 'POST /oauth/token']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { exchange, code, audit } = await run(new FakeExchange(attack, own))
      expect(exchange.passed).toEqual([])
      expect(code).toBeDefined()
      expect(audit.decisions).toMatchObject([{ enforcement: 'reject' }])
    }
    const theirs = await run(new FakeExchange('DELETE /v1/access_tokens/current', own), {
      untilMs: later,
      principal: adopted,
    })
    expect(theirs.authorization).toBe('Bearer U')
  })

  it('T16 reaches no route of the account by a method that the catalog does not know', async () => {
    for (const attack of ['PATCH /v1/user', 'POST /V1/User', 'PUT /oauth/token']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { exchange, code, audit } = await run(new FakeExchange(attack, own))
      expect([code, exchange.passed]).toEqual([expect.any(String), []])
      expect(audit.decisions).toMatchObject([{ enforcement: 'reject' }])
    }
    const elsewhere = await run(new FakeExchange(`PATCH ${line.slice(4)}`, own))
    expect(elsewhere.passed?.method).toBe('PATCH')
    const play = { untilMs: later, principal: adopted }
    const theirs = await run(new FakeExchange('PATCH /v1/user', own), play)
    expect(theirs.authorization).toBe('Bearer U')
  })

  it('is counted against the quota, and served where that is used up', async () => {
    const users: string[] = []
    const quota: Quota = {
      ...noQuota,
      take() {
        throw new Problem('upstream_quota')
      },
      note: (user) => void users.push(String(user)),
      refused: (user, retryAfterS) => void users.push(`${user} refused ${retryAfterS}`),
    }
    const exchange = new FakeExchange(line, own)
    exchange.passStatus = 429
    const { passed, code } = await run(exchange, { untilMs: later, quota })
    expect([passed !== undefined, code]).toEqual([true, undefined])
    expect(users).toEqual(['acme', 'acme refused undefined'])
  })

  it('T08 is not served where its token died while the record was written', async () => {
    const confirm = async () => {
      throw new Problem('suspended')
    }
    const play = { untilMs: later, tokens: { confirm } }
    const { exchange, code, audit } = await run(new FakeExchange(line, own), play)
    expect([code, exchange.passed]).toEqual(['suspended', []])
    expect(audit.outcomes).toMatchObject([{ status: 403, ended: 'suspended' }])
  })

  it('A01 is not served without a record', async () => {
    const rig = observeRig({ untilMs: later })
    rig.audit.failure = new Problem('audit_unavailable')
    const exchange = await rig.run(new FakeExchange(line, own))
    expect(exchange.rejections.map(({ status }) => status)).toEqual([503])
    expect(exchange.passed).toEqual([])
  })

  it.each([
    ['P01 an ambiguous target', new FakeExchange('GET /v1/%2e%2e/x', own)],
    ['T01 two credentials', new FakeExchange(`${line}?access_token=U`, own)],
    ['M02 a method that is not plain', new FakeExchange('TRACE /v1/x', own)],
  ])('is refused %s', async (_, exchange) => {
    const { audit, code } = await run(exchange)
    expect(code).toBeDefined()
    expect([exchange.passed, audit.decisions]).toEqual([[], []])
    expect(audit.rejects).toHaveLength(1)
  })
})

describe('what is written under observation', () => {
  it('is not believed from memory any more, unless the cloud refused it', async () => {
    const { written } = await run(new FakeExchange(call, strange))
    expect(written).toMatchObject([[{ device: mine }, call.slice(5), 'device']])
    const refused = new FakeExchange(call, strange)
    refused.passStatus = 403
    expect((await run(refused)).written).toEqual([])
  })

  it('by an API user is not believed whatever the cloud said, before and after, and what is read is', async () => {
    for (const status of [200, 504]) {
      const exchange = new FakeExchange(call, own)
      exchange.passStatus = status
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { written } = await run(exchange)
      const write = [{ device: mine }, call.slice(5), 'device']
      expect(written).toMatchObject([write, write])
    }
    const lost = new FakeExchange(call, own)
    lost.onSend = () => {
      throw new Problem('upstream_timeout')
    }
    const { written, code } = await run(lost)
    expect([written.length, code]).toEqual([2, 'upstream_timeout'])
    expect((await run(new FakeExchange(line, own))).written).toEqual([])
  })
})

describe('a caller that the gate does not know', () => {
  it('is served with its own token where everybody is observed, and told apart by a fingerprint', async () => {
    const exchange = new FakeExchange(line, strange)
    const { audit, authorization, lookedUp } = await run(exchange)
    expect(authorization).toBe(`Bearer ${cloudToken}`)
    expect(audit.decisions).toMatchObject([
      {
        ...{ user: undefined, tokenId: undefined, enforcement: 'observe' },
        observed: { untilMs: later, fingerprint: 'print-of-40' },
        result: { outcome: 'deny', reason: 'invalid_token' },
        requests: [{ action: 'devices:get', resource: { product: '1337', device: mine } }],
      },
    ])
    expect(JSON.stringify(audit.decisions)).not.toContain(cloudToken)
    expect([audit.rejects, lookedUp]).toEqual([[], []])
  })

  it('gets 401 where only an API user is observed, and when the observation of all is over', async () => {
    for (const play of [{ ownUntilMs: later }, { untilMs: 1_000_000 }]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { exchange, code, audit } = await run(new FakeExchange(line, strange), play)
      expect([code, exchange.passed]).toEqual(['invalid_token', []])
      expect(audit.decisions).toEqual([])
      expect(audit.rejects).toMatchObject([{ reason: 'invalid_token' }])
    }
  })

  it('without a token is served, and goes up without one', async () => {
    const { authorization, audit } = await run(new FakeExchange(line))
    expect(authorization).toBeUndefined()
    expect(audit.decisions).toMatchObject([{ result: { reason: 'missing_token' } }])
    expect(audit.decisions[0]?.observed).toEqual({ untilMs: later })
    const login = { authorization: 'Basic cGFydGljbGU6cGFydGljbGU=', 'content-type': form }
    const oauth = await run(new FakeExchange('POST /oauth/token', login, 'grant_type=password'))
    expect(oauth.authorization).toBe(login.authorization)
    expect(oauth.passed?.body?.toString()).toBe('grant_type=password')
  })

  it.each(['expired_token', 'suspended', 'token_not_yet_valid', 'store_unavailable'] as const)(
    'is no stranger with a token that is %s: refused',
    async (problem) => {
      const authenticate = async () => {
        throw new Problem(problem)
      }
      const play = { untilMs: later, tokens: { authenticate } }
      const { exchange, code, audit } = await run(new FakeExchange(line, strange), play)
      expect([code, exchange.passed, audit.decisions]).toEqual([problem, [], []])
    },
  )

  it('T03 with a wrong, dead or foreign token of the gate’s own is refused, wherever it stands', async () => {
    const { token } = mintToken('u', randomBytes)
    const operators = mintToken('o', randomBytes).token
    const attacks = [
      new FakeExchange(line, { authorization: `Bearer ${token}` }),
      new FakeExchange(line, { authorization: `Bearer ${withWrongChecksum(token)}` }),
      new FakeExchange(line, { authorization: `Bearer ${operators}` }),
      new FakeExchange(line, { authorization: `bearer ${token}` }),
      new FakeExchange(`${line}?x=${token}`),
      new FakeExchange(call, { 'content-type': 'application/json' }, `{"access_token":"${token}"}`),
      // Where no route reads the body.
      new FakeExchange(
        'POST /v1/unknown',
        { ...strange, 'content-type': 'application/json' },
        `{"access_token":"${token}"}`,
      ),
      new FakeExchange('PATCH /v1/unknown', { 'content-type': form }, `access_token=${token}`),
      new FakeExchange(line, { authorization: `Basic ${btoa(`x:${token}`)}` }),
      new FakeExchange(line, { ...strange, accept: token }),
    ]
    for (const attack of attacks) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { exchange, code, audit } = await run(attack)
      expect([code, exchange.passed, audit.decisions]).toEqual(['invalid_token', [], []])
      expect(audit.rejects).toHaveLength(1)
    }
  })

  it('T03 with a token that was an API user’s and is dead by now is refused, and recorded among the rejects', async () => {
    const tokens = {
      authenticate: () => {
        throw new DeadToken()
      },
    }
    for (const attack of [
      new FakeExchange(line, strange),
      new FakeExchange(`${line}?access_token=${cloudToken}`),
      new FakeExchange(call, { 'content-type': form }, `arg=1&access_token=${cloudToken}`),
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { exchange, code, audit } = await run(attack, { untilMs: later, tokens })
      expect([code, exchange.passed, audit.decisions]).toEqual(['invalid_token', [], []])
      expect(audit.rejects).toHaveLength(1)
    }
  })

  it.each([
    ['under a coding', { 'content-encoding': 'gzip' }, `access_token=${cloudToken}`],
    ['that is read strictly', {}, `a=%ZZ&access_token=${cloudToken}`],
  ])(
    'T05 with a form %s, in which a token may hide, is refused; beside a token of its own it goes on',
    async (_, more, body) => {
      const headers = { 'content-type': form, ...more }
      const hidden = await run(new FakeExchange(call, headers, body))
      expect(hidden.code).toMatch(/^(unsupported_media_type|invalid_body)$/)
      expect([hidden.exchange.passed, hidden.audit.decisions]).toEqual([[], []])
      expect(hidden.audit.rejects).toHaveLength(1)
      const open = await run(new FakeExchange(call, { ...headers, ...strange }, body))
      expect(open.authorization).toBe(strange.authorization)
    },
  )

  it('T08 is not served where its token was adopted and revoked while the record was written', async () => {
    let looks = 0
    const authenticate = () => {
      looks += 1
      throw looks === 1 ? new Problem('invalid_token') : new DeadToken()
    }
    const play = { untilMs: later, tokens: { authenticate } }
    const { exchange, code, audit } = await run(new FakeExchange(line, strange), play)
    expect([code, exchange.passed, looks]).toEqual(['invalid_token', [], 2])
    expect(audit.decisions).toHaveLength(1)
  })

  it('goes on with words that only look like a token of the gate’s own', async () => {
    const near = `fg_u_${'a'.repeat(12)}_short`
    const json = { ...strange, 'content-type': 'application/json' }
    for (const exchange of [
      new FakeExchange('POST /v1/unknown', json, `{"note":"${near}"}`),
      new FakeExchange(line, { authorization: `Basic ${btoa(`x:${near}`)}` }),
      new FakeExchange(line, { ...strange, accept: near }),
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      expect((await run(exchange)).passed).toBeDefined()
    }
  })

  it('A09 is refused beyond its budget of a minute, by address and in all, and no row of the decisions is its', async () => {
    const rig = observeRig({ untilMs: later, budget: { perMinute: 2, allPerMinute: 3 } })
    const ask = async (address: string, headers = strange) => {
      const exchange = new FakeExchange(line, headers)
      Object.assign(exchange.envelope, { address })
      await rig.run(exchange)
      return exchange.rejections[0] ?? exchange.passed.length
    }
    const rationed = { code: 'rationed', status: 429, retryAfterS: 60 }
    expect([await ask('10.0.0.1'), await ask('10.0.0.1')]).toEqual([1, 1])
    expect(await ask('10.0.0.1')).toMatchObject(rationed)
    expect(await ask('10.0.0.2')).toBe(1)
    expect(await ask('10.0.0.3')).toMatchObject(rationed)
    expect(rig.audit.decisions).toHaveLength(3)
    expect(rig.audit.rejects.map(({ reason }) => reason)).toEqual(['rationed', 'rationed'])
    expect(await ask('10.0.0.1', own)).toBe(1)
    rig.clock.at += 60_000
    expect(await ask('10.0.0.1')).toBe(1)
  })

  it('A09 has one budget for a whole /64 of IPv6, and another one has its own', async () => {
    const rig = observeRig({ untilMs: later, budget: { perMinute: 2, allPerMinute: 9 } })
    const ask = async (address: string) => {
      const exchange = new FakeExchange(line, strange)
      Object.assign(exchange.envelope, { address })
      await rig.run(exchange)
      return exchange.rejections[0]?.code ?? exchange.passed.length
    }
    expect([await ask('2001:db8::1'), await ask('2001:db8:0:0:ffff::2')]).toEqual([1, 1])
    expect(await ask('2001:db8::3')).toBe('rationed')
    expect(await ask('2001:db8:0:1::3')).toBe(1)
    expect(rig.audit.decisions).toHaveLength(3)
  })

  it('takes a part of the quota, all of them one, and is refused without a decision when it is used up', async () => {
    const clock = { monotonic: () => 0 }
    const quota = createQuota({ calls: 10, perMs: 60_000, reserve: 0, clock })
    const rig = observeRig({ untilMs: later, quota })
    const ask = async (headers: Record<string, string>) => {
      const exchange = new FakeExchange(line, headers)
      exchange.passStatus = 429
      await rig.run(exchange)
      return exchange.rejections[0]?.code ?? 'passed'
    }
    const others = { authorization: `Bearer ${'d'.repeat(40)}` }
    for (let i = 0; i < 8; i += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await ask(i % 2 === 0 ? strange : others)).toBe('passed')
    }
    expect(await ask(others)).toBe('upstream_quota')
    expect(rig.audit.decisions).toHaveLength(8)
    expect(rig.audit.rejects).toMatchObject([{ reason: 'upstream_quota', status: 429 }])
    // Their 429s stopped nobody.
    expect(() => quota.take('acme')).not.toThrow()
  })

  it('has nothing synced for it, and an API user has what it changes', async () => {
    const theirs = await run(new FakeExchange(call, strange))
    const users = await run(new FakeExchange(call, own))
    const durability = [theirs, users].map(({ audit }) => audit.decisions[0]?.durability)
    expect(durability).toEqual(['written', 'synced'])
  })

  it('costs the cloud a look-up only where its product is not said, and all strangers a few', async () => {
    const rig = observeRig({ untilMs: later })
    const ask = () => rig.run(new FakeExchange(`GET /v1/devices/${mine}`, strange))
    for (let i = 0; i < 5; i += 1) {
      // oxlint-disable-next-line no-await-in-loop -- the ration is used up in turn
      expect((await ask()).passed).toHaveLength(1)
    }
    expect(rig.lookedUp).toHaveLength(3)
    const products = rig.audit.decisions.map(({ requests }) => requests[0]?.resource.product)
    expect(products).toEqual(['1337', '1337', '1337', undefined, undefined])
    rig.clock.at += 60_000
    await ask()
    expect(rig.lookedUp).toHaveLength(4)
  })

  it('is served where the cloud does not answer the gate’s own question', async () => {
    const device = async () => {
      throw new Problem('attribute_unavailable')
    }
    const play = { untilMs: later, directory: { device } }
    const { passed, audit } = await run(new FakeExchange(`GET /v1/devices/${mine}`, strange), play)
    expect(passed).toBeDefined()
    expect(audit.decisions[0]?.requests).toMatchObject([{ resource: { device: mine } }])
  })

  it('leaves no token in the record, not even in a path that no route describes', async () => {
    const { audit, passed } = await run(
      new FakeExchange(`DELETE /v1/access_tokens/${cloudToken}`, strange),
    )
    expect(passed?.target).toBe(`/v1/access_tokens/${cloudToken}`)
    expect(audit.decisions[0]?.target).toBe('/v1/access_tokens/[masked]')
  })
})

describe('an event stream under observation', () => {
  async function open(play: ObservePlay, headers: Record<string, string>, isStream = true) {
    const rig = observeRig(play)
    const exchange = new FakeExchange(line, headers)
    exchange.stays = true
    exchange.isStream = isStream
    const running = rig.run(exchange)
    await new Promise((resolve) => setImmediate(resolve))
    return { ...rig, exchange, running }
  }

  it.each([
    ['an API user', own],
    ['a stranger', strange],
  ])('ends for %s when the observation does', async (_, headers) => {
    const { clock, look, running, audit } = await open({ untilMs: later }, headers)
    clock.at = later - 1
    look()
    expect(audit.outcomes).toEqual([])
    clock.at = later
    look()
    await running
    expect(audit.outcomes).toMatchObject([{ ended: 'observation_over' }])
  })

  it('ends when its token does, at once or after the store was read', async () => {
    const store: { problem?: Problem } = {}
    for (const recheck of [
      () => {
        if (store.problem) throw store.problem
      },
      async () => {
        if (store.problem) throw store.problem
      },
    ]) {
      delete store.problem
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { look, running, audit } = await open({ untilMs: later, tokens: { recheck } }, own)
      look()
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setImmediate(resolve))
      store.problem = new Problem('suspended')
      look()
      // oxlint-disable-next-line no-await-in-loop
      await running
      expect(audit.outcomes).toMatchObject([{ ended: 'suspended' }])
    }
  })

  it('T08 ends for a stranger whose token was adopted meanwhile, and died: not before', async () => {
    const known: { principal?: Principal; dead?: true } = {}
    const tokens = {
      authenticate: () => {
        if (known.principal === undefined) throw new Problem('invalid_token')
        return known.principal
      },
      recheck: () => {
        if (known.dead) throw new Problem('invalid_token')
      },
    }
    const { look, running, audit } = await open({ untilMs: later, tokens }, strange)
    look()
    known.principal = adopted
    look()
    look()
    expect(audit.outcomes).toEqual([])
    known.dead = true
    look()
    await running
    expect(audit.outcomes).toMatchObject([{ ended: 'revoked' }])
  })

  it('ends where the store does not answer, asked once, within a second', async () => {
    let asked = 0
    const recheck = () => {
      asked += 1
      return new Promise<void>(() => {})
    }
    const { clock, look, running, audit } = await open({ untilMs: later, tokens: { recheck } }, own)
    for (let passed = 0; passed < 1000; passed += 200) {
      look()
      clock.at += 200
    }
    await running
    expect([asked, audit.outcomes[0]?.ended]).toEqual([1, 'store_unavailable'])
  })

  it('ends when the gate does, and what is no stream is answered first', async () => {
    const { passages, running, audit } = await open({ untilMs: later }, strange)
    passages[Symbol.dispose]()
    await running
    expect(audit.outcomes).toMatchObject([{ ended: 'shutdown' }])
    const other = await open({ untilMs: later }, strange, false)
    other.passages[Symbol.dispose]()
    await new Promise((resolve) => setImmediate(resolve))
    expect(other.audit.outcomes).toEqual([])
  })

  it.each([
    ['an API user', own],
    ['a stranger', strange],
  ])(
    'is like any other answer that %s waits for: it ends with the observation',
    async (_, headers) => {
      const { clock, look, running, audit } = await open({ untilMs: later }, headers, false)
      clock.at = later
      look()
      await running
      expect(audit.outcomes).toMatchObject([{ ended: 'observation_over' }])
    },
  )
})

describe('a token that ends soon', () => {
  it('is spoken of on whatever is answered, and one that does not is not', async () => {
    const endsAt = (expiresAtMs: number) => ({ principal: { ...aPrincipal, expiresAtMs } })
    const soon = await run(new FakeExchange(line, own), endsAt(1_001_000))
    expect(soon.exchange.endsAtMs).toBe(1_001_000)
    const far = await run(new FakeExchange(line, own), endsAt(1_001_001))
    expect(far.exchange.endsAtMs).toBeUndefined()
    const refused = await run(new FakeExchange('GET /nope', own), endsAt(1_000_500))
    expect([refused.code, refused.exchange.endsAtMs]).toEqual(['unmapped_route', 1_000_500])
  })
})
