// Two gates on one PostgreSQL: what one changes the other keeps to, and neither serves what it cannot be sure of.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { commandLine, elsewhere } from '../kit/elsewhere.ts'
import { listen } from '../kit/event-client.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { traces } from '../kit/invariant.ts'
import {
  createDatabase,
  startPostgres,
  type PostgresServer,
  type TestDatabase,
} from '../kit/postgres.ts'
import { startRelay, type Relay } from '../kit/relay.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

let server: PostgresServer
let database: TestDatabase
let cloud: DeviceCloud
let gates: TestGate[]
let relays: Relay[]
let device: string

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

beforeEach(async () => {
  database = await createDatabase(server.url)
  cloud = await startDeviceCloud({ eventIntervalMs: 0, devices: 3, heartbeatIntervalMs: 60_000 })
  device = String(cloud.fleet.devices(12345)[0]?.['id'])
  gates = []
  relays = []
})
afterEach(async () => {
  for (const gate of gates) await gate[Symbol.asyncDispose]()
  for (const relay of relays) await relay[Symbol.asyncDispose]()
  await cloud.close()
  await database[Symbol.asyncDispose]()
})

function policies(revision = 'a'): string {
  return `
users:
  one:
    description: revision ${revision}
    owner: one@acme.example
    product: 12345
    devices: all
    scopes: [devices:get, events:get]
    expires: never
  two:
    owner: two@acme.example
    product: 12345
    devices: all
    scopes: [devices:get]
    expires: never
`
}

/** The first one issues the tokens; all take them. */
async function start(replica: string, port?: number): Promise<TestGate> {
  const gate = await startTestGate({
    upstream: cloud,
    policies: { 'users.yaml': policies() },
    config: `replica: ${replica}\n${database.config(port)}`,
    ...(gates.length > 0 && { mint: [] }),
  })
  gates.push(gate)
  return gate
}

function call(gate: TestGate, token: string | undefined): Promise<number> {
  return fetch(`${gate.url}/v1/products/12345/devices/${device}`, {
    headers: { authorization: `Bearer ${token}` },
  }).then(async (answer) => {
    await answer.arrayBuffer()
    return answer.status
  })
}

/** Asks without a pause until it is refused so; when (monotonic) the last allowed request was sent. */
async function lastAllowed(
  gate: TestGate,
  token: string | undefined,
  refused: 401 | 503 = 401,
): Promise<number> {
  let last = performance.now()
  for (const endsAt = last + 15_000; performance.now() < endsAt;) {
    const sent = performance.now()
    const status = await call(gate, token)
    if (status === refused) return last
    expect(status).toBe(200)
    last = sent
  }
  throw new Error('never refused')
}

/** By another process; when (monotonic) it had been committed. */
function revoke(gate: TestGate, user: string): Promise<number> {
  return elsewhere(gate.config, async (tokens) => {
    expect(await tokens.revoke({ user }, commandLine)).toBeDefined()
    return performance.now()
  })
}

/** The wire of one gate to PostgreSQL; it outlives the gate, which says good-bye. */
async function relayed(): Promise<Relay> {
  const relay = await startRelay({ host: '127.0.0.1', port: Number(new URL(server.url).port) })
  relays.push(relay)
  return relay
}

