import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import type { Authorization, BreakOff } from '../../../src/proxy/exchange.ts'
import type { HttpExchange } from '../../../src/proxy/http-exchange.ts'
import { mintToken } from '../../../src/store/token-format.ts'
import { rigCredential, startRig, type Rig, type RigOptions } from '../../kit/exchange-rig.ts'
import { aStanding } from '../../kit/fakes.ts'
import { headersOf, sendRaw } from '../../kit/raw-socket.ts'
import { rawAnswer, startRecordingUpstream, until } from '../../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../../kit/recording-upstream.ts'

const theirs: Authorization = { of: 'client', value: new Secret('Bearer their-own-token') }
const ours: Authorization = { of: 'gate', credential: new Secret(rigCredential) }
const get = 'GET /v1/x?a=1 HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'
const post = (body: string, framing = `Content-Length: ${body.length}`) =>
  `POST /v1/x HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Type: text/odd\r\n${framing}\r\n\r\n${body}`

describe('an observed request on the wire', () => {
  const open: AsyncDisposable[] = []
  const held: BreakOff[] = []
  let released = 0
  let endless = 0
  afterEach(async () => {
    held.length = 0
    released = 0
    endless = 0
    // oxlint-disable-next-line no-await-in-loop -- in reverse order of their start
    for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]()
  })

  async function pass(exchange: HttpExchange, authorization: Authorization) {
    const { method, target } = exchange.raw
    const body = await exchange.bodyIfRead()
    const headers = { accept: '*/*', 'content-encoding': 'gzip' }
    return exchange.pass({ method, target, headers, body, authorization }, (breakOff) => {
      held.push(breakOff)
      return {
        hasNoEnd: () => void (endless += 1),
        [Symbol.dispose]: () => void (released += 1),
      }
    })
  }

  async function start(
    authorization: Authorization = theirs,
    options: Partial<RigOptions> = {},
  ): Promise<[RecordingUpstream, Rig]> {
    const up = await startRecordingUpstream()
    const handle = (exchange: HttpExchange) => pass(exchange, authorization)
    const rig = await startRig({ upstreamUrl: up.url, way: 'small', handle, ...options })
    open.push(up, rig)
    return [up, rig]
  }

  it('goes up with the client’s own token, and comes back as the cloud answered', async () => {
    const [up, rig] = await start()
    const odd = {
      'Cache-Control': 'max-age=9',
      'X-Odd': 'kept',
      ETag: '"1"',
      'X-Request-Id': 'up-1',
    }
    up.answerWith(rawAnswer(418, '{"mobile_secret":"s"}', { ...odd, Server: 'cloud' }))
    const answer = await sendRaw(rig.port, get)
    expect([answer.status, answer.body]).toEqual([418, '{"mobile_secret":"s"}'])
    const headers = headersOf(answer.text)
    expect(Object.fromEntries(headers)).toMatchObject({
      ...{ 'cache-control': 'max-age=9', 'x-odd': 'kept', etag: '"1"', server: 'cloud' },
      ...{ 'x-request-id': 'req-1', 'x-upstream-request-id': 'up-1' },
      'access-control-allow-origin': '*',
    })
    expect(up.seen()).toContain('GET /v1/x?a=1 HTTP/1.1')
    expect(up.seen().match(/^authorization: .*$/gim)).toEqual([
      'authorization: Bearer their-own-token',
    ])
    expect(rig.outcomes).toMatchObject([{ status: 418, ended: 'answered', upstreamStatus: 418 }])
  })

  it('goes up without any token where the client has none', async () => {
    const [up, rig] = await start({ of: 'client', value: undefined })
    up.answerWith(rawAnswer(200, '{}'))
    await sendRaw(rig.port, get)
    expect(up.seen()).toContain('GET /v1/x')
    expect(up.seen()).not.toMatch(/^authorization/im)
  })

  it('hears 401 of the cloud about its own token, and 502 about the gate’s', async () => {
    const refusal = rawAnswer(401, '{"error":"invalid_token"}', { 'WWW-Authenticate': 'Bearer' })
    const [up, rig] = await start()
    up.answerWith(refusal)
    const told = await sendRaw(rig.port, get)
    expect([told.status, told.body]).toEqual([401, '{"error":"invalid_token"}'])
    expect(headersOf(told.text).get('www-authenticate')).toBe('Bearer')
    const [upstream, gate] = await start(ours)
    upstream.answerWith(refusal)
    expect((await sendRaw(gate.port, get)).status).toBe(502)
    expect(gate.problems.map(({ code }) => code)).toEqual(['upstream_refused'])
  })

  it('T17 never shows the gate’s credential, in whatever head or body the cloud repeats it', async () => {
    const [up, rig] = await start(ours)
    const headers = { 'X-Echo': rigCredential, Location: `/v1/x?t=${rigCredential}` }
    up.answerWith(rawAnswer(200, `{"t":"${rigCredential}"}`, headers))
    const answer = await sendRaw(rig.port, get)
    expect(up.seen()).toContain(`authorization: Bearer ${rigCredential}`)
    expect(answer.status).toBe(200)
    expect(answer.text).not.toContain(rigCredential)
  })

  it('gets no cookie, no word of the connection, and no way around the gate', async () => {
    const [up, rig] = await start()
    const location = `${up.url}/v1/y`
    const odd = { 'Set-Cookie': 's=1', 'Alt-Svc': 'h3=":443"', Connection: 'X-Hop', 'X-Hop': '1' }
    up.answerWith(rawAnswer(302, '', { ...odd, Location: location, 'X-Token-Expires': 'never' }))
    const headers = headersOf((await sendRaw(rig.port, get)).text)
    for (const name of ['set-cookie', 'alt-svc', 'x-hop', 'x-token-expires']) {
      expect([name, headers.get(name)]).toEqual([name, undefined])
    }
    expect(headers.get('location')).toBe('/v1/y')
  })

  it('streams a body that nobody read, odd and encoded as it is', async () => {
    const [up, rig] = await start(theirs, { maxBodyBytes: 10 })
    up.answerWith(rawAnswer(200, '{}'))
    const body = 'x'.repeat(5000)
    const encoded = `Content-Encoding: gzip\r\nContent-Length: ${body.length}`
    expect((await sendRaw(rig.port, post(body, encoded))).status).toBe(200)
    await until(() => up.seen().endsWith(body))
    expect(up.seen()).toMatch(/^content-encoding: gzip\r$/m)
  })

  it('sends a body that was read, and one that was too large to be read, but none that is half gone', async () => {
    const reading = async (exchange: HttpExchange) => {
      await exchange.body().catch(() => undefined)
      return pass(exchange, theirs)
    }
    const [up, rig] = await start(theirs, { maxBodyBytes: 10, handle: reading })
    up.answerWith(rawAnswer(200, '{}'))
    for (const body of ['short', 'x'.repeat(5000)]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await sendRaw(rig.port, post(body))).status).toBe(200)
      // oxlint-disable-next-line no-await-in-loop
      await until(() => up.seen().endsWith(body))
      up.clear()
    }
    const chunked = `1388\r\n${'x'.repeat(5000)}\r\n0\r\n\r\n`
    expect((await sendRaw(rig.port, post(chunked, 'Transfer-Encoding: chunked'))).status).toBe(413)
    expect(up.seen()).toBe('')
  })

  it('hears each event at once, until its stream is broken off', async () => {
    const [up, rig] = await start()
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream\r\n\r\n'
    up.answerWith(`${head}event: a\ndata: {}\n\n`)
    const socket = connect(rig.port, '127.0.0.1', () => socket.write(get))
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    socket.on('error', () => {})
    await until(() => text.includes('event: a'))
    expect([held.length, endless, released, rig.outcomes]).toEqual([1, 1, 0, []])
    held[0]?.('revoked')
    await until(() => socket.closed && rig.outcomes.length === 1)
    await until(() => up.connections.every(({ closed }) => closed))
    expect(rig.outcomes).toMatchObject([{ status: 200, ended: 'revoked' }])
    expect(released).toBe(1)
  })

  it.each([
    [
      'answers without an end',
      'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n{}\n',
      200,
    ],
    ['has not answered yet', '', 0],
  ])('is broken off too where the cloud %s', async (_, answer, status) => {
    const [up, rig] = await start()
    if (answer !== '') up.answerWith(answer)
    const socket = connect(rig.port, '127.0.0.1', () => socket.write(get))
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    socket.on('error', () => {})
    await until(() => up.seen().includes('GET') && text.includes('{}') === (answer !== ''))
    expect([held.length, endless, rig.outcomes]).toEqual([1, 0, []])
    held[0]?.('observation_over')
    await until(() => socket.closed && rig.outcomes.length === 1)
    await until(() => up.connections.every(({ closed }) => closed))
    expect(rig.outcomes).toMatchObject([{ status, ended: 'observation_over' }])
    expect(released).toBe(1)
  })

  it('is let go of once it is answered', async () => {
    const [up, rig] = await start()
    up.answerWith(rawAnswer(200, '{}'))
    await sendRaw(rig.port, get)
    expect([held.length, endless, released]).toEqual([1, 0, 1])
  })

  it('with a token of the gate’s own in a body that streams is refused before the cloud has all of it', async () => {
    const [up, rig] = await start(theirs, { maxBodyBytes: 10 })
    up.answerWith(rawAnswer(200, '{}'))
    const { token } = mintToken('u', randomBytes)
    const [head, rest] = [token.slice(0, 40), token.slice(40)]
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
    const framing = 'Transfer-Encoding: chunked'
    const whole = `${chunk(`${'x'.repeat(3000)}${head}`)}${chunk(`${rest}"}`)}0\r\n\r\n`
    expect((await sendRaw(rig.port, post(whole, framing))).status).toBe(401)
    expect(rig.problems.map(({ code }) => code)).toEqual(['invalid_token'])
    expect(up.seen()).not.toContain(rest)
    up.clear()
    const other = `${chunk(`${'x'.repeat(3000)}${head}`)}${chunk('-"}')}0\r\n\r\n`
    expect((await sendRaw(rig.port, post(other, framing))).status).toBe(200)
    await until(() => up.seen().includes('-"}'))
  })

  it('under a Content-Encoding is searched in what it decodes to, and else goes up byte for byte', async () => {
    const [up, rig] = await start(theirs, { maxBodyBytes: 10 })
    const { token } = mintToken('u', randomBytes)
    const padding = () => randomBytes(1_500_000).toString('hex')
    const send = (plain: string) => {
      const body = gzipSync(plain)
      const encoded = `Content-Encoding: gzip\r\nContent-Length: ${body.length}`
      // Only once it has all of it.
      const tail = body.subarray(-20).toString('latin1')
      up.use((connection) => {
        until(() => connection.text.endsWith(tail) || connection.closed).then(
          () => connection.socket.end(rawAnswer(200, '{}')),
          () => undefined,
        )
      })
      const head = Buffer.from(post('', encoded), 'latin1')
      return { body, answer: sendRaw(rig.port, Buffer.concat([head, body])) }
    }
    const holding = send(`${padding()}${token}${padding()}`)
    expect((await holding.answer).status).toBe(401)
    expect(rig.problems.map(({ code }) => code)).toEqual(['invalid_token'])
    await until(() => up.connections.every(({ closed }) => closed))
    expect(up.seen().length).toBeLessThan(holding.body.length)
    up.clear()
    for (const plain of ['', `${padding()}${token.slice(0, -1)}-`]) {
      const clean = send(plain)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await clean.answer).status).toBe(200)
      // oxlint-disable-next-line no-await-in-loop
      await until(() => up.seen().endsWith(clean.body.toString('latin1')))
    }
    expect(rig.outcomes.at(-1)).toMatchObject({ status: 200, ended: 'answered' })
  })
})

