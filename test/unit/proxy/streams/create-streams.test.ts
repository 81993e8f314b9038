import { describe, expect, it } from 'vitest'
import type { Decision } from '../../../../src/domain/decision.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { Secret } from '../../../../src/lib/secret.ts'
import { EventStreamFault } from '../../../../src/upstream/event-parser.ts'
import { UpstreamRefusal } from '../../../../src/upstream/fleet-lists.ts'
import { denied, fakeDirectory, fakeTokens } from '../../../kit/fakes.ts'
import {
  aJudge,
  eventText,
  hears,
  limits,
  keepsAll,
  mine,
  no,
  other,
  settled,
  streamsRig,
  yes,
} from '../../../kit/streams-rig.ts'

const start = ':ok\n\n'

function everything() {
  return aJudge(() => yes)
}

describe('one stream for all', () => {
  it('opens the stream of the whole place once, and gives each client its own events', async () => {
    const rig = streamsRig()
    rig.judges.set('one', hears(mine)).set('two', hears(other))
    const one = await rig.opened({ user: 'one', prefix: 'temp' })
    const two = await rig.opened({ user: 'two', device: other })
    rig.cloud.publish(mine, 'temperature')
    rig.cloud.publish(other, 'temperature', '2')
    expect(rig.cloud.connections.map(({ question }) => question.target)).toEqual([
      '/v1/products/12345/events',
    ])
    expect(one.sink.text).toBe(start + eventText(mine, 'temperature'))
    expect(two.sink.text).toBe(start + eventText(other, 'temperature', '2'))
  })

  it('has a stream of its own for each credential', async () => {
    const rig = streamsRig()
    await rig.opened()
    await rig.opened({ credential: new Secret('another') })
    expect(rig.cloud.connections).toHaveLength(2)
  })

  it('sends nothing to the client before the cloud has said 200', async () => {
    const rig = streamsRig()
    const { sink } = rig.client()
    await settled()
    expect(sink.begun).toBe(false)
    rig.cloud.last.handler.opened()
    await settled()
    expect(sink.text).toBe(start)
  })

  it('closes the stream within a second after the last client has gone, and no sooner', async () => {
    const rig = streamsRig()
    const [one, two] = [await rig.opened(), await rig.opened()]
    one.sink.end('client_gone')
    await one.outcome
    rig.pass(1000)
    expect(rig.cloud.last.state).toBe('open')
    two.sink.end('client_gone')
    expect(await two.outcome).toMatchObject({ ended: 'client_gone' })
    await settled()
    rig.pass(200)
    expect(rig.cloud.last.state).toBe('open')
    rig.pass(600)
    expect(rig.cloud.last.state).toBe('closed')
  })

  it('is still open for a client that comes back at once', async () => {
    const rig = streamsRig()
    const one = await rig.opened()
    one.sink.end('client_gone')
    await settled()
    rig.pass(200)
    await rig.opened()
    rig.pass(2000)
    expect(rig.cloud.connections).toHaveLength(1)
    expect(rig.cloud.last.state).toBe('open')
  })

  it('R15 F12 is closed within a second however often clients come and go', async () => {
    const rig = streamsRig()
    for (let count = 0; count < 40; count += 1) {
      const { sink } = await rig.opened()
      sink.end('client_gone')
      await settled()
      rig.pass(800)
      expect(rig.cloud.last.state).toBe('closed')
    }
    expect(rig.cloud.connections).toHaveLength(40)
  })

  it('R15 is opened for one API user so often in five minutes, then 429, and for others all the same', async () => {
    const rig = streamsRig()
    let refused = 0
    for (let count = 0; count < 100; count += 1) {
      const { sink, outcome } = await rig.opened({ user: 'flaps' })
      sink.end('client_gone')
      const thrown: unknown = await outcome.catch((error: unknown) => error)
      if (thrown instanceof Problem) {
        refused += 1
        expect(thrown).toMatchObject({ code: 'upstream_quota', status: 429 })
        expect(thrown.retryAfterS).toBeGreaterThan(0)
        expect(thrown.retryAfterS).toBeLessThanOrEqual(300)
      }
      rig.pass(1000)
    }
    expect(rig.cloud.connections).toHaveLength(54)
    expect(refused).toBe(46)
    const other = await rig.opened({ user: 'other' })
    expect(other.sink.open).toBe(true)
    // What is open already costs no opening.
    expect((await rig.opened({ user: 'flaps' })).sink.open).toBe(true)
    expect(rig.cloud.connections).toHaveLength(55)
    other.sink.end('client_gone')
    rig.pass(300_000)
    rig.streams[Symbol.dispose]()
  })

  it('R15 is never opened more than 90 times in five minutes, whoever asks', async () => {
    const rig = streamsRig()
    for (let count = 0; count < 300; count += 1) {
      const { sink, outcome } = await rig.opened({ user: `user-${count % 30}` })
      sink.end('client_gone')
      await outcome.catch(() => undefined)
      rig.pass(600)
    }
    expect(rig.cloud.connections).toHaveLength(90)
    rig.pass(310_000)
    expect((await rig.opened()).sink.open).toBe(true)
    expect(rig.cloud.connections).toHaveLength(91)
  })

  it('is not waited for by a client that has gone, and then not kept open', async () => {
    const rig = streamsRig()
    const { exchange } = rig.client()
    await settled()
    exchange.leaves.abort()
    exchange.sink.end('client_gone')
    await settled()
    rig.pass(1000)
    expect(rig.cloud.last.state).toBe('closed')
  })

  it('breaks all streams where the cloud ends or breaks its own, and opens another for who comes back', async () => {
    const rig = streamsRig()
    const clients = [await rig.opened(), await rig.opened()]
    rig.cloud.last.handler.ended(new Problem('upstream_failed'))
    for (const { outcome } of clients) {
      expect(await outcome).toMatchObject({ ended: 'upstream_reset' })
    }
    const again = await rig.opened()
    expect(rig.cloud.connections).toHaveLength(2)
    expect(again.sink.open).toBe(true)
  })

  it('R17b leaves out an event over the bound for all, counts it, and goes on', async () => {
    const rig = streamsRig()
    rig.judges.set('all', everything())
    rig.judges.set('one', hears(mine))
    const before = await rig.opened({ user: 'one' })
    rig.cloud.publish(mine, 'n', 'x'.repeat(10_001))
    const clients = [
      before,
      await rig.opened({ user: 'all' }),
      await rig.opened({ user: 'all', prefix: 'n' }),
      await rig.opened({ user: 'all', device: mine }),
    ]
    const pieces = eventText(mine, 'n', 'x'.repeat(30_000)).match(/[^]{1,999}/g) ?? []
    for (const piece of pieces) rig.cloud.send(piece)
    rig.cloud.publish(mine, 'n', '2')
    for (const { sink } of clients) {
      expect(sink.text).not.toContain('xx')
      expect(sink.text).toContain(eventText(mine, 'n', '2'))
      sink.end('client_gone')
    }
    // Only who may hear any event at all may know that there was one.
    expect(
      clients.map(({ sink }) => sink.text.split(': an event was too large').length - 1),
    ).toEqual([0, 1, 1, 1])
    const counts = clients.map(async ({ outcome }) => (await outcome).events)
    expect(await Promise.all(counts)).toEqual([
      { sent: 1, withheld: 0, tooLarge: 2 },
      { sent: 1, withheld: 0, tooLarge: 1 },
      { sent: 1, withheld: 0, tooLarge: 1 },
      { sent: 1, withheld: 0, tooLarge: 1 },
    ])
    const place = { type: 'product', product: '12345' }
    expect(rig.tooLarge).toEqual([place, place])
    expect(rig.faults).toEqual([])
  })

  it('tells nobody of it whose rules look at devices or names, in the stream', async () => {
    const rig = streamsRig()
    rig.judges.set(
      'facts',
      aJudge(({ facts }) => (facts === undefined ? { outcome: 'needs_facts' } : yes)),
    )
    rig.judges.set(
      'names',
      aJudge(({ event }) => (event?.name === 'n' ? yes : no)),
    )
    rig.judges.set(
      'cloud',
      aJudge(({ event }) => (event?.source === 'cloud' ? yes : no)),
    )
    const clients = [
      await rig.opened({ user: 'facts' }),
      await rig.opened({ user: 'names' }),
      await rig.opened({ user: 'cloud' }),
    ]
    rig.cloud.publish(mine, 'n', 'x'.repeat(10_001))
    expect(clients.map(({ sink }) => sink.text)).toEqual([start, start, start])
  })

  it('breaks all streams at an event that has no end', async () => {
    const rig = streamsRig()
    const { outcome, sink } = await rig.opened()
    rig.judges.set('acme', hears(mine))
    rig.cloud.send('data: ')
    for (let n = 0; n < 200 && rig.cloud.last.state === 'open'; n += 1) {
      rig.cloud.send('x'.repeat(1000))
    }
    expect(await outcome).toMatchObject({ ended: 'upstream_reset' })
    expect(rig.cloud.last.state).toBe('closed')
    expect(rig.faults).toEqual([expect.any(EventStreamFault)])
    expect(sink.text).toBe(start)
  })

  it('passes the cloud’s refusal on, cut to its words', async () => {
    const rig = streamsRig()
    const { exchange, sink } = rig.client()
    await settled()
    const body = Buffer.from('{"error":"nope","error_description":"No.","devices":["x"]}')
    rig.cloud.last.handler.ended(new UpstreamRefusal(404, 'application/json', body))
    await settled()
    expect(exchange.assembled.map((sent) => ({ ...sent, body: sent.body.toString() }))).toEqual([
      {
        status: 404,
        contentType: 'application/json',
        body: '{"error":"nope","error_description":"No."}',
        upstream: { status: 404, requestId: undefined },
      },
    ])
    expect(sink.begun).toBe(false)
  })

  it('fails with the problem of a stream that cannot be had', async () => {
    const rig = streamsRig()
    const { outcome } = rig.client()
    await settled()
    rig.cloud.last.handler.ended(new Problem('upstream_timeout'))
    await expect(outcome).rejects.toMatchObject({ code: 'upstream_timeout' })
  })

  it('answers HEAD without a stream', async () => {
    const rig = streamsRig()
    const { outcome, sink } = rig.client({ head: true })
    expect(await outcome).toMatchObject({ status: 200, ended: 'answered' })
    expect(sink.begun).toBe(true)
    expect(rig.cloud.connections).toHaveLength(0)
  })

  it('refuses an API user one stream too many with too_many_streams, and nobody else', async () => {
    const rig = streamsRig({ limits: { ...limits, perUser: 1 } })
    const first = await rig.opened({ user: 'one' })
    await expect(rig.client({ user: 'one' }).outcome).rejects.toMatchObject({
      code: 'too_many_streams',
      status: 429,
    })
    expect((await rig.opened({ user: 'two' })).sink.open).toBe(true)
    first.sink.end('client_gone')
    await first.outcome
    await settled()
    expect((await rig.opened({ user: 'one' })).sink.open).toBe(true)
  })

  it('ends all streams when it is disposed of, and serves none any more', async () => {
    const rig = streamsRig()
    const { outcome } = await rig.opened()
    rig.streams[Symbol.dispose]()
    expect(await outcome).toMatchObject({ ended: 'shutdown' })
    expect(rig.cloud.last.state).toBe('closed')
    await expect(rig.client().outcome).rejects.toMatchObject({ code: 'overloaded' })
  })
})

