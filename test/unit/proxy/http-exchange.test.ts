import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { Secret } from '../../../src/lib/secret.ts'
import type { AssembledAnswer, Cut } from '../../../src/proxy/exchange.ts'
import { aStanding } from '../../kit/fakes.ts'
import { noObligations, startRig, type Rig, type RigOptions } from '../../kit/exchange-rig.ts'
import { headersOf, sendRaw } from '../../kit/raw-socket.ts'
import { rawAnswer, startRecordingUpstream, until } from '../../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../../kit/recording-upstream.ts'

const get = 'GET /v1/x HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'
const nothingSent = { method: 'GET', target: '/v1/x', headers: {}, body: undefined }
const hidingIp: Cut = {
  answer: { kind: 'list', at: 'devices', secrets: ['mobile_secret'], item: 'device' },
  obligations: { ...noObligations, hide: new Set(['ip']) },
}

describe('HttpExchange', () => {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    // oxlint-disable-next-line no-await-in-loop -- in reverse order of their start
    for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]()
  })
  async function start(options: Partial<RigOptions> = {}): Promise<[RecordingUpstream, Rig]> {
    const up = await startRecordingUpstream()
    const rig = await startRig({ upstreamUrl: up.url, way: 'small', ...options })
    open.push(up, rig)
    return [up, rig]
  }

  it('cuts an answer and gives it its new length, also to HEAD (M01)', async () => {
    const [up, rig] = await start({ cut: hidingIp })
    up.answerWith(
      rawAnswer(200, '{"devices":[{"id":"1","ip":"10.0.0.1","mobile_secret":"s"}]}', {
        ETag: '"1"',
      }),
    )
    const want = '{"devices":[{"id":"1"}]}'
    const answer = await sendRaw(rig.port, get)
    expect(answer.body).toBe(want)
    expect(headersOf(answer.text).get('content-length')).toBe(String(want.length))
    expect(headersOf(answer.text).has('etag')).toBe(false)
    const head = await sendRaw(rig.port, get.replace('GET', 'HEAD'))
    expect(head.body).toBe('')
    expect(headersOf(head.text).get('content-length')).toBe(String(want.length))
  })

  it.each([
    ['F02 HTML', rawAnswer(200, '<p>10.0.0.1</p>', { 'Content-Type': 'text/html' })],
    ['F07 another shape', rawAnswer(200, '[{"ip":"10.0.0.1"}]')],
    ['F03 a coding', rawAnswer(200, '10.0.0.1', { 'Content-Encoding': 'x-gzip' })],
    ['F03 two codings', rawAnswer(200, '10.0.0.1', { 'Content-Encoding': 'gzip, gzip' })],
    [
      'F05 a bomb',
      rawAnswer(200, gzipSync('10.0.0.1').toString('latin1'), { 'Content-Encoding': 'gzip' }),
    ],
    ['F05 too much', rawAnswer(200, `{"devices":[${'"10.0.0.1",'.repeat(200_000)}0]}`)],
  ])('answers 502 to what cannot be cut: %s', async (_, bytes) => {
    const [up, rig] = await start({ cut: hidingIp })
    up.answerWith(Buffer.from(bytes, 'latin1'))
    const answer = await sendRaw(rig.port, get)
    expect(answer.status).toBe(502)
    expect(answer.text).not.toContain('10.0.0.1')
    expect(rig.outcomes).toMatchObject([{ status: 502, ended: 'unfilterable_answer' }])
  })

  it('survives a handler that throws anything (F06)', async () => {
    const [, rig] = await start({
      handle: () => Promise.reject(new TypeError('private detail')),
    })
    const answer = await sendRaw(rig.port, get)
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('private detail')
    expect(rig.outcomes).toMatchObject([{ status: 500, ended: 'internal' }])
  })

  it('answers 413 to a body over the bound, said or not, and nothing goes upstream', async () => {
    const [up, rig] = await start({ maxBodyBytes: 10 })
    const said = `POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 11\r\nConnection: close\r\n\r\n${'x'.repeat(11)}`
    expect((await sendRaw(rig.port, said)).status).toBe(413)
    const unsaid = `POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nb\r\n${'x'.repeat(11)}\r\n0\r\n\r\n`
    expect((await sendRaw(rig.port, unsaid)).status).toBe(413)
    expect(up.seen()).toBe('')
  })

  it('answers the next request on the connection right behind a small unread body', async () => {
    const [up, rig] = await start({ maxBodyBytes: 1 })
    up.answerWith(rawAnswer(200, '{"next":1}'))
    const first =
      'POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 30\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n\r\n\r\n\r\n'
    const answer = await sendRaw(rig.port, `${first.slice(0, -2)}${get}`)
    expect(answer.text.match(/HTTP\/1\.1 \d{3}/g)?.[0]).toBe('HTTP/1.1 413')
    expect(up.seen()).not.toContain('smuggled')
  })

  it('closes the connection behind a large unread body, after the client has read its answer', async () => {
    const [, rig] = await start({ maxBodyBytes: 10 })
    const head = 'POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 3000000\r\n\r\n'
    const answer = await sendRaw(rig.port, `${head}${'x'.repeat(3_000_000)}${get}`)
    expect(answer.status).toBe(413)
    expect(headersOf(answer.text).get('connection')).toBe('close')
    expect(answer.closed).toBe('end')
    expect(rig.outcomes).toHaveLength(1)
  })

  it('does not ask for a body it refuses, and closes (X01)', async () => {
    const [up, rig] = await start({
      handle: () => Promise.reject(new Problem('forbidden')),
    })
    const answer = await sendRaw(
      rig.port,
      'PUT / HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n',
    )
    expect(answer.text).toMatch(/^HTTP\/1\.1 403 /)
    expect(headersOf(answer.text).get('connection')).toBe('close')
    expect(up.seen()).toBe('')
  })

  it('answers by itself, with an empty body where there is none', async () => {
    const [, rig] = await start({
      handle: async (exchange) =>
        exchange.raw.target === '/v1/x'
          ? exchange.answer(200, { ok: true })
          : exchange.answer(204, undefined, ['access-control-max-age', '600']),
    })
    const answer = await sendRaw(rig.port, get)
    expect(JSON.parse(answer.body)).toEqual({ ok: true })
    expect(headersOf(answer.text).get('x-request-id')).toBe('req-1')
    const empty = await sendRaw(rig.port, get.replace('/v1/x', '/y'))
    expect(empty.status).toBe(204)
    expect(headersOf(empty.text).get('access-control-max-age')).toBe('600')
    expect(rig.outcomes).toMatchObject([{ bytes: 11 }, { status: 204, bytes: 0 }])
  })

  it.each(['forward', 'filter'] as const)(
    'begins nothing upstream (%s) for a client that left while it was decided on',
    async (way) => {
      const decided = Promise.withResolvers<void>()
      const [up, rig] = await start({
        handle: async (exchange) => {
          if (exchange.raw.target === '/ping') return exchange.answer(204, undefined)
          await decided.promise
          const request = { ...nothingSent, credential: new Secret('cloud') }
          return way === 'forward'
            ? exchange.forward(request, { kind: 'none' }, undefined, aStanding())
            : exchange.filter(request, hidingIp, aStanding())
        },
      })
      const client = connect(rig.port, '127.0.0.1', () => client.write(get))
      await once(client, 'connect')
      const ping = get.replace('/v1/x', '/ping')
      await sendRaw(rig.port, ping)
      client.resetAndDestroy()
      // Two round trips later the server has seen the reset.
      await sendRaw(rig.port, ping)
      await sendRaw(rig.port, ping)
      decided.resolve()
      await until(() => rig.outcomes.length === 4)
      expect(rig.outcomes.at(-1)).toMatchObject({ status: 0, ended: 'client_gone' })
      expect(up.seen()).toBe('')
    },
  )

  it('destroys the connection where an answer had begun', async () => {
    const [up, rig] = await start({
      way: 'streaming',
      handle: async (exchange) => {
        exchange.answer(200, { whole: true })
        return exchange.reject(new Problem('internal'))
      },
    })
    const answer = await sendRaw(rig.port, get)
    expect(answer.text).not.toContain('server_error')
    expect(up.seen()).toBe('')
    await until(() => rig.outcomes.length === 1)
  })

  const assembled = (body: string): AssembledAnswer => ({
    ...{ status: 200, contentType: 'application/json; charset=utf-8', body: Buffer.from(body) },
    upstream: { status: 200, requestId: 'up-1' },
    list: { way: 'index', total: 2, ageMs: 5 },
  })

  it('F01 H19 M01 sends an assembled list in one piece, with no validator and no range', async () => {
    const [up, rig] = await start({ handle: async (exchange) => exchange.send(assembled('[1]')) })
    const ranged = get.replace('Connection', 'Range: bytes=0-0\r\nIf-None-Match: *\r\nConnection')
    const answer = await sendRaw(rig.port, ranged)
    expect([answer.status, answer.body]).toEqual([200, '[1]'])
    const headers = headersOf(answer.text)
    for (const name of ['etag', 'last-modified', 'accept-ranges', 'content-range', 'link']) {
      expect(headers.has(name)).toBe(false)
    }
    expect(headers.get('cache-control')).toBe('private, no-store')
    expect(headers.get('x-upstream-request-id')).toBe('up-1')
    const head = await sendRaw(rig.port, get.replace('GET', 'HEAD'))
    expect([head.body, headersOf(head.text).get('content-length')]).toEqual(['', '3'])
    expect(rig.outcomes).toMatchObject([
      { status: 200, bytes: 3, ended: 'answered', upstreamStatus: 200, list: { total: 2 } },
      { status: 200, bytes: 0, ended: 'answered', upstreamRequestId: 'up-1' },
    ])
    expect(up.seen()).toBe('')
  })

  it('says when the client has gone, and sends it nothing', async () => {
    const [, rig] = await start({
      handle: async (exchange) => {
        const { gone } = exchange
        expect(exchange.gone).toBe(gone)
        if (!gone.aborted) await once(gone, 'abort')
        return exchange.send(assembled('[1]'))
      },
    })
    const client = connect(rig.port, '127.0.0.1', () => client.write(get))
    await once(client, 'connect')
    client.resetAndDestroy()
    await until(() => rig.outcomes.length === 1)
    expect(rig.outcomes).toMatchObject([{ status: 0, ended: 'client_gone', list: { total: 2 } }])
  })

  it('does not take an answer that was sent for a client that has gone', async () => {
    let gone: AbortSignal | undefined
    const [, rig] = await start({
      handle: async (exchange) => {
        gone = exchange.gone
        return exchange.send(assembled('[1]'))
      },
    })
    await sendRaw(rig.port, get)
    expect(gone?.aborted).toBe(false)
  })
})
