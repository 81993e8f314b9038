// Attacks on tokens and identity: rows T01 to T17, as bytes on a socket.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/domain/clock.ts'
import { mintToken } from '../../src/store/token-format.ts'
import { commandLine, elsewhere } from '../kit/elsewhere.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { traces } from '../kit/invariant.ts'
import { anOperator, bothPorts, callWith, operate, recordsOf } from '../kit/operated-gate.ts'
import {
  mine,
  okJson,
  other,
  product,
  requestBytes,
  sentOn,
  startBench,
  upstreamCredential,
  type Bench,
  type Exchanged,
} from '../kit/raw-exchange.ts'
import { sendRaw } from '../kit/raw-socket.ts'
import { rawAnswer, startRecordingUpstream } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGateOptions } from '../kit/start-gate.ts'
import { testDatabase } from '../kit/test-database.ts'
import { withWrongChecksum } from '../kit/tokens.ts'

const device = `/v1/products/${product}/devices/${mine}`
const expiry = Date.UTC(2027, 2, 1)
const day = 86_400_000
const form = 'Content-Type: application/x-www-form-urlencoded'

const policies = (boundary = `product: ${product}`) => ({
  'users.yaml': `
roles:
  technician:
    rules:
      - can: [devices:get, devices:update.name]
      - can: devices.function:call
      - can: events:send
users:
  limited:
    owner: field@acme.example
    ${boundary}
    devices: { ids: [${mine}] }
    roles: [technician]
    expires: never
  broad:
    owner: field@acme.example
    product: ${product}
    devices: all
    scopes: events:get
    rules:
      - can: [read, live, control, deploy, egress, personal, secret, escalates]
    expires: never
  second:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
    roles: [technician]
    expires: never
  dated:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
    roles: [technician]
    expires: 2027-03-01
  living:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
    roles: [technician]
    lifetime: 90d
  idler:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
    roles: [technician]
    idle: 1h
`,
})

let bench: Bench
let u: string
let now = expiry - 30 * day
const start = now

beforeAll(async () => {
  bench = await startBench({
    policies: policies(),
    clock: { now: () => now, monotonic: systemClock.monotonic },
  })
  u = bench.gate.tokens['limited'] ?? ''
})