describe('what passes', () => {
  it('is what was asked for: beginning of the name, and the device', async () => {
    const rig = streamsRig()
    rig.judges.set('acme', everything())
    const prefixed = await rig.opened({ prefix: 'spark/' })
    const ofDevice = await rig.opened({ device: mine })
    const all = await rig.opened()
    rig.cloud.publish(mine, 'spark/status')
    rig.cloud.publish(other, 'temperature')
    rig.cloud.publish('particle-internal', 'spark/hook')
    expect(names(prefixed.sink.text)).toEqual(['spark/status', 'spark/hook'])
    expect(names(ofDevice.sink.text)).toEqual(['spark/status'])
    expect(names(all.sink.text)).toEqual(['spark/status', 'temperature', 'spark/hook'])
  })

  it('is told by its source: a device in any letter case, the API, the cloud; anything else is dropped', async () => {
    const rig = streamsRig()
    const asked: unknown[] = []
    rig.judges.set(
      'acme',
      aJudge(({ resource, event }) => {
        asked.push([event?.source, resource])
        return yes
      }),
    )
    const { sink, outcome } = await rig.opened()
    rig.cloud.publish(mine.toUpperCase(), 'a')
    rig.cloud.publish('api', 'b')
    rig.cloud.publish('particle-internal', 'c')
    for (const coreid of ['nobody', '', `${mine}0`, 'API']) rig.cloud.publish(coreid, 'x')
    rig.cloud.send('event: x\ndata: {"data":"no source"}\n\n')
    rig.cloud.send('event: x\ndata: ["coreid"]\n\nevent: x\ndata: none\n\n')
    rig.cloud.send(`event: x\ndata: {"coreid":{"coreid":"${mine}"}}\n\n`)
    expect(names(sink.text)).toEqual(['a', 'b', 'c'])
    expect(asked).toEqual([
      ['device', { type: 'device', product: '12345', device: mine }],
      ['api', { type: 'product', product: '12345' }],
      ['cloud', { type: 'product', product: '12345' }],
    ])
    sink.end('client_gone')
    expect(await outcome).toMatchObject({ events: { sent: 3, withheld: 8 } })
  })

  it('is passed as the cloud sent it, without id and retry, data lines kept apart', async () => {
    const rig = streamsRig()
    rig.judges.set('acme', everything())
    const { sink } = await rig.opened()
    rig.cloud.send(
      `id: 7\r\nretry: 1\r\nevent:n\r\ndata:{"coreid":"${mine}",\r\ndata: "n":1e2}\r\n\r\n`,
    )
    expect(sink.text).toBe(`${start}event: n\ndata: {"coreid":"${mine}",\ndata: "n":1e2}\n\n`)
  })

  it('is cut to the keys that may be seen, for each client by itself', async () => {
    const rig = streamsRig()
    const cut = (keys: string[]) =>
      aJudge(() => ({ outcome: 'allow', obligations: { ...keepsAll, answer: new Set(keys) } }))
    rig.judges
      .set('some', cut(['data']))
      .set('less', cut(['ttl']))
      .set('acme', everything())
    const [some, less, all] = [
      await rig.opened({ user: 'some' }),
      await rig.opened({ user: 'less' }),
      await rig.opened(),
    ]
    rig.cloud.publish(mine, 'n')
    expect(some.sink.text).toBe(`${start}event: n\ndata: {"data":"1"}\n\n`)
    expect(less.sink.text).toBe(`${start}event: n\ndata: {"ttl":"60"}\n\n`)
    expect(all.sink.text).toBe(start + eventText(mine, 'n'))
  })

  it('never holds the gate’s own credential', async () => {
    const rig = streamsRig()
    rig.judges.set('acme', everything())
    const { sink } = await rig.opened()
    rig.cloud.publish(mine, 'n', 'cloud-credential-0123456789')
    expect(sink.text).toContain('***')
    expect(sink.text).not.toContain('cloud-credential')
  })

  it('counts what a client asked for and did not get', async () => {
    const rig = streamsRig()
    rig.judges.set('acme', hears(mine))
    rig.cloud.connections.splice(0)
    const { sink, outcome, progress } = await rig.opened({ prefix: 't' })
    rig.cloud.publish(mine, 'temperature')
    rig.cloud.publish(other, 'temperature')
    rig.cloud.publish(other, 'other')
    rig.pass(59_000)
    expect(progress).toEqual([])
    rig.pass(2000)
    expect(progress).toEqual([{ sent: 1, withheld: 1 }])
    sink.end('client_gone')
    expect(await outcome).toMatchObject({ events: { sent: 1, withheld: 1 } })
  })
})

