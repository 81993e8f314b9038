// Event streams over real sockets: one connection to the cloud for all, each client with what it may hear.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { commandLine, elsewhere } from '../kit/elsewhere.ts'
import { listen, type EventClient } from '../kit/event-client.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { traces } from '../kit/invariant.ts'
import { until } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

let cloud: DeviceCloud
let gate: TestGate
let mine: string
let mineToo: string
let other: string
let skewMs: number
let opened: EventClient[]

function policies(rules: string): string {
  return `
users:
  one:
    owner: one@acme.example
    product: 12345
    devices: [${mine}, ${mineToo}]
    rules:
${rules.replace(/^/gm, '      ')}
    lifetime: 1h
  two:
    owner: two@acme.example
    product: 12345
    devices: [${other}]
    scopes: [events:get]
    expires: never
  site:
    owner: site@acme.example
    product: 12345
    devices: { groups: { $any: [site-7] } }
    scopes: [events:get]
    expires: never
  desk:
    owner: desk@acme.example
    product: 12345
    devices: [${mine}]
    rules:
      - can: events:get
        events: [temp*, spark/status]
        answer: [data, coreid]
    expires: never
  wire:
    owner: wire@acme.example
    product: 12345
    devices: all
    rules:
      - { can: events:get, sources: [device, api, cloud] }
      - can: events:send
    expires: never
  deaf:
    owner: deaf@acme.example
    product: 12345
    devices: all
    scopes: [devices:get]
    expires: never
`
}

beforeEach(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, devices: 12, heartbeatIntervalMs: 60_000 })
  const ids = cloud.fleet.devices(12345).map(({ id }) => String(id))
  ;[mine = '', mineToo = '', other = ''] = ids
  for (const id of ids) cloud.setDevice(id, { groups: [] })
  cloud.setDevice(mine, { groups: ['site-7'] })
  skewMs = 0
  opened = []
  gate = await startTestGate({
    upstream: cloud,
    policies: { 'users.yaml': policies('- can: events:get') },
    clock: { now: () => Date.now() + skewMs, monotonic: () => performance.now() },
  })
})

