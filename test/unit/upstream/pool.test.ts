import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/domain/clock.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { anOrigin } from '../../kit/an-origin.ts'
import { createUpstreamPool, type UpstreamPool } from '../../../src/upstream/pool.ts'
import { rawAnswer, startRecordingUpstream, until } from '../../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../../kit/recording-upstream.ts'

const credential = new Secret('c')
const get = { method: 'GET', target: '/v1/x', headers: {}, body: undefined, credential }
const u = { user: 'u' }
const code = (wanted: string) => expect.objectContaining({ code: wanted })

describe('createUpstreamPool', () => {
  let up: RecordingUpstream
  let pool: UpstreamPool
  beforeEach(async () => {
    up = await startRecordingUpstream()
    pool = within(30_000)
  })
  afterEach(async () => {
    await pool[Symbol.asyncDispose]()
    await up[Symbol.asyncDispose]()
  })

  function within(ms: number): UpstreamPool {
    return createUpstreamPool({
      origin: anOrigin(`${up.url}/base`),
      connections: 2,
      connectTimeoutMs: ms,
      headersTimeoutMs: ms,
      bodyTimeoutMs: ms,
      maxAnswerBytes: 1000,
      maxCalls: 4,
      clock: systemClock,
    })
  }

  async function beImpatient(): Promise<void> {
    await pool[Symbol.asyncDispose]()
    pool = within(500)
  }

  it('puts the base path before the target and sets its own credential', async () => {
    up.answerWith(rawAnswer(200, '{}'))
    await pool.request({ ...get, headers: { authorization: 'evil', 'accept-encoding': 'gzip' } }, u)
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
    await expect(pool.request(get, u)).rejects.toThrow(code('unfilterable_answer'))
    await until(() => up.connections[0]?.closed === true)
  })

  it('drops an answer whose body stalls', async () => {
    await beImpatient()
    up.use(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe'))
    await expect(pool.request(get, u)).rejects.toThrow(code('upstream_timeout'))
  })

  it('waits for nobody over its number of calls', async () => {
    up.use(() => {})
    const users = ['u', 'u', 'v', 'w']
    const waiting = users.map((user) => pool.start(get, { user }))
    await expect(pool.request(get, u)).rejects.toThrow(code('overloaded'))
    for (const call of waiting) call.abort()
    await Promise.allSettled(waiting.map(({ answer }) => answer))
    up.answerWith(rawAnswer(200, '{}'))
    expect((await pool.request(get, u)).status).toBe(200)
  })

  it('sends nothing of a request that was given up while it waited for a socket', async () => {
    up.use(() => {})
    const busy = [pool.start(get, u), pool.start(get, u)]
    const late = pool.start({ ...get, target: '/late' }, u)
    late.abort()
    await expect(late.answer).rejects.toThrow('gave up')
    for (const call of busy) call.abort()
    await Promise.allSettled(busy.map(({ answer }) => answer))
    up.answerWith(rawAnswer(200, '{}'))
    await pool.request(get, u)
    expect(up.seen()).not.toContain('/late')
  })

  it('follows an AbortSignal', async () => {
    up.use(() => {})
    const abort = new AbortController()
    const answer = pool.request(get, u, abort.signal)
    await until(() => up.connections.length === 1)
    abort.abort()
    await expect(answer).rejects.toThrow('gave up')
    await until(() => up.connections[0]?.closed === true)
    await expect(pool.request(get, u, AbortSignal.abort())).rejects.toThrow('abort')
  })

  it('answers upstream_failed where nobody listens', async () => {
    await using nobody = createUpstreamPool({
      origin: anOrigin('http://127.0.0.1:1'),
      connections: 1,
      connectTimeoutMs: 500,
      headersTimeoutMs: 500,
      bodyTimeoutMs: 500,
      maxAnswerBytes: 1000,
      maxCalls: 4,
      clock: systemClock,
    })
    await expect(nobody.request(get, u)).rejects.toThrow(code('upstream_failed'))
  })
})
