// Day one: a client with a token of the cloud, unchanged but for its base URL, in front of a gate that only looks on.

import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Particle from 'particle-api-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { invoke } from '../kit/cli.ts'
import { traces } from '../kit/invariant.ts'
import { startTestGate, type AuditRow, type TestGate } from '../kit/start-gate.ts'

const product = '12345'
const day = 86_400_000
/** Two days of looking on, from now. */
const endMs = Math.ceil(Date.now() / day) * day + day
const end = new Date(endMs).toISOString().slice(0, 10)
const scopes = [
  ...['devices:list', 'devices:get', 'devices.function:call', 'devices.variable:get'],
  ...['events:get', 'events:send', 'firmware:create'],
]
/** Moved on where the observation is to be over. */
const clock = { ahead: 0, now: () => Date.now() + clock.ahead, monotonic: systemClock.monotonic }

let cloud: DeviceCloud
let gate: TestGate
let theirs: string
let deviceId: string
let before: number

beforeAll(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, heartbeatIntervalMs: 50 })
  theirs = await tokenOfTheCloud()
  deviceId = String(cloud.fleet.devices(12345)[0]?.['id'])
  const config = `observe: { until: ${end} }`
  gate = await startTestGate({
    ...{ upstream: cloud, clock, config },
    policies: { 'users.yaml': enforcedLater },
  })
  // For the commands beside it.
  await writeFile(
    join(gate.folder, 'fleetgate.yaml'),
    `upstream: { url: ${cloud.url}, credentials: { default: { file: upstream-token } } }\n${config}\n`,
  )
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

beforeEach(async () => {
  cloud.clear()
  before = (await traces(gate)).decisions.length
})

const enforcedLater = `
users:
  reader:
    owner: web@acme.example
    product: ${product}
    devices: all
    scopes: [devices:get]
    expires: never
  spare:
    owner: web@acme.example
    product: ${product}
    devices: all
    scopes: [devices:get]
    expires: never
`

async function tokenOfTheCloud(): Promise<string> {
  const made = await fetch(`${cloud.url}/v1/products/${product}/team`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cloud.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ friendly_name: 'dashboard', scopes }),
  })
  const { created } = (await made.json()) as { created: { tokens: { token: string }[] } }
  return created.tokens[0]?.token ?? ''
}

function client(token = theirs, baseUrl = gate.url): Particle {
  return new Particle({ baseUrl, auth: token })
}

/** What reached the cloud, and with whose token. */
function seen(): string[] {
  return cloud.requests().map(({ method, url, rawHead }) => {
    const holder = rawHead.includes(`Bearer ${theirs}`) ? 'theirs' : 'gate'
    return `${method} ${url} ${holder}`
  })
}

async function recorded(): Promise<AuditRow[]> {
  return (await traces(gate)).decisions.slice(before)
}

