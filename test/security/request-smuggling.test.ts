// Attacks by framing: rows S01 to S12, as bytes on a socket, from clients and from the upstream.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  answerOfMine,
  device,
  foreign,
  mine,
  other,
  plain,
  startAttackedGate,
  type Aftermath,
  type AttackedGate,
} from '../kit/attacked-gate.ts'
import { openRaw } from '../kit/raw-client.ts'
import { sentOn } from '../kit/raw-exchange.ts'
import { rawAnswer, until } from '../kit/recording-upstream.ts'
import { expectDenied, expectServed } from './verdicts.ts'

let bench: AttackedGate
const get = `GET ${device}`
const json = 'Content-Type: application/json'
const type = ['content-type: application/json']
const sent = (line: string, headers: string[] = [], body?: string) =>
  sentOn(bench.upstream, line, headers, body)

/** A request that must never be seen: it would be served if it were. */
const smuggled = () => plain(`GET ${device}/smuggled`, [bench.bearer()])

beforeAll(async () => {
  bench = await startAttackedGate()
})

beforeEach(() => {
  bench.upstream.answerWith(rawAnswer(200, answerOfMine))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

/** One refusal, the connection closed (reset, where much was still on its way), nothing of it upstream, one row. */
function expectRefused(got: Aftermath, statuses: readonly number[]): void {
  expect(got.answers.map(({ status }) => status)).toEqual([expect.toBeOneOf([...statuses])])
  expect([got.upstream, got.traces]).toEqual(['', 1])
  expect(got.closed).not.toBe('open')
  const row = [...got.decisions, ...got.rejects]
  expect(row).toMatchObject([{ request_id: got.answers[0]?.headers.get('x-request-id') }])
}

describe('a request whose end is in doubt', () => {
  const post = (headers: string[], rest: string) =>
    `POST ${device}/blink HTTP/1.1\r\nHost: g\r\n${bench.bearer()}\r\n${json}\r\n${headers.join('\r\n')}\r\n\r\n${rest}`

  it.each([
    ['S01 length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['S01 chunks and length', ['Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'],
    [
      'S01 length of nothing and chunks',
      ['Content-Length: 0', 'Transfer-Encoding: chunked'],
      '0\r\n\r\n',
    ],
    ['S02 two lengths', ['Content-Length: 5', 'Content-Length: 6'], '{"a":1}'],
    ['S02 two equal lengths', ['Content-Length: 2', 'Content-Length: 2'], '{}'],
    ['S02 a list of lengths', ['Content-Length: 2, 2'], '{}'],
    ['S02 a signed length', ['Content-Length: +2'], '{}'],
    ['S02 a negative length', ['Content-Length: -1'], ''],
    ['S02 a length in hexadecimal', ['Content-Length: 0x2'], '{}'],
    ['S02 a length beyond all numbers', [`Content-Length: 1${'0'.repeat(40)}`], '{}'],
    ['S02 no length', ['Content-Length:'], '{}'],
    ['S02 a length with a blank', ['Content-Length: 2 2'], '{}'],
    ['S03 a space before the colon', ['Transfer-Encoding : chunked'], '0\r\n\r\n'],
    ['S03 xchunked', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
    ['S03 identity', ['Transfer-Encoding: identity'], '{}'],
    ['S03 chunked twice', ['Transfer-Encoding: chunked, chunked'], '0\r\n\r\n'],
    [
      'S03 chunked in two lines',
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      '0\r\n\r\n',
    ],
    [
      'S03 chunked and identity',
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
      '0\r\n\r\n',
    ],
    ['S03 a vertical tab', ['Transfer-Encoding: \x0bchunked'], '0\r\n\r\n'],
    ['S03 a quoted coding', ['Transfer-Encoding: "chunked"'], '0\r\n\r\n'],
    ['S03 an empty coding', ['Transfer-Encoding:'], '0\r\n\r\n'],
    ['S03 a parameter', ['Transfer-Encoding: chunked;a=b'], '0\r\n\r\n'],
    ['S04 gzip and chunked', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'],
    ['S04 chunked and gzip', ['Transfer-Encoding: chunked, gzip'], '0\r\n\r\n'],
    ['S04 gzip', ['Transfer-Encoding: gzip'], ''],
    ['S05 a folded line', ['X-A: b', ' Content-Length: 2'], '{}'],
    ['S05 a space before a colon', ['Content-Length : 2'], '{}'],
    ['S05 a NUL in a value', ['X-A: b\0c'], ''],
    ['S05 a bare line feed in a head', ['X-A: b\nContent-Length: 2'], '{}'],
    ['S05 a bare carriage return in a head', ['X-A: b\rContent-Length: 2'], '{}'],
    ['S05 no name', [': b'], ''],
    ['S05 a line without a colon', ['evil'], ''],
  ])('%s is refused, and what follows is never a request', async (_, headers, rest) => {
    const got = await bench.attack(post(headers, rest + smuggled()))
    expectRefused(got, [400, 501])
    // The gate is well.
    expectServed(await bench.ask(get), sent(get))
  })

  it.each([
    ['S05 bare line feeds', (u: string) => `${get} HTTP/1.1\nHost: g\n${u}\n\n`],
    ['S05 a bare line feed at the end', (u: string) => `${get} HTTP/1.1\r\nHost: g\r\n${u}\r\n\n`],
    ['S05 bare carriage returns', (u: string) => `${get} HTTP/1.1\rHost: g\r${u}\r\r`],
    ['S05 a folded first line', (u: string) => `${get} HTTP/1.1\r\n Host: g\r\n${u}\r\n\r\n`],
  ])('%s are 400', async (_, bytes) => {
    const got = await bench.attack(bytes(bench.bearer()), { halfClose: true })
    expectRefused(got, [400])
  })

  it.each([
    ['S06 a line feed in a chunk extension', '2;a=\nb\r\n{}\r\n0\r\n\r\n', [400]],
    [
      'S06 1 MB of chunk extensions',
      `2;${'a'.repeat(1_000_000)}\r\n{}\r\n0\r\n\r\n`,
      [413, 431, 400],
    ],
    ['S06 a chunk size with a sign', '+2\r\n{}\r\n0\r\n\r\n', [400]],
    ['S06 a chunk size with 0x', '0x2\r\n{}\r\n0\r\n\r\n', [400]],
    ['S06 a chunk size beyond all numbers', `${'f'.repeat(17)}\r\n{}\r\n0\r\n\r\n`, [400]],
    ['S06 a chunk that is longer than it says', '1\r\n{}\r\n0\r\n\r\n', [400]],
    ['S06 a chunk that ends in a line feed', '2\r\n{}\n0\r\n\r\n', [400]],
    ['S06 a chunk size that ends in a line feed', '2\n{}\r\n0\r\n\r\n', [400]],
  ])('%s is refused', async (_, body, statuses) => {
    const got = await bench.attack(post(['Transfer-Encoding: chunked'], body + smuggled()))
    expectRefused(got, statuses)
    expectServed(await bench.ask(get), sent(get))
  })

  it('S06 a chunk extension that is well formed goes no further', async () => {
    const bytes = post(
      ['Connection: close', 'Transfer-Encoding: chunked'],
      '2;a=b\r\n{}\r\n0\r\n\r\n',
    )
    expectServed(await bench.attack(bytes), sent(`POST ${device}/blink`, type, '{}'))
  })
})

describe('a body where none is expected', () => {
  it.each(['{}', '  '])('S08 %j on GET is read and not sent on', async (body) => {
    expectServed(await bench.ask(get, { body }), sent(get))
  })

  it('S08 a request as the body of a GET is 400', async () => {
    expectDenied(await bench.ask(get, { body: smuggled() }), 400, 'invalid_body')
  })

  it('S08 a body of DELETE is framed by its own length', async () => {
    const line = `DELETE ${device}`
    const got = await bench.ask(line, { user: 'broad', headers: [json], body: '{}' })
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    expect(got.upstream.match(/ HTTP\/1\.1\r\n/g)).toHaveLength(1)
    expect(got.upstream).toMatch(new RegExp(`^${line} HTTP/1.1\r\n`))
    expect(got.traces).toBe(1)
    const smuggling = await bench.ask(line, { user: 'broad', headers: [json], body: smuggled() })
    expectDenied(smuggling, 400, 'invalid_body')
  })

  it('S08 a chunked GET on the streaming way carries nothing', async () => {
    const got = await bench.attack(
      `GET /v1/products/1337/events/temperature HTTP/1.1\r\nHost: g\r\nConnection: close\r\n` +
        `${bench.bearer('broad')}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nG\r\n0\r\n\r\n`,
    )
    expect([got.answers[0]?.status, got.upstream, got.traces]).toEqual([400, '', 1])
  })

  it('S08 a HEAD with a body keeps the connection in step', async () => {
    const got = await bench.attack(
      plain(`HEAD ${device}`, [bench.bearer()], '{}') +
        plain(`HEAD ${foreign}`, [bench.bearer(), 'Connection: close']),
      { head: true },
    )
    expect(got.answers.map(({ status }) => status)).toEqual([200, 403])
    expect([got.upstream, got.traces]).toEqual([sent(get), 2])
  })
})

describe('a length that lies', () => {
  it('S09 a body cut short never reaches upstream on the small way', async () => {
    const head = plain(`POST ${device}/blink`, [bench.bearer(), json, 'Content-Length: 100'])
    const got = await bench.attack(`${head}{"arg":"`, { halfClose: true })
    expect([got.upstream, got.traces]).toEqual(['', 1])
    expect(got.answers.every(({ status }) => status === 400)).toBe(true)
  })

  it('S09 an upload cut short is cut short upstream, never completed', async () => {
    bench.upstream.use(() => {})
    const start = '--XX\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    const got = await bench.watch(async () => {
      using client = openRaw(bench.gate.port)
      client.send(
        plain('POST /v1/products/1337/firmware', [
          bench.bearer('broad'),
          'Content-Type: multipart/form-data; boundary=XX',
          'Content-Length: 100000',
        ]) + start,
      )
      // Piece by piece: the gate holds the last one until it knows what follows.
      await until(() => {
        client.send('x'.repeat(50))
        return bench.upstream.seen().includes('xxx')
      })
      client.halfClose()
      return await client.receive()
    })
    expect(got.upstream).toMatch(/^POST \/v1\/products\/1337\/firmware HTTP\/1\.1\r\n/)
    expect(got.upstream).toContain('content-length: 100000\r\n')
    expect(got.upstream.length).toBeLessThan(100_000)
    expect([got.traces, got.decisions]).toMatchObject([1, [{ decision: 'allow' }]])
    const used = bench.upstream.connections.filter(({ text }) => text.includes('xxx'))
    await until(() => used.every(({ closed }) => closed))
  })

  it('S09 what is left over is a request of its own, decided by itself', async () => {
    const left = plain(`POST ${foreign}/blink`, [bench.bearer(), json, 'Connection: close'], '{}')
    const got = await bench.attack(
      `${plain(`POST ${device}/blink`, [bench.bearer(), json], '{}')}${left}`,
    )
    expect(got.answers.map(({ status }) => status)).toEqual([200, 403])
    expect(got.upstream).toBe(sent(`POST ${device}/blink`, type, '{}'))
    expect(got.traces).toBe(2)
    expect(got.decisions.map(({ decision }) => String(decision)).toSorted()).toEqual([
      'allow',
      'deny',
    ])
  })

  it('S09 left over bytes that are no request are 400, behind the first answer', async () => {
    const body = '{}{"arg":"and forty eight more bytes of a body"}'
    const head = plain(`POST ${device}/blink`, [bench.bearer(), json, 'Content-Length: 2'])
    const got = await bench.attack(head + body)
    expect(got.answers.map(({ status }) => status)).toEqual([200, 400])
    expect(got.upstream).toBe(sent(`POST ${device}/blink`, type, '{}'))
    expect([got.traces, got.closed]).toEqual([2, 'end'])
  })
})

describe('an upstream out of step', () => {
  const poison = rawAnswer(200, '{"id":"poison"}')
  const ways = [
    ['small', get, undefined],
    ['streaming', `PUT ${device}`, '{"name":"a"}'],
  ] as const

  const asking = (body: string | undefined) =>
    ({ user: 'broad', headers: [json], ...(body !== undefined && { body }) }) as const

  it.each(ways)(
    'S11 a second answer in the same packet is nobody’s (%s way)',
    async (_, line, body) => {
      bench.upstream.use(({ socket }, requests) => {
        socket.write(rawAnswer(200, answerOfMine) + (requests === 1 ? poison : ''))
      })
      const first = await bench.ask(line, asking(body))
      expect([first.answers[0]?.status, first.traces]).toEqual([expect.toBeOneOf([200, 502]), 1])
      expect(first.text).not.toContain('poison')
      bench.upstream.answerWith(rawAnswer(200, answerOfMine))
      for (let i = 0; i < 3; i += 1) {
        const next = await bench.ask(line, asking(body))
        expect(next.answers).toMatchObject([{ status: 200, body: answerOfMine }])
        expect([next.upstream.match(/ HTTP\/1\.1\r\n/g)?.length, next.traces]).toEqual([1, 1])
      }
    },
  )

  it.each(ways)('S11 an answer on an idle socket is nobody’s (%s way)', async (_, line, body) => {
    const first = await bench.ask(line, asking(body))
    expect([first.answers[0]?.status, first.traces]).toEqual([200, 1])
    const idle = bench.upstream.connections.filter(({ closed, text }) => !closed && text !== '')
    expect(idle.length).toBeGreaterThan(0)
    for (const { socket } of idle) socket.write(poison)
    await until(() => idle.every(({ closed }) => closed))
    const next = await bench.ask(line, asking(body))
    expect(next.answers).toMatchObject([{ status: 200, body: answerOfMine }])
    expect([next.upstream.match(/ HTTP\/1\.1\r\n/g)?.length, next.traces]).toEqual([1, 1])
  })

  it('S12 a body on what was asked as HEAD is dropped, and the next answer is right', async () => {
    const head = await bench.ask(`HEAD ${device}`)
    expectServed(head, sent(get))
    expect([head.rest, head.answers[0]?.reason]).toEqual(['', 'OK'])
    expectServed(await bench.ask(get), sent(get))
  })

  it.each(ways)('S12 a body on a 204 is 502 under its own name (%s way)', async (_, line, body) => {
    bench.upstream.answerWith(
      `HTTP/1.1 204 All Fine\r\nContent-Length: ${answerOfMine.length}\r\n\r\n${answerOfMine}`,
    )
    const got = await bench.ask(line, asking(body))
    expect(got.answers).toMatchObject([{ status: 502, reason: 'Bad Gateway' }])
    expect(got.answers[0]?.body).not.toContain(mine)
    expect([got.upstream.match(/ HTTP\/1\.1\r\n/g)?.length, got.traces]).toEqual([1, 1])
    const used = bench.upstream.connections.filter(({ text }) => text !== '')
    await until(() => used.every(({ closed }) => closed))
    bench.upstream.answerWith(rawAnswer(200, answerOfMine))
    const next = await bench.ask(line, asking(body))
    expect(next.answers).toMatchObject([{ status: 200, body: answerOfMine }])
    expect(next.traces).toBe(1)
  })

  it.each(ways)(
    'S12 a body behind a 204 without a length is nobody’s (%s way)',
    async (_, line, body) => {
      bench.upstream.answerWith(`HTTP/1.1 204 All Fine\r\n\r\n${poison}`)
      const got = await bench.ask(line, asking(body))
      expect(got.answers).toMatchObject([{ status: expect.toBeOneOf([204, 502]) }])
      expect(got.text).not.toContain('poison')
      expect([got.upstream.match(/ HTTP\/1\.1\r\n/g)?.length, got.traces]).toEqual([1, 1])
      bench.upstream.answerWith(rawAnswer(200, answerOfMine))
      const next = await bench.ask(line, asking(body))
      expect(next.answers).toMatchObject([{ status: 200, body: answerOfMine }])
      expect(next.traces).toBe(1)
    },
  )

  it.each([
    ['two lengths', `Content-Length: 2\r\nContent-Length: ${answerOfMine.length}`],
    ['length and chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked'],
    ['a folded line', 'X-A: b\r\n evil: c'],
    ['a bare carriage return', 'X-A: b\rX-B: c'],
  ])('S12 an answer with %s is 502 on both ways', async (_, head) => {
    bench.upstream.answerWith(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${head}\r\n\r\n${other}`,
    )
    for (const [, line, body] of ways) {
      const got = await bench.ask(line, asking(body))
      expect(got.answers.map(({ status }) => status)).toEqual([502])
      expect(got.text).not.toContain(other)
      expect([got.upstream.match(/ HTTP\/1\.1\r\n/g)?.length, got.traces]).toEqual([1, 1])
    }
  })
})

describe('after all attacks', () => {
  it('no row has come that belongs to none of the requests', async () => {
    expect(await bench.lateRows()).toBe(0)
  })
})
