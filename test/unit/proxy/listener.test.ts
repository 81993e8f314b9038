import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startRig, type Rig } from '../../kit/exchange-rig.ts'
import { headersOf, sendRaw } from '../../kit/raw-socket.ts'
import { rawAnswer, startRecordingUpstream, until } from '../../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../../kit/recording-upstream.ts'

describe('guardServer', () => {
  let up: RecordingUpstream
  let rig: Rig
  beforeEach(async () => {
    up = await startRecordingUpstream()
    up.answerWith(rawAnswer(200, '{"fine":1}'))
    rig = await startRig({ upstreamUrl: up.url, way: 'small', limits: { headersTimeoutMs: 1000 } })
  })
  afterEach(async () => {
    await rig[Symbol.asyncDispose]()
    await up[Symbol.asyncDispose]()
  })

  const host = 'Host: gate\r\n'
  it.each([
    [
      'S01 both lengths',
      `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    ['S02 two lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`],
    ['S02 a signed length', `POST / HTTP/1.1\r\n${host}Content-Length: +2\r\n\r\n{}`],
    [
      'S03 a space before the colon',
      `POST / HTTP/1.1\r\n${host}Transfer-Encoding : chunked\r\n\r\n`,
    ],
    ['S05 an obsolete fold', `GET / HTTP/1.1\r\n${host}A: b\r\n c\r\n\r\n`],
    ['S05 a NUL', `GET / HTTP/1.1\r\n${host}A: b\0\r\n\r\n`],
    ['P25 raw bytes in the target', `GET /\x80 HTTP/1.1\r\n${host}\r\n`],
    ['M09 another protocol', 'SSH-2.0-OpenSSH_9\r\n\r\n'],
    ['M09 TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('answers 400 to %s, one row and nothing upstream', async (_, bytes) => {
    const answer = await sendRaw(rig.port, bytes)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'invalid_request' })
    expect(headersOf(answer.text).get('x-request-id')).toBe(rig.rejects[0]?.requestId)
    expect(rig.rejects).toMatchObject([{ reason: 'invalid_request', status: 400, rawTarget: '' }])
    expect(rig.outcomes).toHaveLength(0)
    expect(up.seen()).toBe('')
  })

  it('answers 431 to a head over its bound (H16)', async () => {
    const answer = await sendRaw(
      rig.port,
      `GET / HTTP/1.1\r\n${host}A: ${'b'.repeat(20_000)}\r\n\r\n`,
    )
    expect(answer.status).toBe(431)
    expect(rig.rejects).toMatchObject([{ reason: 'headers_too_large', status: 431 }])
  })

  it('sees header lines that Node would drop unseen: 431 (H16)', async () => {
    const answer = await sendRaw(
      rig.port,
      `GET / HTTP/1.1\r\n${host}Connection: close\r\n${'A: b\r\n'.repeat(2100)}\r\n`,
    )
    expect(answer.status).toBe(431)
    expect(up.seen()).toBe('')
    expect(rig.outcomes.length + rig.rejects.length).toBe(1)
  })

  it('answers 408 to a head that never ends (M12)', async () => {
    const answer = await sendRaw(rig.port, 'GET / HTTP/1.1\r\nHost')
    expect(answer.status).toBe(408)
    expect(rig.rejects).toMatchObject([{ reason: 'request_timeout', status: 408 }])
  })

  it('makes no row of a connection on which nothing came', async () => {
    const answer = await sendRaw(rig.port, '')
    expect(answer.text).toBe('')
    expect(rig.rejects).toHaveLength(0)
  })

  it('answers 417 to another expectation (X03)', async () => {
    const answer = await sendRaw(
      rig.port,
      `GET /x?access_token=t HTTP/1.1\r\n${host}Expect: 200-ok\r\nConnection: close\r\n\r\n`,
    )
    expect(answer.status).toBe(417)
    expect(rig.rejects).toMatchObject([{ reason: 'expectation_failed', rawTarget: '/x' }])
    expect(up.seen()).toBe('')
  })

  it.each([
    ['X05 a websocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
    ['X07 h2c', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n'],
  ])('answers 426 to %s, also behind a normal request', async (_, headers) => {
    const answer = await sendRaw(
      rig.port,
      `GET / HTTP/1.1\r\n${host}\r\nGET /x HTTP/1.1\r\n${host}${headers}\r\n`,
    )
    expect(answer.text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 426'])
    expect(rig.rejects).toMatchObject([{ reason: 'upgrade_refused', rawTarget: '/x' }])
    expect(up.seen().match(/GET/g)).toHaveLength(1)
  })

  it('answers 405 to CONNECT (M04)', async () => {
    const answer = await sendRaw(rig.port, `CONNECT evil:443 HTTP/1.1\r\n${host}\r\n`)
    expect(answer.status).toBe(405)
    expect(rig.rejects).toMatchObject([{ reason: 'method_not_allowed', method: 'CONNECT' }])
  })

  it('answers a good request before the bad one behind it, each counted once (M10)', async () => {
    const answer = await sendRaw(rig.port, `GET / HTTP/1.1\r\n${host}\r\nBAD\r\n\r\n`)
    expect(answer.text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400'])
    expect([rig.outcomes.length, rig.rejects.length]).toEqual([1, 1])
  })

  it('takes what follows a body that is longer than it says as a request of its own (S09)', async () => {
    const answer = await sendRaw(
      rig.port,
      `POST / HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\n{}GET /own HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    )
    expect(answer.text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
    expect(rig.outcomes).toHaveLength(2)
    await until(() => up.seen().includes('GET /own'))
  })
})