describe('X-Token-Expires', () => {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    // oxlint-disable-next-line no-await-in-loop -- in reverse order of their start
    for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]()
  })
  const endsAt = Date.UTC(2027, 2, 1)
  const request = { method: 'GET', target: '/v1/x', headers: {}, body: undefined }
  const small = { ...request, credential: new Secret(rigCredential) }
  const cut = {
    answer: { kind: 'object' as const, at: '', secrets: [] },
    obligations: { answer: undefined, hide: new Set<string>(), reveal: new Set<string>() },
  }
  const ways: Readonly<Record<string, NonNullable<RigOptions['handle']>>> = {
    'a small answer': (exchange) => exchange.filter(small, cut, aStanding()),
    'a streamed answer': (exchange) =>
      exchange.forward(small, { kind: 'none' }, undefined, aStanding()),
    'an answer that is read and cut': (exchange) =>
      exchange.forward(small, { kind: 'none' }, cut, aStanding()),
    'an observed answer': (exchange) =>
      exchange.pass({ ...request, authorization: theirs }, () => ({
        hasNoEnd() {},
        [Symbol.dispose]() {},
      })),
    'a list': async (exchange) =>
      exchange.send({
        ...{ status: 200, contentType: 'application/json', body: Buffer.from('[]') },
        upstream: { status: 200, requestId: undefined },
      }),
    'an event stream': (exchange) =>
      exchange.stream((sink) => {
        sink.begin()
        sink.end('answered')
      }),
    'an answer of the gate’s own': async (exchange) => exchange.answer(200, {}),
    'a refusal': async () => {
      throw new Error('odd')
    },
  }
  it.each(Object.entries(ways))('stands on %s, and the cloud’s never', async (_, handle) => {
    const up = await startRecordingUpstream()
    open.push(up)
    up.answerWith(rawAnswer(200, '{}', { 'X-Token-Expires': 'forged' }))
    for (const atMs of [endsAt, undefined]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const rig = await startRig({
        ...{ upstreamUrl: up.url, way: 'small' },
        handle: (exchange) => {
          exchange.tokenEnds(atMs)
          return handle(exchange)
        },
      })
      open.push(rig)
      // oxlint-disable-next-line no-await-in-loop
      const headers = headersOf((await sendRaw(rig.port, get)).text)
      const want = atMs === undefined ? undefined : '2027-03-01T00:00:00.000Z'
      expect(headers.get('x-token-expires')).toBe(want)
    }
  })
})
