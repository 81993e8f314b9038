// Attacks by method, version and connection: rows M01 to M12, as bytes on a socket.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  answerOfMine,
  device,
  foreign,
  mine,
  other,
  plain,
  startAttackedGate,
  type AttackedGate,
} from '../kit/attacked-gate.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { openRaw } from '../kit/raw-client.ts'
import { sentOn } from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'
import { expectDenied, expectRejected, expectServed } from './verdicts.ts'

let bench: AttackedGate
const sent = (line: string) => sentOn(bench.upstream, line)

beforeAll(async () => {
  bench = await startAttackedGate('timeouts: { headers: 1s }')
})

beforeEach(() => {
  bench.upstream.answerWith(rawAnswer(200, answerOfMine))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

describe('a method', () => {
  it('M01 HEAD is decided like GET and tells no more', async () => {
    expectServed(await bench.ask(`GET ${device}`), sent(`GET ${device}`))
    const own = await bench.ask(`HEAD ${device}`)
    // What HEAD tells must be what GET tells, so upstream is asked for the whole.
    expectServed(own, sent(`GET ${device}`))
    expect(own.rest).toBe('')
    expect(own.answers[0]?.headers.get('content-length')).toBe(String(answerOfMine.length))

    const heads = []
    for (const id of [other, 'f'.repeat(24)]) {
      const got = await bench.ask(`HEAD /v1/products/1337/devices/${id}`)
      expectDenied(got, 403, 'outside_devices')
      expect(got.rest).toBe('')
      const headers = new Map(got.answers[0]?.headers)
      headers.delete('x-request-id')
      headers.delete('date')
      expect(headers.has('etag')).toBe(false)
      heads.push([...headers])
    }
    expect(heads[1]).toEqual(heads[0])
    expectRejected(await bench.ask(`HEAD ${device}`, { user: 'nobody' }), 401, 'missing_token')
  })

  it('M01 HEAD opens no stream', async () => {
    const got = await bench.ask('HEAD /v1/products/1337/events/temperature', { user: 'broad' })
    expectDenied(got, 405, 'method_not_allowed')
  })

  it('M02 TRACE is 405 and echoes nothing', async () => {
    const got = await bench.ask('TRACE /v1/devices')
    expectRejected(got, 405, 'method_not_allowed')
    expect(got.text).not.toContain(bench.gate.tokens['limited'])
  })

  it.each(['PURGE', 'QUERY', 'PROPFIND', 'LINK', 'MKCOL', 'M-SEARCH', 'SOURCE'])(
    'M03 %s is 405',
    async (method) => {
      const got = await bench.ask(`${method} ${device}`)
      expectRejected(got, 405, 'method_not_allowed')
      expect(got.answers[0]?.headers.get('allow')).toMatch(/\bGET\b/)
    },
  )

  it.each(['EVIL', 'get', 'Get', 'GETT', 'GET\x80'])('M03 no method: %j is 400', async (method) => {
    expectRejected(await bench.ask(`${method} ${device}`), 400, 'invalid_request')
  })

  it('M03 a method that this path does not have is 405', async () => {
    expectDenied(await bench.ask(`PATCH ${device}`), 405, 'method_not_allowed')
  })

  it('M04 CONNECT is 405 and closes', async () => {
    const got = await bench.attack(
      `CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n${bench.bearer()}\r\n\r\n`,
    )
    expectRejected(got, 405, 'method_not_allowed')
    expect(got.closed).toBe('end')
  })

  it.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])(
    'M05 %s changes neither the decision nor what is sent on',
    async (name) => {
      const headers = [`${name}: DELETE`]
      expectDenied(await bench.ask(`POST ${foreign}/blink`, { headers }), 403, 'outside_devices')
      expectDenied(await bench.ask(`POST ${device}`, { headers }), 405, 'method_not_allowed')
      const call = await bench.ask(`POST ${device}/blink`, { headers })
      const plainCall = await bench.ask(`POST ${device}/blink`)
      expectServed(call, plainCall.upstream)
      expect(call.upstream).not.toContain('DELETE')
    },
  )

  it('M05 _method is no parameter', async () => {
    const inQuery = await bench.ask(`POST ${device}/blink?_method=DELETE`)
    expectDenied(inQuery, 400, 'unknown_query_key')
    const headers = ['Content-Type: application/x-www-form-urlencoded']
    const inForm = await bench.ask(`POST ${device}/blink`, { headers, body: '_method=DELETE' })
    expectDenied(inForm, 400, 'invalid_body')
  })

  it('M11 a preflight is answered here, with or without a token', async () => {
    const headers = ['Origin: https://evil.example', 'Access-Control-Request-Method: GET']
    const target = `OPTIONS /v1/devices/${other}`
    const got = await bench.ask(target, { user: 'nobody', headers })
    expectRejected(got, 204, 'preflight')
    expect(got.answers[0]?.headers.has('access-control-allow-credentials')).toBe(false)
    expectRejected(await bench.ask(target, { headers }), 204, 'preflight')
  })

  it('M11 a preflight with a body leaves no second request behind', async () => {
    const body = plain(`GET ${device}`, [bench.bearer()])
    expectRejected(await bench.ask('OPTIONS /v1/devices', { body }), 204, 'preflight')
  })
})

