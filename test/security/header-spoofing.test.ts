// Attacks by headers: rows H01 to H24, as bytes on a socket.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  answerOfMine,
  attackedPolicies,
  device,
  foreign,
  mine,
  other,
  startAttackedGate,
  type AttackedGate,
} from '../kit/attacked-gate.ts'
import { sentOn, upstreamCredential } from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'
import { startTestGate } from '../kit/start-gate.ts'
import { withWrongChecksum } from '../kit/tokens.ts'
import { expectDenied, expectRejected, expectServed } from './verdicts.ts'

let bench: AttackedGate
let behindProxy: AttackedGate
const get = `GET ${device}`
const list = 'GET /v1/products/1337/devices'
const sent = (line: string, headers: string[] = []) => sentOn(bench.upstream, line, headers)

beforeAll(async () => {
  bench = await startAttackedGate()
  behindProxy = await startAttackedGate('trusted_proxies: [127.0.0.1]')
})

beforeEach(() => {
  bench.upstream.answerWith(rawAnswer(200, answerOfMine))
})

afterAll(async () => {
  await behindProxy[Symbol.asyncDispose]()
  await bench[Symbol.asyncDispose]()
})

describe('a credential', () => {
  it('H01 two Authorization headers are 400, whichever is good', async () => {
    const token = bench.bearer()
    for (const lines of [
      [token, 'Authorization: Bearer x'],
      ['Authorization: Bearer x', token],
      [token, token],
      [token, 'authorization: Basic eDp5'],
      [token, 'AUTHORIZATION:'],
    ]) {
      const got = await bench.ask(get, { user: 'nobody', headers: lines })
      expectRejected(got, 400, 'several_credentials')
    }
  })

  it.each([
    ['two spaces', (u: string) => `Bearer  ${u}`],
    ['a list', (u: string) => `Bearer ${u},Bearer x`],
    ['a list with a space', (u: string) => `Bearer ${u}, Bearer x`],
    ['a tab', (u: string) => `Bearer\t${u}`],
    ['another case', (u: string) => `bearer ${u}`],
    ['quotes', (u: string) => `Bearer "${u}"`],
    ['no scheme', (u: string) => u],
    ['another scheme', (u: string) => `Basic ${u}`],
    ['a parameter', (u: string) => `Bearer ${u};a=b`],
    ['8 KB', () => `Bearer ${'A'.repeat(8192)}`],
    ['8 KB behind a good token', (u: string) => `Bearer ${u}${'='.repeat(8192)}`],
    ['no ASCII', (u: string) => `Bearer ${u}\xeb`],
    ['nothing', () => 'Bearer '],
    ['nothing at all', () => ''],
  ])('H03 with %s is no bearer token: 401', async (_, value) => {
    const headers = [`Authorization: ${value(bench.gate.tokens['limited'] ?? '')}`]
    expectRejected(await bench.ask(get, { user: 'nobody', headers }), 401, 'missing_token')
  })

  it.each([
    ['a wrong checksum', (u: string) => `Bearer ${withWrongChecksum(u)}`],
    ['a cut end', (u: string) => `Bearer ${u.slice(0, -1)}`],
    ['the upstream credential', () => `Bearer ${upstreamCredential}`],
  ])('H03 with %s is no token of ours: 401', async (_, value) => {
    const headers = [`Authorization: ${value(bench.gate.tokens['limited'] ?? '')}`]
    expectRejected(await bench.ask(get, { user: 'nobody', headers }), 401, 'invalid_token')
  })
})

