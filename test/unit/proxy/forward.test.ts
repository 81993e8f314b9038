import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { BodyGuard, Cut } from '../../../src/proxy/exchange.ts'
import { startRig, type Rig, type RigOptions } from '../../kit/exchange-rig.ts'
import { startFairClock } from '../../kit/fair-clock.ts'
import { heldBytes } from '../../kit/held-memory.ts'
import { headersOf, sendRaw } from '../../kit/raw-socket.ts'
import { rawAnswer, startRecordingUpstream, until } from '../../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../../kit/recording-upstream.ts'

const guard: BodyGuard = {
  ...{ kind: 'multipart', boundary: 'B', files: ['file'], fields: ['version'], products: [] },
}
const get = 'GET /events HTTP/1.1\r\nHost: gate\r\n\r\n'
const upload = (body: string | Buffer, framing = `Content-Length: ${body.length}`) =>
  `POST /firmware HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n${framing}\r\n\r\n${body.toString()}`
const file = (content: string) =>
  `--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n${content}\r\n--B--\r\n`

describe('the streaming way', () => {
  const open: AsyncDisposable[] = []
  const sockets: Socket[] = []
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    // oxlint-disable-next-line no-await-in-loop -- in reverse order of their start
    for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]()
  })
  async function start(options: Partial<RigOptions> = {}): Promise<[RecordingUpstream, Rig]> {
    const up = await startRecordingUpstream()
    const rig = await startRig({ upstreamUrl: up.url, way: 'streaming', ...options })
    open.push(up, rig)
    return [up, rig]
  }
  function client(port: number, bytes: string): { socket: Socket; got: () => string } {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    socket.on('error', () => {})
    sockets.push(socket)
    return { socket, got: () => text }
  }

  it('passes each event on at once and outlives the first-byte timeout in silence (F14)', async () => {
    await using clock = await startFairClock()
    const [up, rig] = await start({ timeoutMs: 1000 })
    up.use(({ socket }) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n:ok\n\n\r\n',
      )
    })
    const { got, socket } = client(rig.port, get)
    await until(() => got().includes(':ok\n\n'))
    expect(headersOf(got()).get('cache-control')).toBe('no-store')
    expect(headersOf(got()).get('x-accel-buffering')).toBe('no')
    await sleep(1500)
    up.connections[0]?.socket.write('9\r\ndata: 1\n\n\r\n')
    await until(() => got().includes('data: 1\n\n'))
    expect(rig.outcomes).toHaveLength(0)
    socket.destroy()
    expect(await clock.until(() => up.connections[0]?.closed === true)).toBeLessThan(1000)
    await until(() => rig.outcomes.length === 1)
    expect(rig.outcomes[0]).toMatchObject({ status: 200, ended: 'client_gone', bytes: 14 })
  })

  it('breaks the client off when the stream breaks off, also over HTTP/1.0 (F04)', async () => {
    const [up, rig] = await start()
    up.use(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
      setTimeout(() => socket.destroy(), 50)
    })
    const old = await sendRaw(rig.port, 'GET / HTTP/1.0\r\nHost: gate\r\n\r\n')
    expect(old.text).toContain('hello')
    expect(old.closed).toBe('reset')
    expect(rig.outcomes[0]).toMatchObject({ status: 200, ended: 'upstream_reset' })
  })

  it('keeps a coding it does not read (downloads)', async () => {
    const [up, rig] = await start()
    up.answerWith(rawAnswer(200, 'zipped', { 'Content-Encoding': 'gzip' }))
    const answer = await sendRaw(rig.port, get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    expect(headersOf(answer.text).get('content-encoding')).toBe('gzip')
    expect(answer.body).toBe('zipped')
  })

  it('streams a large upload unchanged, with a memory that does not grow with it (B10)', async () => {
    const [up, rig] = await start({ guard })
    const content = 'x'.repeat(20_000_000)
    const body = file(content)
    const head = `POST / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`
    const { socket, got } = client(rig.port, head)
    await until(() => socket.readyState === 'open')
    const before = heldBytes()
    for (let at = 0; at < body.length; at += 65_536) {
      const piece = body.slice(at, at + 65_536)
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve))
    }
    await until(() => (up.connections[0]?.text.length ?? 0) > body.length)
    // What a collector has not come to yet goes; what is held stays as long as the upload is not over.
    await expect.poll(() => heldBytes() - before).toBeLessThan(20_000_000)
    up.connections[0]?.socket.write(rawAnswer(200, '{}'))
    await until(() => got().includes('200 OK'))
    const seen = up.seen()
    expect(seen.slice(seen.indexOf('\r\n\r\n') + 4) === body).toBe(true)
  })

  it('does not read ahead of a slow upstream', async () => {
    const [up, rig] = await start({ timeoutMs: 800 })
    up.use(({ socket }) => socket.pause())
    const { socket } = client(
      rig.port,
      'POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 100000000\r\n\r\n',
    )
    await until(() => up.connections.length === 1)
    const piece = Buffer.alloc(1_000_000)
    for (let i = 0; i < 100; i += 1) socket.write(piece)
    await sleep(500)
    expect(socket.bytesWritten - socket.writableLength).toBeLessThan(40_000_000)
    // Nothing moves any more: the time for the first byte runs out, and upstream is let go.
    await until(() => rig.outcomes.length === 1)
    expect(rig.outcomes[0]?.ended).toBe('upstream_timeout')
  })

  it.each([
    ['undeclared part', file('x').replace('"file"', '"evil"')],
    ['token part', file('x').replace('name="file"; filename="a"', 'name="access_token"')],
    ['missing end', file('x').replace('--B--\r\n', '')],
  ])('answers 400 to an %s and upstream never has a whole body', async (_, body) => {
    const [up, rig] = await start({ guard })
    const answer = await sendRaw(rig.port, upload(body))
    expect(answer.status).toBe(400)
    await until(() => up.connections.every((connection) => connection.closed))
    const [, sent = ''] = up.seen().split('\r\n\r\n', 2)
    expect(sent.length).toBeLessThan(body.length)
    expect(rig.outcomes).toMatchObject([{ status: 400, ended: 'invalid_body' }])
  })

  it('ends no chunked upload whose last part is wrong', async () => {
    const [up, rig] = await start({ guard })
    const body = file('x').replace('--B--\r\n', '')
    const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    const head =
      'POST / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
    const answer = await sendRaw(rig.port, `${head}${chunked}`)
    expect(answer.status).toBe(400)
    await until(() => up.connections.every((connection) => connection.closed))
    expect(up.seen()).not.toMatch(/0\r\n\r\n$/)
  })

  it('gives an early refusal to a client that is still uploading, and the next one is right (X04)', async () => {
    const [up, rig] = await start()
    up.answerWith(rawAnswer(413, '{"error":"too large"}'))
    const answer = await sendRaw(rig.port, upload(Buffer.alloc(5_000_000, 'x')))
    expect(answer.status).toBe(413)
    expect(answer.body).toBe('{"error":"too large"}')
    await until(() => up.connections[0]?.closed === true)
    up.answerWith(rawAnswer(200, '{"next":1}'))
    const next = await sendRaw(rig.port, upload('x'))
    expect(next.body).toBe('{"next":1}')
  })

  it('aborts upstream within a second when the uploader goes at half (B10)', async () => {
    const [up, rig] = await start()
    const { socket } = client(
      rig.port,
      'POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 1000\r\n\r\nhalf',
    )
    await until(() => up.seen().endsWith('half'))
    await using clock = await startFairClock()
    socket.destroy()
    expect(await clock.until(() => up.connections[0]?.closed === true)).toBeLessThan(1000)
    await until(() => rig.outcomes.length === 1)
    // A FIN inside the body: gone or half-closed, it is a body cut short.
    expect(rig.outcomes[0]?.ended).toMatch(/^(client_gone|invalid_body)$/)
  })

  it('gives an upload as long as bytes keep coming (B10)', async () => {
    const [up, rig] = await start({ timeoutMs: 1500 })
    const { socket, got } = client(
      rig.port,
      'POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 6\r\n\r\n',
    )
    for (const letter of 'abcdef') {
      // oxlint-disable-next-line no-await-in-loop -- a slow client
      await sleep(350)
      socket.write(letter)
    }
    await until(() => up.seen().endsWith('abcdef'))
    up.connections[0]?.socket.write(rawAnswer(200, '{"slow":1}'))
    await until(() => got().includes('{"slow":1}'))
  })

  it('leaves nothing open behind clients that vanish (F12)', async () => {
    const [up, rig] = await start()
    up.use(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:ok\n\n')
    })
    const clients = Array.from({ length: 8 }, () => client(rig.port, get))
    await until(() => clients.every(({ got }) => got().includes(':ok')))
    await using clock = await startFairClock()
    for (const { socket } of clients) socket.resetAndDestroy()
    const allClosed = clock.until(() => up.connections.every(({ closed }) => closed))
    expect(await allClosed).toBeLessThan(1000)
    await until(() => rig.outcomes.length === 8)
  })

  describe('with an answer whose keys are to be cut', () => {
    const cut: Cut = {
      answer: { kind: 'object', at: '', secrets: ['mobile_secret'] },
      obligations: { answer: undefined, hide: new Set(['owner']), reveal: new Set() },
    }
    const whole = '{"id":"1","owner":"o","mobile_secret":"s"}'

    it('streams the upload and cuts the answer', async () => {
      const [up, rig] = await start({ cut, guard })
      up.use(({ socket }) => socket.write(rawAnswer(200, whole)))
      const type = 'Content-Type: multipart/form-data; boundary=B\r\n'
      const body = file('binary')
      const { got } = client(rig.port, upload(body, `${type}Content-Length: ${body.length}`))
      await until(() => got().endsWith('{"id":"1"}'))
      expect(headersOf(got()).get('content-length')).toBe('10')
      await until(() => up.seen().includes('binary'))
      await until(() => rig.outcomes.length === 1)
      expect(rig.outcomes[0]).toMatchObject({ status: 200, bytes: 10, ended: 'answered' })
    })

    it('sends nothing of an answer that is too large, cut short, encoded or not JSON', async () => {
      const answers = [
        [rawAnswer(200, `{"id":"${'x'.repeat(2000)}"}`), 'unfilterable_answer'],
        [rawAnswer(200, whole).slice(0, -3), 'upstream_failed'],
        [rawAnswer(200, whole, { 'Content-Encoding': 'gzip' }), 'unfilterable_answer'],
        [rawAnswer(200, whole, { 'Content-Type': 'text/html' }), 'unfilterable_answer'],
      ] as const
      for (const [answer, code] of answers) {
        // oxlint-disable-next-line no-await-in-loop -- one upstream script at a time
        const [up, rig] = await start({ cut, maxAnswerBytes: 1000 })
        up.use(({ socket }) => socket.end(answer))
        const { got } = client(rig.port, get)
        // oxlint-disable-next-line no-await-in-loop -- one upstream script at a time
        await until(() => got().startsWith('HTTP/1.1 502 '))
        expect(got()).not.toContain('"id"')
        expect(rig.problems.map((problem) => problem.code)).toEqual([code])
      }
    })
  })
})