beforeEach(() => {
  now = start
  bench.upstream.answerWith(rawAnswer(200, okJson))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

/** Refused before it was known who asks: nothing upstream, one reject row. */
function expectReject(got: Exchanged, status: number, reason: string): void {
  expect([got.status, got.upstream, got.traces]).toEqual([status, '', 1])
  expect(got.rejects).toMatchObject([{ reason, status }])
}

/** Refused for a known API user: nothing upstream, one decision row. */
function expectDenied(got: Exchanged, status: number, reason: string): void {
  expect([got.status, got.upstream, got.traces]).toEqual([status, '', 1])
  expect(got.decisions).toMatchObject([{ decision: 'deny', reason }])
}

function expectServed(got: Exchanged, sent: string): void {
  expect([got.status, got.upstream, got.traces]).toEqual([200, sent, 1])
  expect(got.decisions).toMatchObject([{ decision: 'allow' }])
}

const plainGet = () => sentOn(bench.upstream, `GET ${device}`)

describe('where a token stands', () => {
  it('serves one token in the header, in the query of a GET, or in a form', async () => {
    expectServed(await bench.ask('limited', `GET ${device}`), plainGet())
    expectServed(await bench.ask(undefined, `GET ${device}?access_token=${u}`), plainGet())
    const call = await bench.ask(undefined, `POST ${device}/reboot`, [form], `access_token=${u}`)
    expect([call.status, call.traces]).toEqual([200, 1])
  })

  it('T01 refuses two places, also when both hold the same token', async () => {
    const inQuery = `GET ${device}?access_token=`
    for (const second of ['x', u]) {
      expectReject(await bench.ask('limited', inQuery + second), 400, 'several_credentials')
      const inForm = await bench.ask(
        'limited',
        `POST ${device}/reboot`,
        [form],
        `arg=1&access_token=${second}`,
      )
      expectReject(inForm, 400, 'several_credentials')
      const both = await bench.ask(
        undefined,
        `POST ${device}/reboot?access_token=${u}`,
        [form],
        `access_token=${second}`,
      )
      expectReject(both, 400, 'several_credentials')
    }
  })

  it('T01 takes no query token with a method the cloud does not take it with', async () => {
    const got = await bench.ask(undefined, `PUT ${device}?access_token=${u}`)
    expectReject(got, 400, 'invalid_request')
  })

  it('T02 refuses a repeated query token', async () => {
    const line = `GET ${device}?access_token=${u}&access_token=`
    expectReject(await bench.ask(undefined, `${line}x`), 400, 'ambiguous_target')
    expectReject(await bench.ask(undefined, line + u), 400, 'ambiguous_target')
    const inForm = `access_token=${u}&access_token=${u}`
    const got = await bench.ask(undefined, `POST ${device}/reboot`, [form], inForm)
    expectReject(got, 400, 'several_credentials')
  })

  it('T03 knows an encoded key and takes it out of what is sent on', async () => {
    expectServed(await bench.ask(undefined, `GET ${device}?access%5Ftoken=${u}`), plainGet())
    const twice = `GET ${device}?access%5Ftoken=${u}&access_token=${u}`
    expectReject(await bench.ask(undefined, twice), 400, 'ambiguous_target')
  })

  it('T04 refuses parameter 1001 with all others, in a query and in a form', async () => {
    const dummies = Array.from({ length: 1000 }, (_, i) => `a${i}=1`).join('&')
    for (const last of [`access_token=${u}`, `deviceID=${other}`]) {
      const got = await bench.ask('limited', `GET ${device}?${dummies}&${last}`)
      expectReject(got, 400, 'ambiguous_target')
    }
    const body = `${dummies}&access_token=${u}`
    const inForm = await bench.ask(undefined, `POST ${device}/reboot`, [form], body)
    expectReject(inForm, 400, 'invalid_body')
  })

  it('T05 takes a form token out of the body that is sent on', async () => {
    const body = `arg=5&access_token=${u}`
    const got = await bench.ask(undefined, `POST ${device}/reboot`, [form], body)
    const type = 'content-type: application/x-www-form-urlencoded'
    expectServed(got, sentOn(bench.upstream, `POST ${device}/reboot`, [type], 'arg=5'))
  })

  it('T05 takes no token from JSON or multipart, alone or beside a header', async () => {
    const json = ['Content-Type: application/json']
    const body = JSON.stringify({ arg: '5', access_token: u })
    const line = `POST ${device}/reboot`
    expectReject(await bench.ask(undefined, line, json, body), 401, 'missing_token')
    expectDenied(await bench.ask('limited', line, json, body), 400, 'invalid_body')

    const multipart = ['Content-Type: multipart/form-data; boundary=XX']
    const parts = `--XX\r\nContent-Disposition: form-data; name="access_token"\r\n\r\n${u}\r\n--XX--\r\n`
    const upload = `POST /v1/products/${product}/firmware`
    expectReject(await bench.ask(undefined, upload, multipart, parts), 401, 'missing_token')
    const beside = await bench.ask('broad', upload, multipart, parts)
    expect([beside.status, beside.traces]).toEqual([400, 1])
    expect(beside.upstream).not.toContain(u)
    expect(beside.upstream).not.toContain('access_token')
    expect(beside.upstream).not.toContain('--XX--')
  })

  it.each([
    ['T06 another letter case', 'ACCESS_TOKEN=', 401, 'missing_token'],
    ['T06 brackets', 'access_token[]=', 400, 'ambiguous_target'],
    ['T06 encoded brackets', 'access_token%5B%5D=', 400, 'ambiguous_target'],
    ['T06 a NUL', 'access_token%00=', 400, 'ambiguous_target'],
    ['T06 a semicolon', 'a=b;access_token=', 400, 'ambiguous_target'],
    ['T06 a second question mark', '?access_token=', 400, 'ambiguous_target'],
    ['T06 a space', 'access_token+=', 400, 'ambiguous_target'],
  ])('%s makes no credential', async (_, key, status, reason) => {
    expectReject(await bench.ask(undefined, `GET ${device}?${key}${u}`), status, reason)
    const beside = await bench.ask('limited', `GET ${device}?${key}${u}`)
    expect([beside.status, beside.upstream, beside.traces]).toEqual([400, '', 1])
  })
})

describe('how long a token lives', () => {
  const get = (user: string) => bench.ask(user, `GET ${device}`)

  it.each([
    ['T07 a date', 'dated', expiry],
    ['T07 a lifetime', 'living', start + 90 * day],
  ])('%s is served 1 ms before its end and denied at it and after it', async (_, user, end) => {
    now = end - 1
    expectServed(await get(user), plainGet())
    for (const at of [end, end + 1, end + 400 * day]) {
      now = at
      expectReject(await get(user), 401, 'expired_token')
    }
    now = end - 400 * day
    expectServed(await get(user), plainGet())
  })

  it('T07 idle time runs from the last use, and a clock 400 days off does not stretch it', async () => {
    const hour = 3_600_000
    now = start + hour - 1
    expectServed(await get('idler'), plainGet())
    now += hour - 1
    expectServed(await get('idler'), plainGet())
    const used = now
    for (const at of [used + hour, used + 400 * day, used - 400 * day]) {
      now = at
      expectReject(await get('idler'), 401, 'expired_token')
    }
  })

  it('T08 a revocation by another process bites on every request that starts after it', async () => {
    const before = (await traces(bench.gate)).total
    const secret = bench.gate.tokens['second']
    const bytes = requestBytes(`GET ${device}`, [`Authorization: Bearer ${secret}`])
    const late: number[] = []
    let sent = 0
    let revoked = false
    let served = 0
    const stop = new AbortController()
    const client = async () => {
      for (let denied = 0; denied < 5 && !stop.signal.aborted;) {
        const after = revoked
        sent += 1
        const { status } = await sendRaw(bench.gate.port, bytes)
        if (status === 200) served += 1
        if (after) late.push(status)
        if (status === 401) denied += 1
      }
    }
    const load = Promise.all(Array.from({ length: 8 }, client))
    try {
      await expect.poll(() => served, { timeout: 10_000 }).toBeGreaterThan(50)
      await elsewhere(bench.gate.config, (tokens) => tokens.revoke({ user: 'second' }, commandLine))
      revoked = true
      await load
    } finally {
      stop.abort()
    }
    expect(new Set(late)).toEqual(new Set([401]))
    await expect.poll(async () => (await traces(bench.gate)).total - before).toBe(sent)
  })

  it('T08 a revocation on another replica bites within the bound, in its load, and its rows say so', async () => {
    await using database = await testDatabase()
    await using upstream = await startRecordingUpstream()
    upstream.answerWith(rawAnswer(200, okJson))
    const replica = (name: string, more: Partial<TestGateOptions> = {}) =>
      startTestGate({
        upstream: { url: upstream.url, token: upstreamCredential },
        policies: policies(),
        config: `replica: ${name}\n${bothPorts}${database.config()}`,
        ...more,
      })
    await using a = await replica('a', { mint: ['limited', 'second'] })
    await using b = await replica('b', { mint: [] })
    const ask = (user: string) => callWith(b.url, device, a.tokens[user] ?? '')
    expect([(await ask('limited')).status, (await ask('second')).status]).toEqual([200, 200])
    const calls: { status: number; sentMs: number }[] = []
    const client = async () => {
      for (let denied = 0; denied < 5;) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other, as a client does
        const called = await ask('second')
        calls.push(called)
        if (called.status === 401) denied += 1
        // Five clients that rest for 20 ms: about 200 requests a second.
        // oxlint-disable-next-line no-await-in-loop -- as above
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    await using clock = await startFairClock()
    const load = Promise.all(Array.from({ length: 5 }, client))
    await expect.poll(() => calls.length, { timeout: 10_000 }).toBeGreaterThan(50)
    const admin = operate(a.adminUrl, await anOperator(a, 'olga'))
    const said = await admin('DELETE', '/api/users/second/token')
    expect(said.status).toBe(200)
    await load
    const allowed = calls.filter(({ status }) => status === 200)
    const lastMs = Math.max(...allowed.map(({ sentMs }) => sentMs))
    expect(await clock.between(said.atMs, lastMs)).toBeLessThan(1000)
    expect(new Set(calls.map(({ status }) => status))).toEqual(new Set([200, 401]))
    expect((await ask('limited')).status).toBe(200)
    expect(upstream.seen().match(/^GET /gm)).toHaveLength(allowed.length + 3)
    const { decisions, rejects, total } = await traces(b)
    expect(total).toBe(calls.length + 3)
    expect(rejects.length).toBeGreaterThan(10)
    const outcomes = await b.outcomes()
    const served = decisions
      .filter((row) => row['user'] === 'second')
      .map((row) => outcomes.find((each) => each['request_id'] === row['request_id']))
    expect(served.filter((row) => row?.['status'] === 200)).toHaveLength(allowed.length + 1)
    // The row of the change stands in the log of the replica that heard of it too.
    const changes = (await recordsOf(b)).filter(({ event }) => event === 'store_changed')
    expect(changes.map(({ data }) => data)).toContainEqual(
      expect.objectContaining({ user: 'second', by: 'operator:olga', change: expect.any(String) }),
    )
  })
})

describe('which token it is', () => {
  it('T09 decides the same token by product, device and set, never by what it was allowed before', async () => {
    const elsewhere = `/v1/products/67890/devices/${mine}`
    for (let round = 0; round < 3; round++) {
      expectServed(await bench.ask('limited', `GET ${device}`), plainGet())
      expectDenied(await bench.ask('limited', `GET ${elsewhere}`), 403, 'outside_boundary')
      const foreign = device.replace(mine, other)
      expectDenied(await bench.ask('limited', `GET ${foreign}`), 403, 'outside_devices')
      expectDenied(await bench.ask('limited', `DELETE ${device}`), 403, 'not_granted')
    }
    await bench.gate.writePolicy('users.yaml', policies('product: 67890')['users.yaml'])
    await bench.gate.reload()
    expectDenied(await bench.ask('limited', `GET ${device}`), 403, 'outside_boundary')
    await bench.gate.writePolicy('users.yaml', policies()['users.yaml'])
    await bench.gate.reload()
    expectServed(await bench.ask('limited', `GET ${device}`), plainGet())
  })

  it('T11 takes the same time for an unknown id, a wrong secret and a revoked token', async () => {
    const unknown = mintToken('u', randomBytes).token
    const kinds = {
      unknown,
      wrongSecret: withSecretOf(unknown, u),
      revoked: bench.gate.tokens['second'] ?? '',
      badChecksum: withWrongChecksum(u),
    }
    const before = (await traces(bench.gate)).total
    const samples: Record<string, number[]> = {}
    const apart = () => {
      const medians = ['unknown', 'wrongSecret', 'revoked'].map((kind) =>
        median(samples[kind] ?? []),
      )
      return Math.max(...medians) / Math.min(...medians) - 1
    }
    // What the machine does meanwhile is lost among more samples; a difference of the gate's is not.
    let batches = 0
    do {
      batches += 1
      // oxlint-disable-next-line no-await-in-loop -- more only where in doubt
      await timed(bench.gate.port, kinds, 400, samples)
    } while (apart() >= 0.35 && batches < 8)
    expect(apart()).toBeLessThan(0.35)
    await expect
      .poll(async () => (await traces(bench.gate)).total - before)
      .toBe(batches * 400 * Object.keys(kinds).length)
  })

  it('T13 is under what the files say today, not under what they said at issue', async () => {
    const [yaml] = Object.values(policies())
    expectServed(await bench.ask('limited', `GET ${device}`), plainGet())
    const narrowed = yaml?.replace('[devices:get, devices:update.name]', 'devices:update.name')
    await bench.gate.writePolicy('users.yaml', narrowed ?? '')
    await bench.gate.reload()
    expectDenied(await bench.ask('limited', `GET ${device}`), 403, 'not_granted')
    await bench.gate.writePolicy('users.yaml', yaml ?? '')
    await bench.gate.reload()
  })

  it('T14 refuses an operator token and the upstream credential itself', async () => {
    for (const secret of [mintToken('o', randomBytes).token, upstreamCredential]) {
      const header = [`Authorization: Bearer ${secret}`]
      expectReject(await bench.ask(undefined, `GET ${device}`, header), 401, 'invalid_token')
      const inQuery = `GET ${device}?access_token=${secret}`
      expectReject(await bench.ask(undefined, inQuery), 401, 'invalid_token')
    }
  })

  it('T14 refuses the token of an API user on the admin port, and that of an operator on the data port', async () => {
    await using gate = await startTestGate({
      upstream: { url: bench.upstream.url, token: upstreamCredential },
      policies: policies(),
      config: bothPorts,
      mint: ['limited'],
    })
    const { limited = '' } = gate.tokens
    const owner = await anOperator(gate, 'olga', 'owner')
    const admin = operate(gate.adminUrl, owner)
    expect((await admin('GET', '/api/whoami')).status).toBe(200)
    bench.upstream.clear()
    const onAdmin = [
      ['GET', '/api/whoami'],
      ['GET', '/api/users/limited'],
      ['POST', '/api/users/limited/token'],
      ['DELETE', '/api/users/limited/token'],
      ['POST', '/api/operators', { name: 'eve', role: 'owner' }],
      ['GET', `/v1/products/${product}/team`],
      ['GET', device],
    ] as const
    for (const secret of [limited, upstreamCredential, mintToken('u', randomBytes).token]) {
      for (const [method, path, body] of onAdmin) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const said = await operate(gate.adminUrl, secret)(method, path, body)
        expect([path, said.status]).toEqual([path, path === device ? 404 : 401])
        expect(said.text).not.toContain(secret)
      }
    }
    expect((await fetch(`${gate.adminUrl}/api/whoami?access_token=${owner}`)).status).toBe(401)
    for (const path of [device, `${device}?access_token=${owner}`, '/v1/user', '/api/whoami']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect([path, (await callWith(gate.url, path, owner)).status]).toEqual([
        path,
        path.includes('?') ? 400 : 401,
      ])
    }
    expect(bench.upstream.seen()).toBe('')
    // The paths of one port mean nothing on the other, whoever asks.
    expect((await callWith(gate.url, '/api/whoami', limited)).status).toBe(404)
    expect((await admin('GET', device)).status).toBe(404)
    const rejects = await gate.rejects()
    const { summarised } = await traces(gate)
    expect(rejects.length + summarised).toBe(3 * onAdmin.length + 1 + 4 + 1)
    const wrongKind = rejects.filter((row) => row['token_id'] === limited.split('_')[2])
    expect(wrongKind.length).toBeGreaterThan(0)
    for (const row of wrongKind) expect(row).toMatchObject({ port: 'admin' })
    expect(wrongKind.map(({ status }) => status)).toContain(401)
    // Neither took effect: the token lives, and nobody new is there.
    expect((await callWith(gate.url, device, limited)).status).toBe(200)
    expect((await admin('GET', '/api/operators')).text).not.toContain('"eve"')
  })

  it('T15 refuses a JWT: a token is looked up, never interpreted', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = part({ sub: 'limited', exp: 4102444800 })
    for (const head of [{ alg: 'none' }, { alg: 'HS256', kid: '../../dev/null' }]) {
      for (const signature of ['', part({ any: 'thing' })]) {
        const header = [`Authorization: Bearer ${part(head)}.${claims}.${signature}`]
        expectReject(await bench.ask(undefined, `GET ${device}`, header), 401, 'invalid_token')
      }
    }
  })
})

/** A stream that the cloud refused is not asked for again for a while: asks until it is. */
async function askTheCloud(line: string): Promise<Exchanged> {
  for (let tries = 0; tries < 40; tries += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const got = await bench.ask('broad', line)
    if (got.upstream !== '') return got
    // oxlint-disable-next-line no-await-in-loop -- likewise
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
  }
  throw new Error(`never asked for upstream: ${line}`)
}

describe('the account behind the gate', () => {
  it.each([
    ['GET /v1/access_tokens', 403],
    ['DELETE /v1/access_tokens/0123456789', 403],
    ['POST /oauth/token', 403],
    ['PUT /v1/user', 403],
    ['DELETE /v1/user', 403],
    [`POST /v1/orgs/0123456789abcdef01234567/team`, 403],
    [`POST /v1/products/${product}/team`, 403],
    [`PUT /v1/products/${product}/team/a@b.example/token`, 403],
  ])('T16 %s is not reached by every class there is', async (line, status) => {
    const body = line.endsWith('/team') ? '{"username":"a@b.example","role":"owner"}' : undefined
    const headers = body === undefined ? [] : ['Content-Type: application/json']
    const got = await bench.ask('broad', line, headers, body)
    expect([got.status, got.traces]).toEqual([status, 1])
    expect(got.decisions).toMatchObject([{ decision: 'deny' }])
    // A slug or an owner may be looked up with our credential; the route itself is never called.
    expect(got.upstream).not.toContain(line.slice(line.indexOf(' ') + 1))
  })

  it('T16 answers for the own token itself', async () => {
    for (const target of ['/v1/access_tokens/current', '/v1/user']) {
      const got = await bench.ask('limited', `GET ${target}`)
      expect([got.status, got.upstream, got.traces]).toEqual([200, '', 1])
      expect(got.decisions).toMatchObject([{ decision: 'allow' }])
    }
    const after = await bench.ask('living', 'DELETE /v1/access_tokens/current')
    expect([after.status, after.upstream, after.traces]).toEqual([200, '', 1])
    expectReject(await bench.ask('living', `GET ${device}`), 401, 'invalid_token')
  })

  it.each([`GET ${device}`, `GET /v1/products/${product}/events`])(
    'T17 a refusal of our credential is the gate’s failure, not the client’s: %s',
    async (line) => {
      bench.upstream.answerWith(rawAnswer(401, '{"error":"invalid_token"}'))
      const got = await bench.ask('broad', line)
      expect([got.status, got.traces]).toEqual([502, 1])
      expect(got.text).not.toMatch(/invalid_token|Bearer/)
      expect(got.decisions).toMatchObject([{ decision: 'allow' }])
    },
  )

  it('T17 shows our credential to nobody, however the upstream reflects it', async () => {
    const echo = `Bearer ${upstreamCredential}`
    bench.upstream.answerWith(
      rawAnswer(400, JSON.stringify({ error: 'bad', error_description: `you sent ${echo}` }), {
        'WWW-Authenticate': echo,
        'Retry-After': echo,
        'X-Request-Id': upstreamCredential,
      }),
    )
    for (const line of [`GET ${device}`, `GET /v1/products/${product}/events`]) {
      const got = await askTheCloud(line)
      expect([got.status, got.traces]).toEqual([400, 1])
      expect(got.text).not.toContain(upstreamCredential)
      expect(got.headers.has('www-authenticate')).toBe(false)
      expect(got.upstream).toContain(`authorization: ${echo}`)
    }
  })
})

describe('what is left of a token', () => {
  it('T12 leaves no token in the audit files, the log and the answers', async () => {
    const { gate } = bench
    await bench.ask('limited', `GET /v1/devices/${u}`)
    await bench.ask(undefined, `GET /v1/devices/${u}`, ['Authorization: Bearer nonsense'])
    await bench.ask('limited', `GET ${device}?${u}=1`)
    await bench.ask('limited', `GET ${device}?note=${u}`)
    await bench.ask('limited', `GET ${device}/${u}`, [`User-Agent: ${u}`, `Referer: /?t=${u}`])
    await bench.ask('limited', `POST ${device}/${u}`, [form], `arg=${u}`)
    await bench.ask('limited', `${u} ${device}`)
    await bench.send(`GET ${device}?access_token=${u}\u0001 HTTP/1.1\r\nHost: x\r\n\r\n`)
    await bench.send(requestBytes(`GET ${device}?access_token=${u}`, ['Expect: 200-ok']))
    bench.upstream.answerWith(`HTTP/1.1 200 ${upstreamCredential}\r\n${upstreamCredential}\r\n\r\n`)
    await bench.ask('limited', `GET ${device}`)

    const secrets = [...Object.values(gate.tokens), upstreamCredential]
    const outputs = new Map(filesUnder(join(gate.folder, 'audit')))
    outputs.set('log', gate.log())
    outputs.set('answers', bench.answers.join(''))
    // Two logs, who holds their folder, and how far changes are on record.
    expect(outputs.size).toBe(6)
    const found = [...outputs].flatMap(([name, text]) =>
      secrets.filter((secret) => text.includes(secret)).map((secret) => `${name}: ${secret}`),
    )
    expect(found).toEqual([])
    // The search would find one: rows name the token's public id.
    expect(outputs.get('decisions.jsonl')).toContain(u.split('_')[2])
    const store = new Map(filesUnder(gate.folder))
    const inStore = [...store].filter(
      ([name, text]) =>
        name.startsWith('fleetgate.sqlite') && secrets.some((secret) => text.includes(secret)),
    )
    expect(inStore).toEqual([])
  })
})

function filesUnder(folder: string): [string, string][] {
  return readdirSync(folder)
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => [name, readFileSync(join(folder, name), 'latin1')])
}

/** A right id with another token's secret, under a right checksum. */
function withSecretOf(donor: string, owner: string): string {
  const letters = `${owner.slice(5, 17)}${donor.slice(18, 50)}`
  const bytes = Buffer.from([...letters].map((letter) => alphabet.indexOf(letter)))
  return mintToken('u', () => bytes).token
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
}

/** Adds milliseconds per request of each kind, in turns on one connection. */
async function timed(
  port: number,
  kinds: Readonly<Record<string, string>>,
  rounds: number,
  samples: Record<string, number[]>,
): Promise<void> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  let answered: (() => void) | undefined
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    if (text.endsWith('}')) answered?.()
  })
  for (let round = 0; round < rounds; round++) {
    for (const [kind, token] of Object.entries(kinds)) {
      text = ''
      const done = new Promise<void>((resolve) => (answered = resolve))
      const began = performance.now()
      socket.write(`GET ${device} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`)
      await done
      ;(samples[kind] ??= []).push(performance.now() - began)
    }
  }
  socket.destroy()
}