describe('a header that the gate does not pass on', () => {
  it.each([
    ['H06 underscore aliases', ['X_Forwarded_For: 1', 'X_Org_Id: 9', 'Authorization_: evil']],
    [
      'H08 spoofed forwarding',
      [
        'X-Forwarded-Uri: /healthz',
        'X-Forwarded-Host: evil',
        'X-Forwarded-Proto: javascript',
        'X-Forwarded-Prefix: /evil',
        'X-Forwarded-Port: 443',
        'Forwarded: for=evil;host=evil',
      ],
    ],
    [
      'H09 original url',
      [
        `X-Original-URL: /v1/products/1337/devices/${other}`,
        'X-Rewrite-URL: /evil',
        'X-Original-Method: DELETE',
      ],
    ],
    [
      'H10 identity headers',
      [
        'X-Gate-User: admin',
        'X-User: admin',
        'X-Remote-User: admin',
        'X-Fleetgate-User: admin',
        'X-Request-Id: evil',
        'X-Real-IP: 1.2.3.4',
      ],
    ],
    [
      'H15 prototype names',
      ['__proto__: evil', 'constructor: evil', 'hasOwnProperty: evil', 'toString: evil'],
    ],
    ['H18 encoding steering', ['Accept-Encoding: x-gzip, gzip, gzip, zstd']],
    ['H19 ranges', ['Range: bytes=0-60', 'If-Range: "x"', 'Accept-Ranges: bytes']],
    ['H20 cookies', ['Cookie: session=evil', 'Cookie2: evil']],
    [
      'H23 proxy leftovers',
      [
        'Proxy-Authorization: Bearer evil',
        'Proxy-Connection: keep-alive',
        'TE: trailers',
        'Via: 1.1 evil',
        'Max-Forwards: 0',
        'Keep-Alive: timeout=1',
      ],
    ],
    ['H16 200 cookies', Array.from({ length: 200 }, (_, i) => `Cookie: c${i}=evil`)],
    [
      'H12 a conditional',
      ['If-None-Match: "x"', 'If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT'],
    ],
  ])('%s reaches nobody and decides nothing', async (_, headers) => {
    expectServed(await bench.ask(get, { headers }), sent(get))
    expectDenied(await bench.ask(`GET ${foreign}`, { headers }), 403, 'outside_devices')
    const nobody = await bench.ask(get, { user: 'nobody', headers })
    expectRejected(nobody, 401, 'missing_token')
  })

  it('H04 what Connection names is dropped, but never our credential', async () => {
    const named = [
      'Connection: authorization, x-user, user-agent, host, content-length, accept-encoding',
    ]
    const headers = [...named, 'X-User: evil', 'User-Agent: evil', 'X-Particle-Tool: cli']
    const got = await bench.ask(get, { headers })
    expectServed(got, sent(get, ['x-particle-tool: cli']))
    expect(got.text).not.toMatch(/x-user|evil/i)
    const denied = await bench.ask(`GET ${foreign}`, { headers })
    expectDenied(denied, 403, 'outside_devices')
  })

  it('H04 the same on the streaming way', async () => {
    const headers = [
      'Connection: authorization, x-user, content-type, transfer-encoding',
      'X-User: evil',
      'Content-Type: application/json',
    ]
    const got = await bench.ask(`PUT ${device}`, { user: 'broad', headers, body: '{"name":"a"}' })
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    expect(got.upstream).toContain(`authorization: Bearer ${upstreamCredential}\r\n`)
    expect(got.upstream).toContain('content-type: application/json\r\n')
    expect(got.upstream).not.toMatch(/x-user|evil/i)
    expect(got.upstream.endsWith('\r\n\r\n{"name":"a"}')).toBe(true)
    expect(got.traces).toBe(1)
  })

  it('H12 no user agent opens a door', async () => {
    for (const agent of ['GoogleHC/1.0', 'kube-probe/1.30', 'ELB-HealthChecker/2.0']) {
      const headers = [`User-Agent: ${agent}`]
      expectDenied(await bench.ask(`GET ${foreign}`, { headers }), 403, 'outside_devices')
      const nobody = await bench.ask(`GET ${foreign}`, { user: 'nobody', headers })
      expectRejected(nobody, 401, 'missing_token')
      expectServed(await bench.ask(get, { headers }), sent(get, [`user-agent: ${agent}`]))
    }
  })

  it('H24 a trailer is no header', async () => {
    const got = await bench.attack(
      `POST ${device}/blink HTTP/1.1\r\nHost: g\r\nConnection: close\r\n${bench.bearer()}\r\n` +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n' +
        'd\r\n{"arg":"abc"}\r\n0\r\nAuthorization: Bearer evil\r\nX-User: evil\r\n\r\n',
    )
    const headers = ['content-type: application/json']
    expectServed(got, sentOn(bench.upstream, `POST ${device}/blink`, headers, '{"arg":"abc"}'))
  })

  it('H24 a trailer is no header on the streaming way', async () => {
    const got = await bench.attack(
      `PUT ${device} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n${bench.bearer('broad')}\r\n` +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n' +
        'c\r\n{"name":"a"}\r\n0\r\nAuthorization: Bearer evil\r\n\r\n',
    )
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    expect(got.upstream).not.toMatch(/trailer|evil/i)
    expect(got.upstream).toContain('{"name":"a"}')
    expect(got.traces).toBe(1)
  })
})