describe('a version', () => {
  it('M07 HTTP/1.0 without a Host is served, and closed', async () => {
    const got = await bench.attack(`GET ${device} HTTP/1.0\r\n${bench.bearer()}\r\n\r\n`)
    expectServed(got, sent(`GET ${device}`))
    expect(got.answers[0]?.body).toContain(mine)
    expect([got.closed, got.answers[0]?.headers.get('connection')]).toEqual(['end', 'close'])
    expect(got.answers[0]?.headers.has('transfer-encoding')).toBe(false)
    const denied = await bench.attack(`GET ${foreign} HTTP/1.0\r\n${bench.bearer()}\r\n\r\n`)
    expectDenied(denied, 403, 'outside_devices')
  })

  it('M07 HTTP/1.0 with keep-alive gets whole, framed answers on one connection', async () => {
    const request = (target: string) =>
      `GET ${target} HTTP/1.0\r\nConnection: keep-alive\r\n${bench.bearer()}\r\n\r\n`
    const got = await bench.watch(async () => {
      using client = openRaw(bench.gate.port)
      client.send(request(device))
      await client.receive({ answers: 1 })
      client.send(request(foreign))
      return await client.receive({ answers: 2 })
    })
    expect(got.answers.map(({ status, truncated }) => [status, truncated])).toEqual([
      [200, false],
      [403, false],
    ])
    expect([got.upstream, got.traces]).toEqual([sent(`GET ${device}`), 2])
  })

  it('M07 an HTTP/1.0 client gets a stream without chunks', async () => {
    bench.upstream.use(({ socket }) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
      setTimeout(() => socket.end('0\r\n\r\n'), 150)
    })
    const got = await bench.attack(
      `GET /v1/products/1337/events/temperature HTTP/1.0\r\n${bench.bearer('broad')}\r\n\r\n`,
    )
    expect(got.answers).toMatchObject([{ status: 200, body: ':ok\n\n' }])
    expect(got.answers[0]?.headers.has('transfer-encoding')).toBe(false)
    expect(got.upstream).toMatch(/^GET \/v1\/products\/1337\/events HTTP\/1\.1\r\n/)
    // A plain end would look like a whole answer to it.
    expect([got.traces, got.closed]).toEqual([1, 'reset'])
  })

  it('M07 a chunked body of an HTTP/1.0 client is refused', async () => {
    const got = await bench.attack(
      `POST ${device}/blink HTTP/1.0\r\n${bench.bearer()}\r\nTransfer-Encoding: chunked\r\n` +
        'Content-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    )
    expect([got.upstream, got.traces]).toEqual(['', 1])
    expect(got.answers.map(({ status }) => status)).toEqual([400])
  })

  it.each([
    ['M08 HTTP/0.9', () => `GET ${device}\r\n\r\n`],
    ['M08 HTTP/0.9 with a query token', () => `GET ${device}?access_token=x\r\n\r\n`],
    ['M09 HTTP/1.2', () => `GET ${device} HTTP/1.2\r\nHost: g\r\n${bench.bearer()}\r\n\r\n`],
    ['M09 HTTP/2.0', () => `GET ${device} HTTP/2.0\r\nHost: g\r\n${bench.bearer()}\r\n\r\n`],
    ['M09 HTTP/2 by prior knowledge', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['M09 a TLS ClientHello', () => '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'],
    ['M09 an SSH banner', () => 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['M09 a RTSP request', () => `DESCRIBE rtsp://evil/ RTSP/1.0\r\nCSeq: 1\r\n\r\n`],
  ])('%s is 400 and closes, and the gate lives', async (_, bytes) => {
    const got = await bench.attack(bytes())
    expectRejected(
      got,
      got.answers[0]?.status === 405 ? 405 : 400,
      String(got.rejects[0]?.['reason']),
    )
    expect(['invalid_request', 'method_not_allowed']).toContain(got.rejects[0]?.['reason'])
    expect(got.closed).toBe('end')
    expectServed(await bench.ask(`GET ${device}`), sent(`GET ${device}`))
  })
})

describe('a connection', () => {
  it('M10 pipelined requests get a decision and a row each, in order', async () => {
    const got = await bench.attack(
      plain(`GET ${device}`, [bench.bearer()]) +
        plain(`GET ${foreign}`, [bench.bearer()]) +
        plain(`GET ${device}/..`, [bench.bearer()]) +
        plain(`GET ${device}/temperature`, [bench.bearer()]),
      { answers: 4 },
    )
    expect(got.answers.map(({ status }) => status)).toEqual([200, 403, 400, 200])
    expect(got.upstream).toContain(`GET ${device} HTTP/1.1`)
    expect(got.upstream).toContain(`GET ${device}/temperature HTTP/1.1`)
    expect(got.upstream.match(/ HTTP\/1\.1\r\n/g)).toHaveLength(2)
    expect(got.upstream).not.toContain(other)
    expect(got.traces).toBe(4)
    const ids = got.answers.map(({ headers }) => headers.get('x-request-id'))
    expect(new Set(ids).size).toBe(4)
    const byId = new Map([...got.decisions, ...got.rejects].map((row) => [row['request_id'], row]))
    expect(ids.map((id) => byId.get(id)?.['decision'])).toEqual([
      'allow',
      'deny',
      undefined,
      'allow',
    ])
  })

  it('M10 one token says nothing about the next request on its connection', async () => {
    const got = await bench.attack(
      plain(`GET ${device}`, [bench.bearer()]) +
        plain(`GET ${device}`) +
        plain(`GET ${device}`, [bench.bearer('broad')]),
      { answers: 3 },
    )
    expect(got.answers.map(({ status }) => status)).toEqual([200, 401, 200])
    expect([got.upstream, got.traces]).toEqual([sent(`GET ${device}`).repeat(2), 3])
    expect(got.decisions.map(({ user }) => String(user)).toSorted()).toEqual(['broad', 'limited'])
  })

  it('M10 nothing behind an answer that closes the connection is served', async () => {
    const got = await bench.attack(
      plain(`GET ${device}`, [bench.bearer(), 'Connection: close']) +
        plain(`GET ${device}/temperature`, [bench.bearer()]),
      { rows: 2 },
    )
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    expect(got.upstream).toBe(sent(`GET ${device}`))
    expect([got.traces, got.decisions.length]).toEqual([2, 1])
    expect(got.rejects).toMatchObject([{ reason: 'invalid_request' }])
  })

  it('M12 line ends before a request change nothing', async () => {
    const got = await bench.attack(
      `\r\n\r\n\r\n${plain(`GET ${device}`, [bench.bearer(), 'Connection: close'])}`,
    )
    expectServed(got, sent(`GET ${device}`))
  })

  it('M12 line ends without an end are cut off', async () => {
    const got = await bench.attack('\r\n'.repeat(50_000))
    expect(got.answers.map(({ status }) => status)).toEqual([408])
    expect([got.upstream, got.traces]).toEqual(['', 1])
  })

  it('M12 a head that comes by single bytes is cut off in time', async () => {
    await using clock = await startFairClock()
    const started = performance.now()
    const got = await bench.watch(async () => {
      using client = openRaw(bench.gate.port)
      const bytes = plain(`GET ${device}`, [bench.bearer()])
      let at = 0
      const drip = setInterval(() => client.send(bytes[at++] ?? ' '), 100)
      try {
        return await client.receive()
      } finally {
        clearInterval(drip)
      }
    })
    expect(await clock.between(started)).toBeLessThan(4000)
    expectRejected(got, 408, 'request_timeout')
  })
})

describe('after all attacks', () => {
  it('no row has come that belongs to none of the requests', async () => {
    expect(await bench.lateRows()).toBe(0)
  })
})
