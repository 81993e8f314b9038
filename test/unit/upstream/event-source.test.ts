import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import {
  createEventSource,
  type EventSource,
  type StreamConnection,
} from '../../../src/upstream/event-source.ts'
import { UpstreamRefusal } from '../../../src/upstream/fleet-lists.ts'
import { anOrigin } from '../../kit/an-origin.ts'
import { rawAnswer, startRecordingUpstream, until } from '../../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../../kit/recording-upstream.ts'

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'

describe('createEventSource', () => {
  let up: RecordingUpstream
  let source: EventSource
  let told: string[]
  let ended: unknown[]

  beforeEach(async () => {
    up = await startRecordingUpstream()
    source = within(30_000)
    told = []
    ended = []
  })
  afterEach(async () => {
    source[Symbol.dispose]()
    await up[Symbol.asyncDispose]()
  })

  function within(ms: number): EventSource {
    return createEventSource({
      origin: anOrigin(`${up.url}/base`),
      connectTimeoutMs: ms,
      headersTimeoutMs: ms,
    })
  }

  function beImpatient(): void {
    source[Symbol.dispose]()
    source = within(300)
  }

  function open(): StreamConnection {
    return source.open(
      { target: '/v1/events', credential: new Secret('c') },
      {
        opened: () => void told.push('opened'),
        chunk: (bytes) => void told.push(bytes.toString()),
        ended: (why) => void ended.push(why),
      },
    )
  }

  it('asks for an event stream that is not encoded, with the gate’s credential', async () => {
    up.answerWith(head)
    open()
    await until(() => told.length === 1)
    expect(up.seen()).toBe(
      [
        'GET /base/v1/events HTTP/1.1',
        `host: 127.0.0.1:${up.port}`,
        'connection: keep-alive',
        'authorization: Bearer c',
        'accept: text/event-stream',
        'accept-encoding: identity',
        '\r\n',
      ].join('\r\n'),
    )
  })

  it('hands on what comes, as it comes, and says when it has ended', async () => {
    up.answerWith(head)
    open()
    await until(() => told.length === 1)
    up.connections[0]?.socket.write('one')
    await until(() => told.length === 2)
    up.connections[0]?.socket.end('two')
    await until(() => ended.length === 1)
    expect(told).toEqual(['opened', 'one', 'two'])
    expect(ended).toMatchObject([{ code: 'upstream_failed' }])
  })

  it('says when it broke', async () => {
    up.answerWith(
      `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n`,
    )
    open()
    await until(() => told.length === 2)
    up.connections[0]?.socket.resetAndDestroy()
    await until(() => ended.length === 1)
    expect(ended).toMatchObject([{ code: 'upstream_failed' }])
  })

  it('lives on in silence, longer than the head may take', async () => {
    beImpatient()
    up.answerWith(head)
    open()
    await until(() => told.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    up.connections[0]?.socket.write('late')
    await until(() => told.length === 2)
    expect(ended).toEqual([])
  })

  it('gives up on a head that does not come', async () => {
    beImpatient()
    open()
    await until(() => ended.length === 1)
    expect(ended).toMatchObject([{ code: 'upstream_timeout' }])
    await until(() => up.connections.every(({ closed }) => closed))
  })

  it('fails where nobody listens', async () => {
    const nobody = createEventSource({
      origin: anOrigin('http://127.0.0.1:1'),
      connectTimeoutMs: 300,
      headersTimeoutMs: 300,
    })
    nobody.open(
      { target: '/', credential: new Secret('c') },
      { opened: () => {}, chunk: () => {}, ended: (why) => void ended.push(why) },
    )
    await until(() => ended.length === 1)
    expect(ended).toMatchObject([{ code: 'upstream_failed' }])
  })

  it('closes the socket at once, and says no more', async () => {
    up.answerWith(head)
    const connection = open()
    await until(() => told.length === 1)
    connection.close()
    await until(() => up.connections[0]?.closed === true)
    expect(ended).toEqual([])
  })

  it('can be closed before it was answered', async () => {
    const connection = open()
    await until(() => up.connections[0]?.heads === 1)
    connection.close()
    await until(() => up.connections[0]?.closed === true)
    expect([told, ended]).toEqual([[], []])
  })

  it('hands on the cloud’s own refusal', async () => {
    up.answerWith(rawAnswer(403, '{"error":"no"}'))
    open()
    await until(() => ended.length === 1)
    const [why] = ended
    expect(why).toBeInstanceOf(UpstreamRefusal)
    expect(why).toMatchObject({ status: 403, contentType: 'application/json' })
    expect(why).toMatchObject({ retryAfterS: undefined })
    expect(told).toEqual([])
  })

  it.each([
    ['37', 37],
    ['0', 0],
    ['99999', 99_999],
    ['100000', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
  ])('hands on when it may be asked again: %s', async (said, retryAfterS) => {
    up.answerWith(rawAnswer(429, '{"error":"slow"}', { 'Retry-After': said }))
    open()
    await until(() => ended.length === 1)
    expect(ended[0]).toMatchObject({ status: 429, retryAfterS })
  })

  const type = { 'Content-Type': 'text/event-stream' }
  it.each([
    ['a refused credential', rawAnswer(401, '{}'), 'upstream_refused'],
    ['another type', rawAnswer(200, '{}'), 'unfilterable_answer'],
    [
      'another charset',
      rawAnswer(200, '', { 'Content-Type': 'text/event-stream; charset=utf-16' }),
      'unfilterable_answer',
    ],
    [
      'an encoded stream',
      rawAnswer(200, '', { ...type, 'Content-Encoding': 'gzip' }),
      'unfilterable_answer',
    ],
    ['a part', rawAnswer(206, '', type), 'unfilterable_answer'],
    ['nothing', rawAnswer(202, '', type), 'unfilterable_answer'],
    ['another place', rawAnswer(302, '', { ...type, Location: '/x' }), 'unfilterable_answer'],
    ['a refusal without end', rawAnswer(500, 'x'.repeat(100_000)), 'unfilterable_answer'],
    [
      'a refusal that never comes',
      'HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n',
      'upstream_timeout',
    ],
    ['no HTTP', 'event: x\n\n', 'upstream_failed'],
  ])('does not take %s for a stream', async (_, answer, code) => {
    if (code === 'upstream_timeout') beImpatient()
    up.answerWith(answer)
    open()
    await until(() => ended.length === 1)
    expect(ended).toMatchObject([{ code }])
    expect(told).toEqual([])
    await until(() => up.connections.every(({ closed }) => closed))
  })
})