describe('the client address', () => {
  it('H11 is the socket’s peer, whatever a client claims', async () => {
    const headers = ['X-Forwarded-For: 1.2.3.4', 'X-Real-IP: 1.2.3.4', 'Forwarded: for=1.2.3.4']
    const got = await bench.ask(get, { headers })
    expectServed(got, sent(get))
    expect(got.decisions).toMatchObject([{ address: '127.0.0.1' }])
    const rejected = await bench.ask(get, { user: 'nobody', headers })
    expectRejected(rejected, 401, 'missing_token')
    expect(rejected.rejects).toMatchObject([{ address: '127.0.0.1' }])
  })

  it('H11 is what a trusted proxy wrote last, not what its client wrote before', async () => {
    const { upstream } = behindProxy
    const headers = ['X-Forwarded-For: 9.9.9.9', 'X-Forwarded-For: 8.8.8.8, 1.2.3.4']
    const got = await behindProxy.ask(get, { headers })
    expectServed(got, sentOn(upstream, get))
    expect(got.decisions).toMatchObject([{ address: '1.2.3.4' }])
    const odd = await behindProxy.ask(get, { headers: ['X-Forwarded-For: javascript'] })
    expectServed(odd, sentOn(upstream, get))
    expect(odd.decisions).toMatchObject([{ address: '127.0.0.1' }])
  })
})

describe('Host', () => {
  const withHosts = (...hosts: string[]) =>
    [`${get} HTTP/1.1`, ...hosts, 'Connection: close', bench.bearer(), '', ''].join('\r\n')

  it.each([
    ['two', ['Host: gate.example', 'Host: evil']],
    ['two that are alike', ['Host: gate.example', 'host: gate.example']],
    ['none', []],
  ])('H13 %s is 400', async (_, hosts) => {
    expectRejected(await bench.attack(withHosts(...hosts)), 400, 'invalid_request')
  })

  it.each(['evil', 'evillocalhost:3000', '127.0.0.1:1@evil', '', '[::1]', 'a b/c'])(
    'H13 %j routes nothing: upstream has its own',
    async (host) => {
      expectServed(await bench.attack(withHosts(`Host: ${host}`)), sent(get))
    },
  )
})

describe('the size of a head', () => {
  it.each([
    ['20 KB in one header', [`X-Big: ${'a'.repeat(20_000)}`]],
    ['2100 headers', Array.from({ length: 2100 }, () => 'a: b')],
    ['200 long cookies', Array.from({ length: 200 }, (_, i) => `Cookie: c${i}=${'x'.repeat(100)}`)],
  ])('H16 %s is 431', async (_, headers) => {
    expectRejected(await bench.ask(get, { headers }), 431, 'headers_too_large')
  })

  it('H16 a head that never ends is 431', async () => {
    const got = await bench.attack(`${get} HTTP/1.1\r\nHost: g\r\nX-Big: ${'a'.repeat(100_000)}`)
    expectRejected(got, 431, 'headers_too_large')
  })

  it('H16 a target of 20 KB is 431 or 400', async () => {
    const got = await bench.ask(`GET /v1/${'a'.repeat(20_000)}`)
    expectRejected(got, 431, 'headers_too_large')
  })
})

describe('data that would become a header', () => {
  it('H17 an API user whose name is no plain word is not loaded', async () => {
    const policies = {
      'users.yaml': attackedPolicies['users.yaml'].replace('  limited:', '  "Zoë 中\\r\\nX: y":'),
    }
    const started = startTestGate({
      upstream: { url: bench.upstream.url, token: upstreamCredential },
      policies,
    })
    await expect(started).rejects.toThrow(/users\.yaml/)
    expectServed(await bench.ask(get), sent(get))
  })

  it('H17 a user agent beyond ASCII passes as it came and is logged escaped', async () => {
    const headers = ['User-Agent: Zo\xeb \xe4\xb8\xad', 'X-Particle-Tool: \xff']
    const got = await bench.ask(get, { headers })
    expectServed(got, sent(get, ['user-agent: Zo\xeb \xe4\xb8\xad', 'x-particle-tool: \xff']))
  })

  it.each([
    ['small', get, undefined],
    ['streaming', `PUT ${device}`, '{"name":"a"}'],
  ])('H17 an upstream header beyond ASCII ends nothing on the %s way', async (_, line, body) => {
    bench.upstream.answerWith(
      rawAnswer(200, answerOfMine, {
        'Content-Disposition': 'attachment; filename="Zo\xeb \xe4\xb8\xad \xf0\x9f\x9a\x80"',
      }),
    )
    const headers = body === undefined ? [] : ['Content-Type: application/json']
    const asking = { user: 'broad', headers, ...(body !== undefined && { body }) } as const
    const got = await bench.ask(line, asking)
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    expect(got.upstream).toMatch(new RegExp(`^${line} HTTP/1.1\r\n`))
    expect(got.traces).toBe(1)
  })
})

