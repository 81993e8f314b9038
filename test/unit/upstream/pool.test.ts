import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { parseUpstreamOrigin } from '../../../src/upstream/origin.ts'
import { createUpstreamPool, type UpstreamPool } from '../../../src/upstream/pool.ts'
import { rawAnswer, startRecordingUpstream, until } from '../../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../../kit/recording-upstream.ts'

const credential = new Secret('c')
const get = { method: 'GET', target: '/v1/x', headers: {}, body: undefined, credential }
const code = (wanted: string) => expect.objectContaining({ code: wanted })

describe('createUpstreamPool', () => {
  let up: RecordingUpstream
  let pool: UpstreamPool
  beforeEach(async () => {
    up = await startRecordingUpstream()
    pool = createUpstreamPool({
      origin: parseUpstreamOrigin(`${up.url}/base`),
      connections: 2,
      connectTimeoutMs: 500,
      headersTimeoutMs: 500,
      bodyTimeoutMs: 500,
      maxAnswerBytes: 1000,
      maxCalls: 4,
    })
  })
  afterEach(async () => {
    await pool[Symbol.asyncDispose]()
    await up[Symbol.asyncDispose]()
  })

  it('puts the base path before the target and sets its own credential', async () => {
    up.answerWith(rawAnswer(200, '{}'))
    await pool.request({ ...get, headers: { authorization: 'evil', 'accept-encoding': 'gzip' } })
    expect(up.seen()).toMatch(/^GET \/base\/v1\/x HTTP/)
    expect(up.seen()).toContain('authorization: Bearer c\r\n')
    expect(up.seen()).not.toMatch(/evil|gzip/)
  })

  it.each([
    ['stated', rawAnswer(200, 'x'.repeat(1001))],
    [
      'chunked',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1001)}\r\n0\r\n\r\n`,
    ],
  ])('drops an answer over the bound, its length %s (F05)', async (_, bytes) => {
    up.answerWith(bytes)
    await expect(pool.request(get)).rejects.toThrow(code('unfilterable_answer'))
    await until(() => up.connections[0]?.closed === true)
  })

  it('drops an answer whose body stalls', async () => {
    up.use(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe'))
    await expect(pool.request(get)).rejects.toThrow(code('upstream_timeout'))
  })

  it('waits for nobody over its number of calls', async () => {
    up.use(() => {})
    const waiting = Array.from({ length: 4 }, () => pool.request(get))
    await expect(pool.request(get)).rejects.toThrow(code('overloaded'))
    await Promise.allSettled(waiting)
    up.answerWith(rawAnswer(200, '{}'))
    expect((await pool.request(get)).status).toBe(200)
  })

  it('sends nothing of a request that was given up while it waited for a socket', async () => {
    up.use(() => {})
    const busy = [pool.start(get), pool.start(get)]
    const late = pool.start({ ...get, target: '/late' })
    late.abort()
    await expect(late.answer).rejects.toThrow('gave up')
    for (const call of busy) call.abort()
    await Promise.allSettled(busy.map(({ answer }) => answer))
    up.answerWith(rawAnswer(200, '{}'))
    await pool.request(get)
    expect(up.seen()).not.toContain('/late')
  })

  it('follows an AbortSignal', async () => {
    up.use(() => {})
    const abort = new AbortController()
    const answer = pool.request(get, abort.signal)
    await until(() => up.connections.length === 1)
    abort.abort()
    await expect(answer).rejects.toThrow('gave up')
    await until(() => up.connections[0]?.closed === true)
    await expect(pool.request(get, AbortSignal.abort())).rejects.toThrow('abort')
  })

  it('answers upstream_failed where nobody listens', async () => {
    await using nobody = createUpstreamPool({
      origin: parseUpstreamOrigin('http://127.0.0.1:1'),
      connections: 1,
      connectTimeoutMs: 500,
      headersTimeoutMs: 500,
      bodyTimeoutMs: 500,
      maxAnswerBytes: 1000,
      maxCalls: 4,
    })
    await expect(nobody.request(get)).rejects.toThrow(code('upstream_failed'))
  })
})
