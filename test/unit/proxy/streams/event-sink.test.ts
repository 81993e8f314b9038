import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Problem } from '../../../../src/domain/problem.ts'
import type { EventSink } from '../../../../src/proxy/exchange.ts'
import { startRig, type Rig } from '../../../kit/exchange-rig.ts'
import { openRaw } from '../../../kit/raw-client.ts'
import { until } from '../../../kit/recording-upstream.ts'

type Serve = (sink: EventSink) => void | Promise<void>

describe('the client’s end of an event stream', () => {
  let rig: Rig
  let serve: Serve
  let sink: EventSink | undefined
  let ends: number

  beforeEach(async () => {
    sink = undefined
    ends = 0
    serve = (given) => given.begin()
    rig = await startRig({
      upstreamUrl: 'http://127.0.0.1:1',
      way: 'small',
      handle: (exchange) =>
        exchange.stream((given) => {
          sink = given
          given.onEnd(() => void (ends += 1))
          return serve(given)
        }),
    })
  })
  afterEach(async () => {
    await rig[Symbol.asyncDispose]()
  })

  function request(version = '1.1', method = 'GET') {
    const client = openRaw(rig.port)
    client.send(`${method} /events HTTP/${version}\r\nHost: x\r\n\r\n`)
    return client
  }

  it('begins with a head for one client alone, and first bytes', async () => {
    serve = (given) => {
      given.begin()
      given.end('answered')
    }
    using client = request()
    const { answers } = await client.receive({ answers: 1 })
    expect(answers).toMatchObject([{ status: 200, body: ':ok\n\n', truncated: false }])
    expect(Object.fromEntries(answers[0]?.headers ?? [])).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': '*',
      'x-request-id': 'req-1',
    })
    expect(answers[0]?.headers.has('content-length')).toBe(false)
    await until(() => rig.outcomes.length === 1)
    expect(rig.outcomes).toMatchObject([{ status: 200, bytes: 5, ended: 'answered' }])
  })

  it('sends what one turn brings as one piece, and the next turn’s as another', async () => {
    using client = request()
    await until(() => sink !== undefined)
    for (const piece of ['a', 'b', 'c']) sink?.write(Buffer.from(piece))
    await new Promise((resolve) => setImmediate(resolve))
    sink?.write(Buffer.from('d'))
    await new Promise((resolve) => setImmediate(resolve))
    sink?.end('answered')
    const { text } = await client.receive({ answers: 1 })
    expect(text).toMatch(/\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n$/)
  })

  it.each([
    ['1.1', 'end'],
    ['1.0', 'reset'],
  ])('breaks so that no client of HTTP/%s takes it for whole', async (version, closed) => {
    using client = request(version)
    await until(() => sink !== undefined)
    sink?.end('revoked')
    sink?.end('expired')
    sink?.write(Buffer.from('late'))
    const received = await client.receive()
    expect(received.closed).toBe(closed)
    expect(received.text).not.toContain('late')
    expect(received.text).not.toContain('\r\n0\r\n')
    await until(() => rig.outcomes.length === 1)
    expect(rig.outcomes).toMatchObject([{ status: 200, ended: 'revoked' }])
    expect(ends).toBe(1)
  })

  it('drops what waits when it is broken off', async () => {
    using client = request()
    await until(() => sink !== undefined)
    sink?.write(Buffer.from('waits'))
    sink?.end('revoked')
    expect((await client.receive()).text).not.toContain('waits')
  })

  it('says once that the client has gone', async () => {
    const client = request()
    await until(() => sink !== undefined)
    client.reset()
    await until(() => rig.outcomes.length === 1)
    expect(rig.outcomes).toMatchObject([{ ended: 'client_gone', events: { sent: 0, withheld: 0 } }])
    expect([ends, sink?.open]).toEqual([1, false])
  })

  it('is a refusal where it could not begin, and a broken answer afterwards', async () => {
    serve = () => Promise.reject(new Problem('too_many_streams'))
    using refused = request()
    const { answers } = await refused.receive({ answers: 1 })
    expect(answers[0]?.status).toBe(429)
    serve = (given) => {
      given.begin()
      throw new Problem('overloaded')
    }
    using broken = request()
    expect((await broken.receive()).text).not.toContain('\r\n0\r\n')
    await until(() => rig.outcomes.length === 2)
    expect(rig.outcomes.map(({ ended }) => ended)).toEqual(['too_many_streams', 'overloaded'])
  })

  it('has no body under HEAD', async () => {
    serve = (given) => {
      given.begin()
      given.end('answered')
    }
    using client = request('1.1', 'HEAD')
    const { answers, rest } = await client.receive({ answers: 1, head: true })
    expect([answers[0]?.status, rest]).toEqual([200, ''])
    await until(() => rig.outcomes.length === 1)
    expect(rig.outcomes).toMatchObject([{ bytes: 0, ended: 'answered' }])
  })
})