describe('what comes back', () => {
  const rows = `{"devices":[{"id":"${mine}"},{"id":"${other}"}]}`

  it('H18 an answer is asked for plain, and one that is encoded anyway is 502', async () => {
    const headers = ['Accept-Encoding: gzip, br, zstd']
    for (const coding of ['gzip', 'x-gzip', 'gzip, gzip', 'br', 'zstd']) {
      bench.upstream.answerWith(rawAnswer(200, rows, { 'Content-Encoding': coding }))
      const got = await bench.ask(list, { user: 'broad', headers })
      expect(got.answers.map(({ status }) => status)).toEqual([502])
      expect(got.text).not.toContain(other)
      expect([got.upstream, got.traces]).toEqual([sent(list), 1])
    }
  })

  it('H19 a part of an answer is 502', async () => {
    bench.upstream.answerWith(
      rawAnswer(206, rows.slice(0, 20), { 'Content-Range': `bytes 0-19/${rows.length}` }),
    )
    const got = await bench.ask(list, { user: 'broad', headers: ['Range: bytes=0-19'] })
    expect(got.answers.map(({ status }) => status)).toEqual([502])
    expect([got.upstream, got.traces]).toEqual([sent(list), 1])
  })

  it.each([
    ['small', get, undefined],
    ['streaming', `PUT ${device}`, '{"name":"a"}'],
  ])('H20 H22 cookies and shared caching end at the gate on the %s way', async (_, line, body) => {
    bench.upstream.answerWith(
      rawAnswer(200, answerOfMine, {
        'Set-Cookie': 'session=ours',
        'Cache-Control': 'public, max-age=600',
        Expires: 'Mon, 01 Jan 2035 00:00:00 GMT',
        Vary: '*',
        Server: 'cloud',
        'Access-Control-Allow-Credentials': 'true',
      }),
    )
    const headers = [
      'Cookie: session=evil',
      ...(body === undefined ? [] : ['Content-Type: application/json']),
    ]
    const asking = { user: 'broad', headers, ...(body !== undefined && { body }) } as const
    const got = await bench.ask(line, asking)
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    const [answer] = got.answers
    expect(answer?.headers.get('cache-control')).toMatch(/^(private, )?no-store$/)
    expect(answer?.headers.get('vary')).toBe('Authorization')
    expect(got.text).not.toMatch(/set-cookie|session|expires:|server:|credentials/i)
    expect(got.upstream).not.toMatch(/cookie/i)
    expect(got.traces).toBe(1)
  })

  it('H22 errors of the gate and of upstream are not cached either', async () => {
    bench.upstream.answerWith(
      rawAnswer(404, '{"error":"x"}', { 'Cache-Control': 'public, max-age=600' }),
    )
    const passed = await bench.ask(get)
    const denied = await bench.ask(`GET ${foreign}`)
    const nobody = await bench.ask(get, { user: 'nobody' })
    expect([passed, denied, nobody].map(({ answers }) => answers[0]?.status)).toEqual([
      404, 403, 401,
    ])
    for (const { answers, traces } of [passed, denied, nobody]) {
      expect(answers[0]?.headers.get('cache-control')).toMatch(/no-store/)
      expect(answers[0]?.headers.get('vary')).toBe('Authorization')
      expect(traces).toBe(1)
    }
    expect([passed.upstream, denied.upstream, nobody.upstream]).toEqual([sent(get), '', ''])
  })
})

describe('after all attacks', () => {
  it('no row has come that belongs to none of the requests', async () => {
    expect(await bench.lateRows()).toBe(0)
  })
})