describe('a client with a token of the cloud, while everybody is observed', () => {
  it('lists and reads as it would without the gate', async () => {
    const straight = client(theirs, cloud.url)
    const asked = { product, perPage: 7, page: 2 }
    const [listed, direct] = [await client().listDevices(asked), await straight.listDevices(asked)]
    expect(listed.body).toEqual(direct.body)
    const read = await client().getDevice({ deviceId, product })
    expect(read.body).toEqual((await straight.getDevice({ deviceId, product })).body)
    expect(read.body).toHaveProperty('mobile_secret')
    const rows = await recorded()
    expect(rows).toMatchObject([
      { decision: 'would_deny', reason: 'invalid_token', actions: ['devices:list'] },
      { actions: ['devices:get'], resources: [`device:${deviceId}`], products: [product] },
    ])
    expect(rows.map((row) => row['fingerprint'])).toEqual([
      expect.stringMatching(/^[0-9a-f]{16}$/),
      rows[0]?.['fingerprint'],
    ])
    expect(rows[0]).not.toHaveProperty('user')
    expect(JSON.stringify(rows)).not.toContain(theirs)
    // No question of the gate’s own: twice through it, and twice past it.
    expect(seen().map((line) => line.split(' ').at(-1))).toEqual(Array(4).fill('theirs'))
  })

  it('calls, publishes, listens and uploads', async () => {
    const called = await client().callFunction({
      deviceId,
      product,
      name: 'setpoint',
      argument: '21',
    })
    expect(called.body.return_value).toBe(21)
    const read = await client().getVariable({ deviceId, product, name: 'temperature' })
    expect(read.body.result).toBe(21)
    const stream = await client().getEventStream({ product, name: 'alarm' })
    const arrived = once(stream, 'event')
    await client().publishEvent({ product, name: 'alarm', data: 'hot', isPrivate: true })
    expect((await arrived)[0]).toMatchObject({ name: 'alarm', data: 'hot' })
    stream.abort()
    const uploaded = await client().uploadProductFirmware({
      ...{ product, version: 7, title: 'Seven', description: 'd', file: Buffer.from('binary') },
    })
    expect(uploaded.body).toMatchObject({ version: 7, size: 6 })
    expect(seen().every((line) => line.endsWith(' theirs'))).toBe(true)
    const rows = await recorded()
    expect(rows.map((row) => [row['decision'], row['actions']])).toEqual([
      ['would_deny', ['devices.function:call']],
      ['would_deny', ['devices.variable:get']],
      ['would_deny', ['events:get']],
      ['would_deny', ['events:send']],
      ['would_deny', ['firmware:create']],
    ])
    expect(rows[0]).toMatchObject({ enforcement: 'observe' })
    expect(rows[0]?.['fields']).toContain('functions:setpoint')
  })

  it('finds out which product a device is in where the client does not say', async () => {
    await client().callFunction({ deviceId, name: 'blink', argument: '' })
    expect(seen().at(-1)).toBe(`POST /v1/devices/${deviceId}/blink theirs`)
    expect(await recorded()).toMatchObject([{ products: [product], decision: 'would_deny' }])
  })

  it('hears the cloud’s own refusals', async () => {
    const wrong = client('e'.repeat(40)).getDevice({ deviceId, product })
    await expect(wrong).rejects.toMatchObject({ statusCode: 401 })
    expect(seen()).toHaveLength(1)
    const elsewhere = client().getDevice({ deviceId: 'f'.repeat(24), product })
    await expect(elsewhere).rejects.toMatchObject({ statusCode: 403 })
    expect(await recorded()).toHaveLength(2)
  })
})

describe('an API user with a token of the gate’s own, observed', () => {
  it('is served what it would be denied, by the gate’s credential', async () => {
    const token = gate.tokens['reader'] ?? ''
    const read = await client(token).getDevice({ deviceId, product })
    expect(read.body).toHaveProperty('mobile_secret')
    await client(token).callFunction({ deviceId, product, name: 'blink', argument: '' })
    expect(seen().map((line) => line.split(' ').at(-1))).toEqual(['gate', 'gate'])
    expect(cloud.requests().some(({ rawHead }) => rawHead.includes(token))).toBe(false)
    expect(await recorded()).toMatchObject([
      { user: 'reader', decision: 'allow', would: 'filter' },
      { user: 'reader', decision: 'would_deny', reason: 'not_granted' },
    ])
  })
})

describe('a token of the gate’s own where none belongs, observed', () => {
  it('never reaches the cloud: the request is refused', async () => {
    const token = gate.tokens['reader'] ?? ''
    const json = { authorization: `Bearer ${theirs}`, 'content-type': 'application/json' }
    const post = (headers: Record<string, string>, body: string) =>
      fetch(`${gate.url}/v1/unknown`, { method: 'POST', headers, body })
    const attacks = [
      post(json, JSON.stringify({ access_token: token })),
      post(json, JSON.stringify({ pad: 'x'.repeat(200_000), access_token: token })),
      post({ authorization: `Basic ${btoa(`x:${token}`)}` }, ''),
      post({ ...json, 'x-particle-tool': token }, '{}'),
    ]
    for (const { status } of await Promise.all(attacks)) expect(status).toBe(401)
    expect(cloud.requests().filter(({ rawHead }) => rawHead.includes(token))).toEqual([])
    cloud.clear()
    const large = await post(json, JSON.stringify({ pad: 'x'.repeat(200_000) }))
    expect([large.status, seen()]).toEqual([404, ['POST /v1/unknown theirs']])
  })
})