afterEach(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

async function open(user: string, path = '/v1/products/12345/events'): Promise<EventClient> {
  const client = await listen(gate.url, path, gate.tokens[user])
  opened.push(client)
  return client
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function streamsUp(): Promise<number> {
  return (await cloud.connections()).streams
}

/** The outcome rows in the order of the requests, once every opened stream has ended. */
async function outcomes() {
  for (const client of opened) client.leave()
  await Promise.all(opened.map(({ ended }) => ended))
  const { total, decisions } = await traces(gate)
  expect(total).toBe(opened.length)
  const rows = await gate.outcomes()
  return decisions.map((made) => rows.find((row) => row['request_id'] === made['request_id']))
}

describe('one stream for all', () => {
  it('is opened once for two API users of a product, and each hears its own devices', async () => {
    const one = await open('one')
    const two = await open('two', `/v1/devices/${other}/events`)
    expect([one.status, two.status]).toEqual([200, 200])
    expect(one.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    cloud.publish(mine, 'temperature', '21')
    cloud.publish(other, 'temperature', '22')
    cloud.publish(mineToo, 'humidity', null)
    await until(() => one.events().length === 2 && two.events().length === 1)
    expect(await streamsUp()).toBe(1)
    expect(one.events().map(({ name, data }) => [name, JSON.parse(data)])).toEqual([
      ['temperature', expect.objectContaining({ coreid: mine, data: '21', ttl: '60' })],
      ['humidity', expect.objectContaining({ coreid: mineToo, data: null })],
    ])
    expect(JSON.parse(two.events()[0]?.data ?? '')).toMatchObject({ coreid: other, data: '22' })
    expect(one.text().startsWith(':ok\n\n')).toBe(true)
    expect(one.text()).not.toContain(other)

    const seen = cloud.requests().filter(({ url }) => url.includes('/events'))
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /v1/products/12345/events',
    ])
    expect(seen[0]?.rawHead).toContain(`Bearer ${cloud.token}`)
    expect(seen[0]?.rawHead).not.toContain('fg_u_')
    expect(await outcomes()).toMatchObject([
      { status: 200, ended: 'client_gone', events: { sent: 2 } },
      { status: 200, ended: 'client_gone', events: { sent: 1, withheld: 0 } },
    ])
    expect(await gate.decisions()).toMatchObject([
      { decision: 'allow', user: 'one', enforcement: 'filter', actions: ['events:get'] },
      { decision: 'allow', user: 'two', enforcement: 'filter', actions: ['events:get'] },
    ])
  })

  it('is closed within a second after the last client went away', async () => {
    const one = await open('one')
    const two = await open('two')
    one.leave()
    await one.ended
    await pause(900)
    expect(await streamsUp()).toBe(1)
    await using clock = await startFairClock()
    two.leave()
    const left = performance.now()
    await expect.poll(streamsUp, { interval: 20 }).toBe(0)
    expect(await clock.between(left)).toBeLessThan(1000)
  })

  it('is not opened by HEAD', async () => {
    const head = await listen(gate.url, '/v1/products/12345/events', gate.tokens['one'], 'HEAD')
    opened.push(head)
    expect(head.status).toBe(405)
    expect(await head.ended).toBe('end')
    expect(cloud.requests()).toEqual([])
  })

  it('breaks for all when the cloud’s stream ends, so that nobody misses anything in silence', async () => {
    const clients = [await open('one'), await open('two')]
    await cloud.close()
    expect(await Promise.all(clients.map(({ ended }) => ended))).toEqual(['broken', 'broken'])
    expect(await outcomes()).toMatchObject([
      { ended: 'upstream_reset' },
      { ended: 'upstream_reset' },
    ])
  })
})

describe('a gate that stops', () => {
  it('does not wait for streams, which have no end of their own', async () => {
    const client = await open('one')
    await using clock = await startFairClock()
    const started = performance.now()
    await gate[Symbol.asyncDispose]()
    expect(await clock.between(started)).toBeLessThan(gate.config.timeouts.shutdownMs / 2)
    expect(await client.ended).toBe('broken')
    expect(await streamsUp()).toBe(0)
  })
})

describe('what passes', () => {
  it('is what the client asked for and its rules name, with the keys they show', async () => {
    const all = await open('desk')
    const some = await open('desk', '/v1/products/12345/events/temp')
    cloud.publish(mine, 'temperature', '1')
    cloud.publish(mine, 'spark/status', 'online')
    cloud.publish(mine, 'location', 'here')
    cloud.publish(other, 'temperature', '2')
    cloud.publish(mine, 'temp', '3')
    await until(() => all.events().length === 3)
    expect(all.names()).toEqual(['temperature', 'spark/status', 'temp'])
    expect(some.names()).toEqual(['temperature', 'temp'])
    expect(JSON.parse(all.events()[0]?.data ?? '')).toEqual({ data: '1', coreid: mine })
    expect(all.text()).not.toMatch(/location|here|published_at/)
    expect(await outcomes()).toMatchObject([
      // What the cloud's webhooks said of the temperature is withheld from `all` as well.
      { events: { sent: 3, withheld: expect.any(Number) } },
      { events: { sent: 2, withheld: 1 } },
    ])
  })

  it('P21 is asked for under an encoded slash, which is decoded once', async () => {
    const client = await open('desk', '/v1/products/12345/events/spark%2Fstatus')
    expect(client.status).toBe(200)
    cloud.publish(mine, 'spark/status', 'online')
    cloud.publish(mine, 'temperature', '1')
    cloud.publish(mine, 'spark/status', 'offline')
    await until(() => client.events().length === 2)
    expect(client.names()).toEqual(['spark/status', 'spark/status'])
    const twice = await open('desk', '/v1/products/12345/events/spark%252Fstatus')
    expect(twice.status).toBe(400)
  })

  it('is of devices alone, unless a rule names other sources', async () => {
    const plain = await open('one')
    const wire = await open('wire')
    const sent = await fetch(`${gate.url}/v1/products/12345/events`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gate.tokens['wire']}`,
        'content-type': 'application/json',
      },
      body: '{"name":"from-api","data":"x"}',
    })
    expect(sent.status).toBe(200)
    cloud.publish(mine, 'from-device', 'x')
    await until(() => wire.events().length === 2)
    expect(wire.names()).toEqual(['from-api', 'from-device'])
    expect(plain.names()).toEqual(['from-device'])
  })

  it('is told by attributes of the device, and of what they are now', async () => {
    const client = await open('site')
    cloud.publish(other, 'one', '1')
    cloud.publish(mine, 'two', '2')
    await until(() => client.events().length === 1)
    cloud.publish(mine, 'three', '3')
    await until(() => client.events().length === 2)
    expect(client.names()).toEqual(['two', 'three'])
    expect(client.text()).not.toContain(other)
  })

  it('is nothing for whom no rule lets listen: 403, and the cloud hears nothing', async () => {
    const client = await open('deaf')
    expect(client.status).toBe(403)
    await client.ended
    expect(cloud.requests()).toEqual([])
    expect(await gate.decisions()).toMatchObject([{ decision: 'deny', reason: 'not_granted' }])
  })
})

describe('rights while a stream is open', () => {
  /** Events go on meanwhile; none may come after the end. */
  async function endOf(client: EventClient, change: () => void | Promise<void>): Promise<number> {
    await using clock = await startFairClock()
    cloud.publish(mine, 'before', '1')
    await until(() => client.names().includes('before'))
    await change()
    const changed = performance.now()
    await until(() => {
      cloud.publish(mine, 'meanwhile', '1')
      return client.endedAt() !== undefined
    })
    return await clock.between(changed, client.endedAt())
  }

  it('ends it within a second when the token is revoked by another process’s connection', async () => {
    const client = await open('one')
    const bystander = await open('two')
    const lasted = await endOf(client, async () => {
      await elsewhere(gate.config, (tokens) => tokens.revoke({ user: 'one' }, commandLine))
    })
    expect(lasted).toBeLessThan(1000)
    expect(await client.ended).toBe('broken')
    expect((await open('one')).status).toBe(401)
    expect(bystander.endedAt()).toBeUndefined()
    expect(await outcomes()).toContainEqual(expect.objectContaining({ ended: 'revoked' }))
  })

  it('ends it when the token expires', async () => {
    const client = await open('one')
    const lasted = await endOf(client, () => {
      skewMs = 3_600_001
    })
    expect(lasted).toBeLessThan(1000)
    expect((await open('one')).status).toBe(401)
    expect(await outcomes()).toContainEqual(expect.objectContaining({ ended: 'expired' }))
  })

  it('ends it when a policy takes the right away, and says so to who comes back', async () => {
    const client = await open('one')
    const lasted = await endOf(client, async () => {
      await gate.writePolicy('users.yaml', policies('- can: devices:get'))
      await gate.reload()
    })
    expect(lasted).toBeLessThan(1000)
    expect(await client.ended).toBe('broken')
    expect((await open('one')).status).toBe(403)
    expect(await outcomes()).toContainEqual(expect.objectContaining({ ended: 'not_granted' }))
  })

  it('cuts it anew when a policy narrows it', async () => {
    const client = await open('one')
    cloud.publish(mine, 'temperature', '1')
    await until(() => client.names().length === 1)
    await gate.writePolicy('users.yaml', policies('- { can: events:get, events: [humidity] }'))
    await gate.reload()
    await pause(300)
    cloud.publish(mine, 'temperature', '2')
    cloud.publish(mine, 'humidity', '3')
    await until(() => client.names().length === 2)
    expect(client.names()).toEqual(['temperature', 'humidity'])
    expect(client.endedAt()).toBeUndefined()
  })

  it('never widens it: what a policy adds is held back from a token issued before', async () => {
    await gate.writePolicy('users.yaml', policies('- { can: events:get, sources: [device, api] }'))
    await gate.reload()
    const client = await open('one')
    const wire = await open('wire')
    await fetch(`${gate.url}/v1/products/12345/events`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gate.tokens['wire']}`,
        'content-type': 'application/json',
      },
      body: '{"name":"from-api","data":"x"}',
    })
    cloud.publish(mine, 'from-device', 'x')
    await until(() => wire.events().length === 2)
    expect(client.names()).toEqual(['from-device'])
  })
})

describe('rations', () => {
  it('refuse an API user one stream too many with 429, and nobody else', async () => {
    await using small = await startTestGate({
      upstream: cloud,
      policies: { 'users.yaml': policies('- can: events:get') },
      config: 'rations: { streams: 1 }',
    })
    const path = '/v1/products/12345/events'
    await using first = await listen(small.url, path, small.tokens['one'])
    await using second = await listen(small.url, path, small.tokens['one'])
    await using third = await listen(small.url, path, small.tokens['two'])
    expect([first.status, second.status, third.status]).toEqual([200, 429, 200])
  })
})