describe('rights while a stream is open', () => {
  it.each([
    ['invalid_token', 'revoked'],
    ['expired_token', 'expired'],
    ['suspended', 'suspended'],
    ['store_unavailable', 'store_unavailable'],
  ] as const)('ends it at %s as %s', async (code, ended) => {
    const store: { problem?: Problem } = {}
    const recheck = () => {
      if (store.problem !== undefined) throw store.problem
    }
    const rig = streamsRig({ tokens: fakeTokens({ recheck }) })
    const { outcome, sink } = await rig.opened()
    rig.pass(1000)
    expect(sink.open).toBe(true)
    store.problem = new Problem(code)
    rig.pass(200)
    expect(await outcome).toMatchObject({ ended })
  })

  it('ends it where the store, read again, has lost the token; and asks it once at a time', async () => {
    const asked: PromiseWithResolvers<void>[] = []
    const recheck = () => {
      if (asked.length === 0 && !begun) return undefined
      const answer = Promise.withResolvers<void>()
      asked.push(answer)
      return answer.promise
    }
    let begun = false
    const rig = streamsRig({ tokens: fakeTokens({ recheck }) })
    const { outcome, sink } = await rig.opened()
    begun = true
    rig.pass(600)
    expect([asked.length, sink.open]).toEqual([1, true])
    asked[0]?.resolve()
    await settled()
    rig.pass(200)
    expect([asked.length, sink.open]).toEqual([2, true])
    asked[1]?.reject(new Problem('invalid_token'))
    expect(await outcome).toMatchObject({ ended: 'revoked' })
  })

  it('ends it within a second where the store does not answer', async () => {
    let asked = 0
    const recheck = () => {
      asked += 1
      return asked === 1 ? undefined : new Promise<void>(() => {})
    }
    const rig = streamsRig({ tokens: fakeTokens({ recheck }) })
    const { outcome, sink } = await rig.opened()
    rig.pass(600)
    expect(sink.open).toBe(true)
    rig.pass(600)
    expect(await outcome).toMatchObject({ ended: 'store_unavailable' })
    expect(asked).toBe(2)
  })

  it('ends it where the policies no longer admit it', async () => {
    const today: { decision: Decision } = { decision: streamAllowed }
    const rig = streamsRig({ decide: () => today.decision })
    const { outcome, sink } = await rig.opened()
    rig.pass(1000)
    today.decision = denied
    rig.pass(1000)
    expect(sink.open).toBe(true)
    rig.policy.revision = 'rev-2'
    rig.pass(200)
    expect(await outcome).toMatchObject({ ended: 'not_granted' })
  })

  it('judges it anew under other policies', async () => {
    const rig = streamsRig()
    rig.judges.set('acme', everything())
    const { sink } = await rig.opened()
    rig.pass(200)
    rig.cloud.publish(mine, 'a')
    rig.judges.set('acme', hears(other))
    rig.policy.revision = 'rev-2'
    rig.pass(200)
    rig.cloud.publish(mine, 'a')
    rig.cloud.publish(other, 'a')
    expect(sink.text).toBe(start + eventText(mine, 'a') + eventText(other, 'a'))
  })

  it('looks every second at what hangs on the hour', async () => {
    const rig = streamsRig()
    const from = rig.clock.at + 5000
    rig.judges.set(
      'acme',
      aJudge((_, atMs) => (atMs < from ? yes : no), { timed: true }),
    )
    const { sink } = await rig.opened()
    rig.cloud.publish(mine, 'a')
    rig.pass(6000)
    rig.cloud.publish(mine, 'a')
    expect(names(sink.text)).toEqual(['a'])
  })

  it('ends it when a decision that needed facts denies, and where they cannot be had', async () => {
    const unavailable = () => Promise.reject(new Problem('attribute_unavailable'))
    for (const [late, ended] of [
      [() => Promise.resolve(denied), 'not_granted'],
      [unavailable, 'attribute_unavailable'],
    ] as const) {
      let decide: () => typeof streamAllowed | ReturnType<typeof late> = () => streamAllowed
      const rig = streamsRig({ decide: () => decide() })
      const { outcome } = await rig.opened()
      rig.pass(200)
      decide = late
      rig.policy.revision = 'rev-2'
      rig.pass(200)
      expect(await outcome).toMatchObject({ ended })
    }
  })

  it('ends all when the audit log cannot be written for long, not at the first hiccup', async () => {
    let healthy = true
    const audit = { state: () => ({ healthy, queued: 0, failed: undefined }) }
    const rig = streamsRig({ audit })
    const { outcome, sink } = await rig.opened()
    healthy = false
    rig.pass(1000)
    healthy = true
    rig.pass(1000)
    healthy = false
    rig.pass(1800)
    expect(sink.open).toBe(true)
    rig.pass(600)
    expect(await outcome).toMatchObject({ ended: 'audit_unavailable' })
  })

  it('does not begin with a token that died while the cloud took its time', async () => {
    const recheck = () => {
      throw new Problem('invalid_token')
    }
    const rig = streamsRig({ tokens: fakeTokens({ recheck }) })
    const { outcome, sink } = await rig.opened()
    await expect(outcome).rejects.toMatchObject({ code: 'invalid_token' })
    expect(sink.begun).toBe(false)
  })
})