describe('a token of the cloud that was adopted and is dead by now, observed', () => {
  it.each([
    ['revoked', ['token', 'revoke', 'spare']],
    ['replaced by a rotation', ['token', 'rotate', 'spare']],
    ['suspended with its API user', ['users', 'suspend', 'spare', '--because', 'lost']],
  ])(
    'T08 is refused when it was %s, and whatever was open with it ends, although the cloud would take it',
    async (_, command) => {
      const config = ['--config', join(gate.folder, 'fleetgate.yaml')]
      const token = await tokenOfTheCloud()
      await invoke(['token', 'revoke', 'spare', ...config])
      // Of a stranger: nobody has adopted it yet.
      const stream = await client(token).getEventStream({ product, name: 'alarm' })
      stream.on('error', () => {})
      const adopted = await invoke(['token', 'adopt', 'spare', ...config], { input: token })
      expect(adopted).toMatchObject({ code: 0 })
      await client(token).getDevice({ deviceId, product })
      const ends = (await gate.outcomes()).length
      cloud.clear()
      expect(await invoke([...command, ...config])).toMatchObject({ code: 0 })
      await expect(client(token).getDevice({ deviceId, product })).rejects.toMatchObject({
        statusCode: command[0] === 'users' ? 403 : 401,
      })
      const inQuery = await fetch(`${gate.url}/v1/devices?access_token=${token}`)
      expect(inQuery.status).toBe(command[0] === 'users' ? 403 : 401)
      expect(cloud.requests()).toEqual([])
      await expect
        .poll(async () => (await gate.outcomes()).slice(ends).map((row) => row['ended']))
        .toContain(command[0] === 'users' ? 'suspended' : 'revoked')
      stream.abort()
      // At the cloud it lives on: only the gate keeps it out.
      await client(token, cloud.url).getDevice({ deviceId, product })
      await invoke(['users', 'resume', 'spare', ...config])
    },
  )
})