describe('two gates on one PostgreSQL', () => {
  it('know the tokens that either issued, and refuse at once what the other revoked (T08)', async () => {
    const a = await start('a')
    const b = await start('b')
    const { one, two } = a.tokens
    expect([await call(a, one), await call(b, one), await call(b, two)]).toEqual([200, 200, 200])
    const stream = await listen(b.url, '/v1/products/12345/events', one)
    expect(stream.status).toBe(200)
    await using clock = await startFairClock()
    const refusing = [lastAllowed(a, one), lastAllowed(b, one)]
    const from = await revoke(a, 'one')
    for (const last of await Promise.all(refusing)) {
      expect(await clock.between(from, last)).toBeLessThan(1000)
    }
    await stream.ended
    expect(await clock.between(from, stream.endedAt())).toBeLessThan(2000)
    expect(await call(b, two)).toBe(200)
    expect((await traces(b)).decisions.some((row) => row['user'] === 'one')).toBe(true)
  })

  it('keep to a revocation within two seconds where one hears no notices (T08)', async () => {
    const relay = await relayed()
    relay.refuse('listen fleetgate_changes')
    const a = await start('a')
    const deaf = await start('deaf', relay.port)
    const { one, two } = a.tokens
    expect(await call(deaf, one)).toBe(200)
    const refusing = lastAllowed(deaf, one)
    const from = await revoke(a, 'one')
    expect((await refusing) - from).toBeLessThan(2000)
    expect(await call(deaf, two)).toBe(200)
  })

  it('serve nobody once PostgreSQL is not heard of for the fence, and everybody when it is back (A13)', async () => {
    const relayA = await relayed()
    const relayB = await relayed()
    const a = await start('a', relayA.port)
    const b = await start('b', relayB.port)
    const { one } = a.tokens
    const stream = await listen(b.url, '/v1/products/12345/events', one)
    expect([await call(a, one), await call(b, one)]).toEqual([200, 200])
    for (const relay of [relayA, relayB]) relay.cut('closed')
    // Meanwhile, where neither can hear of it.
    await database.query(
      `update tokens set revoked_at_ms = 1, issued_grant = null where user_name = 'two'`,
    )
    const from = performance.now()
    const lasts = await Promise.all([lastAllowed(a, one, 503), lastAllowed(b, one, 503)])
    for (const last of lasts) expect(last - from).toBeLessThan(2000)
    for (const gate of [a, b]) {
      expect(await call(gate, one)).toBe(503)
      expect(await call(gate, a.tokens['two'])).toBe(503)
    }
    expect(await stream.ended).toBeDefined()
    for (const relay of [relayA, relayB]) relay.cut('open')
    for (const gate of [a, b]) {
      await expect.poll(() => call(gate, one)).toBe(200)
      expect(await call(gate, a.tokens['two'])).toBe(401)
    }
  })

  it('serve nobody while PostgreSQL stands still, and answer each request in time (A04, A13)', async () => {
    const a = await start('a')
    const { one, two } = a.tokens
    expect(await call(a, one)).toBe(200)
    await using clock = await startFairClock()
    await server.freeze()
    try {
      const from = performance.now()
      const cold = call(a, two)
      expect((await lastAllowed(a, one, 503)) - from).toBeLessThan(2000)
      expect(await call(a, one)).toBe(503)
      expect(await cold).toBe(503)
      expect(await clock.between(from)).toBeLessThan(4000)
    } finally {
      server.thaw()
    }
    await expect.poll(() => call(a, one)).toBe(200)
    expect((await traces(a)).total).toBeGreaterThan(0)
  })

  it('know of each other, and that one is under other policies', async () => {
    const a = await start('a')
    const b = await start('b')
    const seen = () =>
      elsewhere(a.config, async (_, store) =>
        (await store.replicas.list()).live.map(({ name, revision }) => ({ name, revision })),
      )
    const together = await seen()
    expect(together.map(({ name }) => name).toSorted()).toEqual(['a', 'b'])
    expect(new Set(together.map(({ revision }) => revision)).size).toBe(1)
    await b.writePolicy('users.yaml', policies('b'))
    await b.reload()
    await expect
      .poll(async () => new Set((await seen()).map(({ revision }) => revision)).size, {
        timeout: 20_000,
      })
      .toBe(2)
    await b[Symbol.asyncDispose]()
    gates = [a]
    await expect
      .poll(async () => (await seen()).map(({ name }) => name), { timeout: 20_000 })
      .toEqual(['a'])
  })

  it('kill no token because one of them lacks its API user, not even while the other is restarted', async () => {
    const a = await start('a')
    const old = await start('old')
    const { two } = a.tokens
    await old.writePolicy('users.yaml', policies().replace(/ {2}two:[\s\S]*/, ''))
    await old.reload()
    expect([await call(a, two), await call(old, two)]).toEqual([200, 401])
    await a[Symbol.asyncDispose]()
    gates = [old]
    // Longer than a gate that has left counts as alive.
    await new Promise((resolve) => setTimeout(resolve, 6500))
    const live = await elsewhere(old.config, (tokens) => tokens.list({ user: 'two', live: true }))
    expect(live.map(({ state }) => state)).toEqual(['valid'])
    const back = await start('a')
    expect([await call(back, two), await call(old, two)]).toEqual([200, 401])
  })

  it('kill it once all of them lack its API user', async () => {
    const a = await start('a')
    const b = await start('b')
    const without = policies().replace(/ {2}two:[\s\S]*/, '')
    for (const gate of [a, b]) {
      await gate.writePolicy('users.yaml', without)
      await gate.reload()
    }
    await expect
      .poll(() => elsewhere(a.config, (tokens) => tokens.list({ user: 'two', live: true })), {
        timeout: 20_000,
      })
      .toEqual([])
    expect([await call(a, a.tokens['one']), await call(b, a.tokens['two'])]).toEqual([200, 401])
  })
})
