// Event streams over real sockets where the cloud's other answers hang or are refusals: whoever needs none hears at once.

import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listen, type EventClient } from '../kit/event-client.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { traces } from '../kit/invariant.ts'
import { until } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = '12345'
const one = '0123456789abcdef00000001'
const two = '0123456789abcdef00000002'
const path = `/v1/products/${product}/events`

const user = (name: string, devices: string) => `
  ${name}:
    owner: a@acme.example
    product: ${product}
    devices: ${devices}
    scopes: [events:get, devices:list]
    expires: never`

const policies = {
  'users.yaml': `users:${user('whole', 'all')}${user('ids', `[${one}]`)}${user('site', '{ groups: { $any: [site-7] } }')}`,
}

let server: Server
let gate: TestGate
let opened: EventClient[]
/** Streams of the gate's at the cloud, and answers about devices that hang. */
let streams: ServerResponse[]
let hanging: { device: string; response: ServerResponse }[]
let refusal: { status: number; headers: Record<string, string> } | undefined

beforeEach(async () => {
  streams = []
  hanging = []
  opened = []
  refusal = undefined
  server = createServer(({ url = '' }, response) => {
    if (refusal !== undefined) {
      const type = { 'content-type': 'application/json' }
      response.writeHead(refusal.status, { ...type, ...refusal.headers }).end('{"error":"slow"}')
    } else if (url.endsWith('/events')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      streams.push(response)
    } else hanging.push({ device: url.split('/').at(-1) ?? '', response })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  gate = await startTestGate({
    upstream: { url: `http://127.0.0.1:${port}`, token: 'c10ddeadbeefc10ddeadbeef' },
    policies,
  })
})

afterEach(async () => {
  await gate[Symbol.asyncDispose]()
  server.closeAllConnections()
  server.close()
})

async function open(name: string): Promise<EventClient> {
  const client = await listen(gate.url, path, gate.tokens[name])
  opened.push(client)
  return client
}

function publish(coreid: string, name: string, data = '1'): void {
  streams[0]?.write(`event: ${name}\ndata: ${JSON.stringify({ data, ttl: '60', coreid })}\n\n`)
}

function answer(device: string, groups: string[]): void {
  const [asked] = hanging.filter((each) => each.device === device)
  asked?.response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ id: device, product_id: Number(product), groups }))
}

/** How each of the streams ended, once all have, and how many events it got and did not get. */
async function outcomes() {
  for (const client of opened) client.leave()
  await Promise.all(opened.map(({ ended }) => ended))
  const { decisions } = await traces(gate)
  const rows = await gate.outcomes()
  return decisions.map(({ request_id: id }) => rows.find((row) => row['request_id'] === id))
}

describe('R9 a look-up that hangs', () => {
  it('holds up only whoever hangs on it, and in order', async () => {
    const clients = { whole: await open('whole'), ids: await open('ids'), site: await open('site') }
    await using clock = await startFairClock()
    const started = performance.now()
    publish(one, 'first')
    publish(one, 'second')
    publish(two, 'third')
    await until(() => clients.whole.events().length === 3 && clients.ids.events().length === 2)
    expect(await clock.between(started)).toBeLessThan(1000)
    await until(() => hanging.some(({ device }) => device === one))
    expect(clients.site.events()).toEqual([])
    answer(one, ['site-7'])
    await until(() => clients.site.events().length === 2)
    expect(clients.site.names()).toEqual(['first', 'second'])
    expect(clients.whole.names()).toEqual(['first', 'second', 'third'])
    expect(clients.ids.names()).toEqual(['first', 'second'])
    expect(clients.site.text()).not.toContain(two)
    expect(streams).toHaveLength(1)
    expect(await outcomes()).toMatchObject([
      { ended: 'client_gone', events: { sent: 3 } },
      { ended: 'client_gone', events: { sent: 2 } },
      { ended: 'client_gone', events: { sent: 2, withheld: 1 } },
    ])
  })

  it('is given up after five seconds, and the event with it; the stream lives on', async () => {
    const [whole, site] = [await open('whole'), await open('site')]
    publish(one, 'lost')
    await until(() => hanging.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 5500))
    publish(one, 'kept')
    await until(() => whole.events().length === 2)
    expect(whole.names()).toEqual(['lost', 'kept'])
    answer(one, ['site-7'])
    await until(() => site.events().length === 1)
    expect(site.names()).toEqual(['kept'])
    expect(site.endedAt()).toBeUndefined()
  })

  it('costs whoever waits for it the stream where too much waits, and nobody else an event', async () => {
    const [ids, site] = [await open('ids'), await open('site')]
    const data = 'x'.repeat(100_000)
    let count = 0
    while (site.endedAt() === undefined && count < 1000) {
      publish(one, 'flood', data)
      count += 1
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await site.ended).toBe('broken')
    publish(one, 'last')
    await until(() => ids.names().at(-1) === 'last', 10_000)
    expect(ids.events()).toHaveLength(count + 1)
    expect(await outcomes()).toMatchObject([
      { ended: 'client_gone', events: { sent: count + 1, withheld: 0 } },
      { ended: 'attribute_unavailable', events: { sent: 0 } },
    ])
  })
})

describe('R18 a cloud that refuses', () => {
  const asked: readonly [what: string, target: string][] = [
    ['a stream', path],
    ['a list', `/v1/products/${product}/devices`],
  ]
  const headersOf = async (target: string) => {
    const headers = { authorization: `Bearer ${gate.tokens['ids']}` }
    const told = await fetch(gate.url + target, { headers })
    return [told.status, told.headers.get('retry-after'), await told.json()]
  }

  it.each(asked)('passes its Retry-After on: %s', async (_, target) => {
    refusal = { status: 429, headers: { 'retry-after': '37' } }
    expect(await headersOf(target)).toEqual([429, '37', { error: 'slow' }])
  })

  it.each(asked)('without one there is none: %s', async (_, target) => {
    refusal = { status: 429, headers: {} }
    expect(await headersOf(target)).toEqual([429, null, { error: 'slow' }])
  })

  it.each(['1, 2', '-1', '1e3', '999999', 'Wed, 21 Oct 2026 07:28:00 GMT', 'x'])(
    'one that is no plain number of seconds is not passed on: %s',
    async (said) => {
      refusal = { status: 429, headers: { 'retry-after': said } }
      expect(await headersOf(path)).toEqual([429, null, { error: 'slow' }])
    },
  )

  it('is asked once for many clients that ask again and again', async () => {
    refusal = { status: 429, headers: { 'retry-after': '60' } }
    let asked = 0
    server.on('request', () => void (asked += 1))
    for (let count = 0; count < 50; count += 1) {
      const [status, said] = await headersOf(path)
      expect([status, Number(said) > 55]).toEqual([429, true])
    }
    expect(asked).toBe(1)
  })
})