describe('from what was observed to what is enforced', () => {
  it('the log says what an API user for the client needs; adopted, it goes on alone', async () => {
    const config = join(gate.folder, 'fleetgate.yaml')
    const told = await invoke(['observed', '--config', config])
    expect([told.code, told.out]).toEqual([0, expect.stringContaining('CHANGE-ME')])
    expect(told.out).toMatch(/functions: \[blink, setpoint\]/)
    expect(told.out).toContain('refused by the cloud itself: 1')
    expect(told.out).not.toContain('f'.repeat(24))
    expect(`${told.out}${told.err}`).not.toContain(theirs)
    const { out } = await invoke(['observed', '--config', config, '--json'])
    const [busiest] = JSON.parse(out) as { fingerprint: string; policy: string }[]
    expect(told.out).toContain(busiest?.policy)

    const dashboard = (busiest?.policy ?? '').replace(/^ {2}observed-[0-9a-f]+:/, '  dashboard:')
    await gate.writePolicy('dashboard.yaml', `users:\n${dashboard}\n`)
    const unfilled = await invoke(['check', '--config', config])
    expect([unfilled.code, unfilled.out]).toEqual([1, expect.stringContaining('must be a date')])
    const filled = dashboard
      .replace('owner: CHANGE-ME', 'owner: web@acme.example')
      .replace('expires: CHANGE-ME', 'expires: never')
    await gate.writePolicy('dashboard.yaml', `users:\n${filled}\n`)
    expect(await invoke(['check', '--config', config])).toMatchObject({ code: 0 })
    await gate.reload()

    const adopted = await invoke(['token', 'adopt', 'dashboard', '--config', config], {
      input: `${theirs}\n`,
    })
    expect(adopted).toMatchObject({ code: 0, out: '' })
    await client().getDevice({ deviceId, product })
    expect(await recorded()).toMatchObject([{ user: 'dashboard', decision: 'allow' }])
    expect(seen()).toEqual([`GET /v1/products/${product}/devices/${deviceId} theirs`])
  })

  it('at the end of it policies are enforced: open streams end, and strangers are strangers', async () => {
    const stream = await client().getEventStream({ product, name: 'alarm' })
    stream.on('error', () => {})
    cloud.clear()
    clock.ahead = endMs - Date.now()
    await expectOutcome('observation_over')
    stream.abort()

    const read = await client().getDevice({ deviceId, product })
    expect(read.body).not.toHaveProperty('mobile_secret')
    await client().callFunction({ deviceId, product, name: 'blink', argument: '' })
    const denied = client().callFunction({ deviceId, product, name: 'melt', argument: '' })
    await expect(denied).rejects.toMatchObject({ statusCode: 403 })
    const stranger = client('e'.repeat(40)).getDevice({ deviceId, product })
    await expect(stranger).rejects.toMatchObject({ statusCode: 401 })
    const reader = client(gate.tokens['reader'] ?? '')
    const refused = reader.callFunction({ deviceId, product, name: 'blink', argument: '' })
    await expect(refused).rejects.toMatchObject({ statusCode: 403 })
    // An adopted token is known here, and none of the cloud’s business any more.
    expect(seen().filter((line) => line.endsWith('theirs'))).toEqual([])
    expect(seen().filter((line) => line.startsWith('POST'))).toHaveLength(1)
    const { decisions, rejects } = await traces(gate)
    expect(decisions.slice(-4).map((row) => [row['decision'], row['enforcement']])).toEqual([
      ['allow', 'filter'],
      ['allow', 'filter'],
      ['deny', 'reject'],
      ['deny', 'reject'],
    ])
    expect(rejects.at(-1)).toMatchObject({ reason: 'invalid_token', status: 401 })
  })

  it('was said aloud at the start, with its end', () => {
    expect(gate.log()).toContain('everybody is observed')
    expect(gate.log()).toContain(`"everybody_until":"${end}T00:00:00.000Z"`)
  })

  it('leaves no token in the log of decisions or the gate’s own', async () => {
    const { decisions, rejects } = await traces(gate)
    const all = JSON.stringify([decisions, rejects, await gate.outcomes(), gate.log()])
    for (const token of [theirs, cloud.token, ...Object.values(gate.tokens)]) {
      expect(all).not.toContain(token)
    }
  })
})

describe('what callers may use that the gate does not know', () => {
  it('A09 is as the configuration says, and what is beyond it stays here', async () => {
    await using bounded = await startTestGate({
      upstream: cloud,
      config: `observe: { until: 2999-01-01, requests_per_address: 2 }`,
      policies: { 'users.yaml': enforcedLater },
    })
    const ask = () => client(theirs, bounded.url).getDevice({ deviceId, product })
    await ask()
    await ask()
    await expect(ask()).rejects.toMatchObject({ statusCode: 429 })
    expect(seen()).toHaveLength(2)
    const { decisions, rejects } = await traces(bounded)
    expect([decisions.length, rejects.map((row) => row['reason'])]).toEqual([2, ['rationed']])
    // One that it knows has a budget of its own.
    const known = client(bounded.tokens['reader'], bounded.url)
    expect(await known.getDevice({ deviceId, product })).toMatchObject({ statusCode: 200 })
  })
})

async function expectOutcome(ended: string): Promise<void> {
  await expect.poll(async () => (await gate.outcomes()).map((row) => row['ended'])).toContain(ended)
}