describe('a fault of the gate’s own', () => {
  it('in a decision on an event breaks the streams that share it, and is told', async () => {
    const rig = streamsRig()
    rig.judges.set(
      'acme',
      aJudge(() => {
        throw new Error('bug')
      }),
    )
    const { outcome } = await rig.opened()
    rig.cloud.publish(mine, 'x')
    expect(await outcome).toMatchObject({ ended: 'upstream_reset' })
    expect(rig.faults).toEqual([new Error('bug')])
  })

  it('behind a look-up does the same', async () => {
    const locate = async (ids: readonly string[]) => new Map(ids.map((id) => [id, '1']))
    const directory = fakeDirectory({ locate, products: async () => ['1'] })
    const rig = streamsRig({ directory })
    rig.judges.set(
      'acme',
      aJudge(() => {
        throw new Error('bug')
      }),
    )
    const { outcome } = await rig.opened({ of: 'organization' })
    rig.cloud.publish(mine, 'x')
    expect(await outcome).toMatchObject({ ended: 'upstream_reset' })
    expect(rig.faults).toEqual([new Error('bug')])
  })

  it('with one client ends that client alone', async () => {
    const rig = streamsRig()
    const [one, two] = [await rig.opened(), await rig.opened()]
    Object.defineProperty(one.sink, 'waiting', {
      get() {
        throw new Error('bug')
      },
    })
    rig.pass(400)
    expect(await one.outcome).toMatchObject({ ended: 'internal' })
    expect(two.sink.open).toBe(true)
  })
})

