// Attacks by Expect and Upgrade: rows X01 to X07, as bytes on a socket.

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
import { sentOn, upstreamCredential } from '../kit/raw-exchange.ts'
import { rawAnswer, until } from '../kit/recording-upstream.ts'
import { expectDenied, expectRejected, expectServed } from './verdicts.ts'

let bench: AttackedGate
const get = `GET ${device}`
const json = 'Content-Type: application/json'
const upload =
  '--XX\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\nabc\r\n--XX--\r\n'
const waiting = 'Expect: 100-continue'
const sent = (line: string, headers: string[] = [], body?: string) =>
  sentOn(bench.upstream, line, headers, body)

beforeAll(async () => {
  bench = await startAttackedGate()
})

beforeEach(() => {
  bench.upstream.answerWith(rawAnswer(200, answerOfMine))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

describe('Expect: 100-continue', () => {
  it('X01 is answered before a body that the decision hangs on, and upstream gets our credential alone', async () => {
    const got = await bench.watch(async () => {
      using client = openRaw(bench.gate.port)
      const head = [bench.bearer('broad'), json, waiting, 'Content-Length: 12', 'Connection: close']
      client.send(plain(`PUT /v1/devices/${mine}`, head))
      const { answers } = await client.receive({ interim: 1 })
      expect([answers, bench.upstream.seen()]).toEqual([[], ''])
      client.send('{"name":"a"}')
      return await client.receive()
    })
    expect(got.interim).toEqual([100])
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    expect(got.upstream).not.toMatch(/expect/i)
    const update = got.upstream.slice(got.upstream.indexOf('PUT '))
    expect(update).toMatch(new RegExp(`^PUT ${device} HTTP/1.1\r\n`))
    expect(update).toContain(`authorization: Bearer ${upstreamCredential}\r\n`)
    expect(update.endsWith('\r\n\r\n{"name":"a"}')).toBe(true)
    expect(got.upstream).not.toContain(bench.gate.tokens['broad'])
    expect([got.traces, got.decisions]).toMatchObject([1, [{ decision: 'allow' }]])
  })

  it('X01 is answered after the allow where the body streams, and never after a deny', async () => {
    const head = (user: 'broad' | 'limited', line: string) =>
      plain(line, [
        bench.bearer(user),
        'Content-Type: multipart/form-data; boundary=XX',
        waiting,
        `Content-Length: ${upload.length}`,
        'Connection: close',
      ])
    const line = 'POST /v1/products/1337/firmware'
    const got = await bench.watch(async () => {
      using client = openRaw(bench.gate.port)
      client.send(head('broad', line))
      await client.receive({ interim: 1 })
      expect(await bench.gate.decisions()).not.toEqual([])
      client.send(upload)
      return await client.receive()
    })
    expect([got.interim, got.answers.map(({ status }) => status)]).toEqual([[100], [200]])
    expect(got.upstream).toMatch(new RegExp(`^${line} HTTP/1.1\r\n`))
    expect(got.upstream.endsWith(upload)).toBe(true)
    expect(got.upstream).not.toMatch(/expect/i)
    expect([got.traces, got.decisions]).toMatchObject([1, [{ decision: 'allow' }]])

    const denied = await bench.attack(head('limited', line))
    expect([denied.interim, denied.closed]).toEqual([[], 'end'])
    expectDenied(denied, 403, 'not_granted')
  })

  it('X01 on the small way', async () => {
    const got = await bench.ask(`POST ${device}/blink`, { headers: [json, waiting], body: '{}' })
    expect(got.interim).toEqual([100])
    const type = ['content-type: application/json']
    expectServed(got, sent(`POST ${device}/blink`, type, '{}'))
  })

  it.each([
    ['another device', `POST ${foreign}/blink`],
    ['another function', `POST ${device}/unlock`],
  ])('X01 is still denied for %s', async (_, line) => {
    const got = await bench.ask(line, { headers: [json, waiting], body: '{}' })
    expect([got.answers[0]?.status, got.upstream, got.traces]).toEqual([403, '', 1])
    expect(got.decisions).toMatchObject([{ decision: 'deny' }])
  })

  it('X01 brings no 100 to a caller without a token, and no upload', async () => {
    const head = [json, waiting, 'Content-Length: 5000000']
    const got = await bench.attack(plain(`PUT ${device}`, head))
    expectRejected(got, 401, 'missing_token')
    expect([got.interim, got.closed]).toEqual([[], 'end'])
  })

  it('X01 without a body is served', async () => {
    expectServed(await bench.ask(get, { headers: [waiting] }), sent(get))
  })

  it.each(['200-ok', '100-continue, 200-ok', 'x'])('X03 %j is 417', async (expectation) => {
    const headers = [`Expect: ${expectation}`, json]
    const got = await bench.ask(`PUT ${device}`, { user: 'broad', headers, body: '{"name":"a"}' })
    expectRejected(got, 417, 'expectation_failed')
  })

  it('X03 a body behind a 417 is no request', async () => {
    const body = plain(get, [bench.bearer()])
    const headers = ['Expect: 200-ok', json]
    const got = await bench.ask(`PUT ${device}`, { user: 'broad', headers, body })
    expectRejected(got, 417, 'expectation_failed')
  })
})

describe('an early final answer', () => {
  const size = 5_000_000
  const start = '--XX\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
  const finish = '\r\n--XX--\r\n'
  const large = () =>
    plain('POST /v1/products/1337/firmware', [
      bench.bearer('broad'),
      'Content-Type: multipart/form-data; boundary=XX',
      `Content-Length: ${start.length + size + finish.length}`,
    ]) +
    start +
    'x'.repeat(size) +
    finish

  it.each([
    [413, 413],
    [401, 502],
    [500, 500],
  ])('X04 %i at header time is told as %i, and the next request is right', async (status, told) => {
    bench.upstream.answerWith(rawAnswer(status, '{"error":"early"}'))
    const got = await bench.watch(async () => {
      using client = openRaw(bench.gate.port)
      client.send(large())
      return await client.receive({ answers: 1 })
    })
    expect(got.answers.map((answer) => answer.status)).toEqual([told])
    expect(got.upstream).toMatch(/^POST \/v1\/products\/1337\/firmware HTTP\/1\.1\r\n/)
    expect(got.upstream.match(/ HTTP\/1\.1\r\n/g)).toHaveLength(1)
    expect([got.traces, got.decisions]).toMatchObject([1, [{ decision: 'allow' }]])

    // The next ones on each way must not be read as what was missing of the upload, nor get its answer.
    bench.upstream.answerWith(rawAnswer(200, answerOfMine))
    const type = ['content-type: application/json']
    for (const name of ['a', 'b']) {
      const headers = [json]
      const body = `{"name":"${name}"}`
      const next = await bench.ask(`PUT ${device}`, { user: 'broad', headers, body })
      expect(next.answers).toMatchObject([{ status: 200, body: answerOfMine }])
      const tail = next.upstream.slice(next.upstream.indexOf('PUT '))
      expect(tail).toMatch(new RegExp(`^PUT ${device} HTTP/1.1\r\n`))
      expect(tail.endsWith(`\r\n\r\n${body}`)).toBe(true)
      expect(tail.toLowerCase()).toContain(type[0])
      expect(next.traces).toBe(1)
    }
    expectServed(await bench.ask(get), sent(get))
  })
})

describe('an upgrade', () => {
  const upgrade = (line: string, protocol: string, headers: string[] = []) =>
    plain(line, [
      'Connection: Upgrade',
      `Upgrade: ${protocol}`,
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      ...headers,
    ])

  it('X05 without a token opens nothing, also after a good request on its connection', async () => {
    const got = await bench.watch(async () => {
      using client = openRaw(bench.gate.port)
      client.send(plain(get, [bench.bearer()]))
      await client.receive({ answers: 1 })
      client.send(upgrade(`GET /v1/products/1337/devices/${other}`, 'websocket'))
      return await client.receive()
    })
    expect(got.answers.map(({ status }) => status)).toEqual([200, 426])
    expect(got.upstream).toBe(sent(get))
    expect([got.traces, got.decisions.length]).toEqual([2, 1])
    expect(got.rejects).toMatchObject([{ reason: 'upgrade_refused', status: 426 }])
    expect(got.closed).toBe('end')
  })

  it('X06 with a token is 426 within a second, and no upstream socket is left', async () => {
    bench.upstream.answerWith(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    const before = bench.upstream.connections.filter(({ closed }) => !closed).length
    await using clock = await startFairClock()
    const started = performance.now()
    const got = await bench.attack(upgrade(get, 'websocket', [bench.bearer()]))
    expect(await clock.between(started)).toBeLessThan(1000)
    expectRejected(got, 426, 'upgrade_refused')
    expect(got.answers[0]?.headers.get('connection')).toMatch(/close/)
    const after = bench.upstream.connections.filter(({ closed }) => !closed).length
    expect(after).toBeLessThanOrEqual(before)
  })

  it('X06 bytes behind it are no request', async () => {
    const bytes = upgrade(get, 'websocket', [bench.bearer()]) + plain(get, [bench.bearer()])
    expectRejected(await bench.attack(bytes), 426, 'upgrade_refused')
  })

  it.each([
    ['small', get, undefined],
    ['streaming', `PUT ${device}`, '{"name":"a"}'],
  ])(
    'X06 an upstream that switches protocols unasked is 502 on the %s way',
    async (_, line, body) => {
      bench.upstream.answerWith(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      )
      const asking = {
        user: 'broad',
        headers: [json],
        ...(body !== undefined && { body }),
      } as const
      const got = await bench.ask(line, asking)
      expect(got.answers.map(({ status }) => status)).toEqual([502])
      expect(got.upstream.match(/ HTTP\/1\.1\r\n/g)).toHaveLength(1)
      expect([got.traces, got.decisions]).toMatchObject([1, [{ decision: 'allow' }]])
      const used = bench.upstream.connections.filter(({ text }) => text.includes(line))
      await until(() => used.every(({ closed }) => closed))
      bench.upstream.answerWith(rawAnswer(200, answerOfMine))
      expectServed(await bench.ask(get), sent(get))
    },
  )

  it('X07 h2c is 426', async () => {
    const bytes = plain(get, [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
      bench.bearer(),
    ])
    expectRejected(await bench.attack(bytes), 426, 'upgrade_refused')
  })

  it('X07 its leftovers without an Upgrade reach nobody', async () => {
    const headers = ['HTTP2-Settings: AAMAAABkAAQAAP__', 'Upgrade: h2c']
    expectServed(await bench.ask(get, { headers }), sent(get))
    expectDenied(await bench.ask(`GET ${foreign}`, { headers }), 403, 'outside_devices')
  })
})

describe('after all attacks', () => {
  it('no row has come that belongs to none of the requests', async () => {
    expect(await bench.lateRows()).toBe(0)
  })
})