describe('a silent stream', () => {
  it('writes a comment at least every nine seconds, also where everything is filtered', async () => {
    const rig = streamsRig()
    const { sink } = await rig.opened()
    const other = await rig.opened()
    rig.judges.set(
      'acme',
      aJudge(() => no),
    )
    for (let second = 0; second < 60; second += 1) {
      const before = sink.text.length
      rig.cloud.publish(mine, 'x')
      rig.pass(8200)
      expect(sink.text.length).toBeGreaterThan(before)
    }
    expect(sink.text).toMatch(/^:ok\n\n(?::\n\n){60,62}$/)
    expect(other.sink.text).toBe(sink.text)
  })

  it('writes none where events pass', async () => {
    const rig = streamsRig()
    rig.judges.set('acme', everything())
    const { sink } = await rig.opened()
    for (let second = 0; second < 30; second += 1) {
      rig.cloud.publish(mine, 'x')
      rig.pass(1000)
    }
    expect(sink.text).not.toContain('\n:\n')
  })

  it('F13 ends a client that takes nothing for a minute, and no other', async () => {
    const rig = streamsRig()
    const [stuck, slow] = [await rig.opened(), await rig.opened()]
    stuck.sink.waiting = 10
    slow.sink.waiting = 10
    for (let second = 0; second < 59; second += 1) {
      slow.sink.taken += 1
      rig.pass(1000)
    }
    expect(stuck.sink.open).toBe(true)
    rig.pass(2000)
    expect(await stuck.outcome).toMatchObject({ ended: 'slow_reader' })
    expect(slow.sink.open).toBe(true)
  })
})

const streamAllowed = {
  outcome: 'allow' as const,
  rule: undefined,
  obligations: keepsAll,
  facts: {},
}

function names(text: string): string[] {
  return [...text.matchAll(/^event: (.*)$/gm)].map(([, name = '']) => name)
}
