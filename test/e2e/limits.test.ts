// Limits, rates, addresses, hours and the cloud's quota at a whole gate: who is held back, who is not, and what the cloud saw.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { elsewhere } from '../kit/elsewhere.ts'
import { listen } from '../kit/event-client.ts'
import { traces } from '../kit/invariant.ts'
import { anOperator, bothPorts, callWith, operate, type Called } from '../kit/operated-gate.ts'
import { until } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGate, type TestGateOptions } from '../kit/start-gate.ts'

const product = '12345'
/** A Monday, a minute before the working day ends. */
const beforeSix = Date.UTC(2026, 10, 23, 17, 59)
const minute = 60_000

let cloud: DeviceCloud
let gate: TestGate
let device: string
let id: string
let other: string
let skewMs: number
let calls: number

beforeEach(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, devices: 3, heartbeatIntervalMs: 60_000 })
  const [first, second] = cloud.fleet.devices(Number(product))
  id = String(first?.['id'])
  device = `/v1/products/${product}/devices/${id}`
  other = `/v1/products/${product}/devices/${String(second?.['id'])}`
  skewMs = beforeSix - Date.now()
  calls = 0
})

afterEach(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

const own = (name: string, lines: string) => `
  ${name}:
    owner: ${name}@acme.example
    product: ${product}
    devices: [${id}]
    expires: never
${lines.trim().replace(/^/gm, '    ')}`
const usersOf = (...users: string[]) => `users:${users.join('')}\n`

async function start(users: string, more: Partial<TestGateOptions> = {}): Promise<void> {
  gate = await startTestGate({
    upstream: cloud,
    policies: { 'users.yaml': users },
    clock: { now: () => Date.now() + skewMs, monotonic: () => performance.now() },
    ...more,
  })
}

async function call(
  user: string,
  path = device,
  headers: Readonly<Record<string, string>> = {},
  token = gate.tokens[user] ?? '',
): Promise<Called> {
  calls += 1
  return callWith(gate.url, path, token, headers)
}

async function statuses(user: string, times: number, path = device): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < times; i += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is what is counted
    all.push((await call(user, path)).status)
  }
  return all
}

/** What the cloud was asked for, without the gate's own look-ups. */
const seen = (path = device) => cloud.requests().filter(({ url }) => url === path).length

/** The audit has one record for each call, and refusals say why. */
async function expectTraces(): Promise<readonly Record<string, unknown>[]> {
  const { decisions, total } = await traces(gate)
  expect(total).toBe(calls)
  return decisions
}

function expectOverLimit(called: Called, atMostS: number): void {
  expect(called.status).toBe(429)
  expect(called.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  expect(Number(called.headers.get('retry-after'))).toBeLessThanOrEqual(atMostS)
  expect(JSON.parse(called.text)).toMatchObject({ error: 'rate_limit_exceeded' })
  expect(called.text).not.toMatch(/token/i)
}

const threeGets = `
rules:
  - can: devices:get
    limit: { calls: 3, per: 1h }
  - can: devices:list`

describe('a limit on a rule', () => {
  it('lets its calls pass, then answers 429 with Retry-After, and the cloud hears nothing', async () => {
    await start(usersOf(own('counted', threeGets), own('twin', threeGets)))
    expect(await statuses('counted', 3)).toEqual([200, 200, 200])
    const over = await call('counted')
    expectOverLimit(over, 3600)
    expect(seen()).toBe(3)
    const decisions = await expectTraces()
    const [denied, ...more] = decisions.filter((row) => row['decision'] === 'deny')
    expect(more).toEqual([])
    expect(denied).toMatchObject({
      ...{ user: 'counted', reason: 'over_limit', enforcement: 'reject', actions: ['devices:get'] },
      request_id: over.headers.get('x-request-id'),
    })
    // Another `can` of the same API user goes on, and so does another API user under the same rule.
    expect(await statuses('counted', 2, `/v1/products/${product}/devices`)).toEqual([200, 200])
    expect(await statuses('twin', 4)).toEqual([200, 200, 200, 429])
    expect(seen()).toBe(6)
    await expectTraces()
  })

  it('lets exactly its calls pass of many at once', async () => {
    const ten = threeGets.replace('calls: 3', 'calls: 10')
    await start(usersOf(own('counted', ten), own('twin', ten)))
    const all = await Promise.all(
      Array.from({ length: 80 }, (_, i) => call(i % 2 ? 'counted' : 'twin')),
    )
    expect(all.filter(({ status }) => status === 200)).toHaveLength(20)
    expect(all.filter(({ status }) => status === 429)).toHaveLength(60)
    expect(seen()).toBe(20)
    const decisions = await expectTraces()
    const passed = decisions.filter((row) => row['decision'] === 'allow')
    expect(passed.filter((row) => row['user'] === 'twin')).toHaveLength(10)
  })

  it('is one count for every spelling of a device, and for GET and HEAD', async () => {
    await start(usersOf(own('counted', threeGets)))
    const { name } = Object(cloud.fleet.device(id))
    expect((await call('counted', `/v1/devices/${id}`)).status).toBe(200)
    expect((await call('counted', `/v1/devices/${String(name)}`)).status).toBe(200)
    calls += 1
    const head = await fetch(gate.url + device, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${gate.tokens['counted']}` },
    })
    expect(head.status).toBe(200)
    expectOverLimit(
      await call('counted', `/v1/products/${product}/devices/${id.toUpperCase()}`),
      3600,
    )
    expectOverLimit(await call('counted'), 3600)
    await expectTraces()
  })

  it('counts nothing that was refused', async () => {
    await start(usersOf(own('counted', threeGets)))
    const denied = [
      ...(await statuses('counted', 5, other)),
      ...(await statuses('counted', 5, `${device}?bogus=1`)),
    ]
    expect(new Set(denied)).toEqual(new Set([403, 400]))
    expect(await statuses('counted', 4)).toEqual([200, 200, 200, 429])
    await expectTraces()
  })

  it('that is used up leaves what another can shows, and no key of its own', async () => {
    const rules = `
rules:
  - can: devices:get
    limit: { calls: 1, per: 1h }
    answer: [id, name]
  - can: devices:get
    answer: [id]`
    await start(usersOf(own('counted', rules)))
    const [first, second] = [await call('counted'), await call('counted')]
    expect(Object.keys(JSON.parse(first.text)).toSorted()).toEqual(['id', 'name'])
    expect([second.status, JSON.parse(second.text)]).toEqual([200, { id }])
    await expectTraces()
  })

  it('has room again when its time is over', async () => {
    await start(usersOf(own('counted', threeGets.replace('3, per: 1h', '2, per: 2s'))))
    expect(await statuses('counted', 2)).toEqual([200, 200])
    const over = await call('counted')
    expectOverLimit(over, 2)
    await expect.poll(async () => (await call('counted')).status, { interval: 200 }).toBe(200)
    await expectTraces()
  })

  it('is not refilled by another token, a policy edit elsewhere, or the rule on another line', async () => {
    await start(usersOf(own('counted', threeGets)), { config: bothPorts })
    const admin = operate(gate.adminUrl, await anOperator(gate, 'olga'))
    expect(await statuses('counted', 3)).toEqual([200, 200, 200])
    const { token } = await admin('POST', '/api/users/counted/token')
    expectOverLimit(await call('counted', device, {}, token), 3600)
    const moved = `# One line down.\n${usersOf(own('twin', threeGets), own('counted', threeGets))}`
    await gate.writePolicy('users.yaml', moved)
    await gate.reload()
    expectOverLimit(await call('counted', device, {}, token), 3600)
    expect(seen()).toBe(3)
  })

  it('that is raised is held back from tokens issued before; one that is lowered bites at once', async () => {
    const with_ = (calls: number) => usersOf(own('counted', threeGets.replace('3', String(calls))))
    await start(with_(3), { config: bothPorts })
    const admin = operate(gate.adminUrl, await anOperator(gate, 'olga'))
    await gate.writePolicy('users.yaml', with_(5))
    await gate.reload()
    expect(await statuses('counted', 4)).toEqual([200, 200, 200, 429])
    expect((await admin('POST', '/api/users/counted/token/extend')).status).toBe(200)
    const extended = await statuses('counted', 6)
    expect(extended.filter((status) => status === 200).length).toBeLessThanOrEqual(5)
    expect(extended[0]).toBe(200)
    expect(extended.at(-1)).toBe(429)
    await gate.writePolicy('users.yaml', with_(1))
    await gate.reload()
    const lowered = await statuses('counted', 3)
    expect(lowered.slice(1)).toEqual([429, 429])
  })
})

describe('a rate', () => {
  it('bounds all requests of one API user together, and of nobody else', async () => {
    const rated = 'rate: { calls: 4, per: 1h }\nscopes: [devices:get, devices:list]'
    await start(usersOf(own('rated', rated), own('free', 'scopes: [devices:get]')))
    const list = `/v1/products/${product}/devices`
    expect(await statuses('rated', 2)).toEqual([200, 200])
    expect(await statuses('rated', 2, list)).toEqual([200, 200])
    for (const path of [device, list]) expectOverLimit(await call('rated', path), 3600)
    expect(await statuses('free', 6)).toEqual(Array.from({ length: 6 }, () => 200))
    expect(seen()).toBe(8)
    const denied = (await expectTraces()).filter((row) => row['decision'] === 'deny')
    expect(denied.map(({ user, reason }) => `${String(user)} ${String(reason)}`)).toEqual([
      'rated over_limit',
      'rated over_limit',
    ])
  })

  it('stands beside limits: what either refuses is counted by neither', async () => {
    const rules = threeGets.replace('calls: 3', 'calls: 1')
    await start(usersOf(own('both', `rate: { calls: 4, per: 1h }\n${rules.trim()}`)))
    expect(await statuses('both', 3)).toEqual([200, 429, 429])
    const list = `/v1/products/${product}/devices`
    expect(await statuses('both', 4, list)).toEqual([200, 200, 200, 429])
    await expectTraces()
  })
})

describe('addresses', () => {
  const near = 'from: [127.0.0.0/8]\nscopes: [devices:get]'
  const far = 'from: [192.0.2.0/24, "2001:db8::/32"]\nscopes: [devices:get]'
  const forwarded = (value: string) => ({ 'x-forwarded-for': value })

  it('that an API user does not name are refused, and a header makes no other of them', async () => {
    await start(usersOf(own('near', near), own('far', far)))
    expect((await call('near')).status).toBe(200)
    for (const headers of [{}, forwarded('192.0.2.7'), { forwarded: 'for=192.0.2.7' }]) {
      const { status, text } = await call('far', device, headers)
      expect(status).toBe(403)
      expect(text).not.toContain('192.0.2')
    }
    expect((await call('near', device, forwarded('10.0.0.1'))).status).toBe(200)
    expect(seen()).toBe(2)
    const denied = (await expectTraces()).filter((row) => row['decision'] === 'deny')
    expect(denied).toHaveLength(3)
    for (const row of denied) {
      expect(row).toMatchObject({ reason: 'outside_addresses', address: '127.0.0.1', user: 'far' })
    }
  })

  it('are asked for before anything else of a request, and such a call is no use of the token', async () => {
    const config = `${bothPorts}\ntrusted_proxies: [127.0.0.1]\n`
    await start(usersOf(own('far', far)), { config })
    const all = () => cloud.requests().length
    const before = all()
    const outside: readonly [string, string][] = [
      ['GET', device],
      ['GET', '/v1/nope'],
      ['GET', '/v1/devices/some-name'],
      ['GET', `${device}?x=1`],
      ['PUT', device],
      ['GET', '/v1/user'],
      ['GET', '/v1/access_tokens/current'],
      ['DELETE', '/v1/access_tokens/current'],
    ]
    const authorization = `Bearer ${gate.tokens['far']}`
    for (const [method, path] of outside) {
      calls += 1
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await fetch(gate.url + path, { method, headers: { authorization } })
      expect([method, path, answer.status]).toEqual([method, path, 403])
      // oxlint-disable-next-line no-await-in-loop -- likewise
      expect(await answer.text()).not.toContain('far')
    }
    expect(all()).toBe(before)
    const denied = await expectTraces()
    expect(denied.map(({ decision, reason }) => [decision, reason])).toEqual(
      outside.map(() => ['deny', 'outside_addresses']),
    )
    const admin = operate(gate.adminUrl, await anOperator(gate, 'olga'))
    const used = async () => (await admin('GET', '/api/users/far')).text.includes('last_used')
    expect(await used()).toBe(false)

    const near = forwarded('192.0.2.7')
    expect((await call('far', '/v1/access_tokens/current', near)).status).toBe(200)
    expect((await call('far', device, near)).status).toBe(200)
    expect(await used()).toBe(true)
    await expectTraces()
  })

  it('are those that trusted proxies wrote, and no others', async () => {
    const config = 'trusted_proxies: [127.0.0.1]\n'
    await start(usersOf(own('near', near), own('far', far)), { config })
    expect((await call('far', device, forwarded('192.0.2.7'))).status).toBe(200)
    expect((await call('far', device, forwarded('2001:db8::7'))).status).toBe(200)
    expect((await call('near', device, forwarded('192.0.2.7'))).status).toBe(403)
    // What stands further left was written by who knows whom.
    expect((await call('far', device, forwarded('192.0.2.7, 10.0.0.1'))).status).toBe(403)
    expect((await call('far', device, forwarded('10.0.0.1, 192.0.2.7'))).status).toBe(200)
    expect((await call('far')).status).toBe(403)
    expect(seen()).toBe(3)
    const denied = (await expectTraces()).filter((row) => row['decision'] === 'deny')
    expect(denied.map(({ reason }) => reason)).toEqual(
      Array.from({ length: 3 }, () => 'outside_addresses'),
    )
  })

  it('that a policy edit adds are held back, and those that it takes away are gone at once', async () => {
    await start(usersOf(own('far', far)), { config: bothPorts })
    await gate.writePolicy('users.yaml', usersOf(own('far', near)))
    await gate.reload()
    expect((await call('far')).status).toBe(403)
    const admin = operate(gate.adminUrl, await anOperator(gate, 'olga'))
    expect((await admin('POST', '/api/users/far/token/extend')).status).toBe(200)
    expect((await call('far')).status).toBe(200)
    await gate.writePolicy('users.yaml', usersOf(own('far', far)))
    await gate.reload()
    expect((await call('far')).status).toBe(403)
    expect(seen()).toBe(1)
    await expectTraces()
  })
})

describe('hours', () => {
  const days = 'when: { days: mon-fri, hours: 08:00-18:00, zone: UTC }'
  const worker = `rules:\n  - can: [devices:get, events:get]\n    ${days}`

  it('end with their window, for open streams too, and for nobody else', async () => {
    await start(usersOf(own('worker', worker), own('always', 'scopes: [devices:get, events:get]')))
    const events = `/v1/products/${product}/events`
    const streams = {
      worker: await listen(gate.url, events, gate.tokens['worker']),
      always: await listen(gate.url, events, gate.tokens['always']),
    }
    calls += 2
    expect([streams.worker.status, streams.always.status]).toEqual([200, 200])
    expect((await call('worker')).status).toBe(200)
    cloud.publish(id, 'humidity', '21')
    await until(() => streams.worker.names().length === 1 && streams.always.names().length === 1)
    skewMs += minute
    await streams.worker.ended
    cloud.publish(id, 'humidity', '22')
    await until(() => streams.always.names().length === 2)
    expect(streams.worker.names()).toHaveLength(1)
    expect((await call('worker')).status).toBe(403)
    expect((await call('always')).status).toBe(200)
    expect((await listen(gate.url, events, gate.tokens['worker'])).status).toBe(403)
    calls += 1
    expect(streams.always.endedAt()).toBeUndefined()
    expect(seen()).toBe(2)
    streams.always.leave()
    await streams.always.ended
    const decisions = await expectTraces()
    const denied = decisions.filter((row) => row['decision'] === 'deny')
    expect(denied.map(({ reason }) => reason)).toEqual(['outside_hours', 'outside_hours'])
    const opened = decisions.find((row) => row['user'] === 'worker')
    const outcome = (await gate.outcomes()).find(
      (row) => row['request_id'] === opened?.['request_id'],
    )
    expect(outcome).toMatchObject({ status: 200, ended: 'outside_hours' })
    // Fourteen hours later it is Tuesday, eight in the morning.
    skewMs += 14 * 60 * minute
    expect((await call('worker')).status).toBe(200)
  })
})

describe('the quota of the cloud', () => {
  const plain = 'scopes: [devices:get]'
  const quota = (calls: number) => ({
    quota: `{ calls: ${calls}, per: 1h, reserve: 10 }`,
  })

  it('is never overdrawn: then 429 with Retry-After, and the cloud hears nothing', async () => {
    await start(usersOf(own('busy', plain)), quota(20))
    const all = await Promise.all(Array.from({ length: 40 }, () => call('busy')))
    const passed = all.filter(({ status }) => status === 200)
    const refused = all.filter(({ status }) => status !== 200)
    expect(passed.length).toBeGreaterThan(10)
    expect(passed.length).toBeLessThanOrEqual(18)
    // Calls leave the window a slice of it at a time: a little late, never early.
    for (const called of refused) expectOverLimit(called, 3700)
    expect(cloud.requests().length).toBeLessThanOrEqual(20)
    expect(seen()).toBe(passed.length)
    await expectTraces()
    const outcomes = (await gate.outcomes()).filter((row) => row['status'] === 429)
    expect(outcomes).toHaveLength(refused.length)
    for (const row of outcomes) {
      expect(row).toMatchObject({ ended: 'upstream_quota' })
      expect(row).not.toHaveProperty('upstream_status')
    }
  })

  it('is shared fairly: who takes much is held back first, and the modest one goes on', async () => {
    await start(usersOf(own('modest', plain), own('greedy', plain)), quota(40))
    expect(await statuses('modest', 2)).toEqual([200, 200])
    const greedy = await statuses('greedy', 40)
    expect(greedy.at(-1)).toBe(429)
    expect(greedy.filter((status) => status === 200).length).toBeGreaterThanOrEqual(18)
    expect(await statuses('modest', 3)).toEqual([200, 200, 200])
    expect(cloud.requests().length).toBeLessThanOrEqual(40)
    await expectTraces()
  })

  it('is told to operators, with who uses it', async () => {
    await start(usersOf(own('busy', plain)), { ...quota(100), config: bothPorts })
    expect(await statuses('busy', 5)).toEqual(Array.from({ length: 5 }, () => 200))
    const admin = operate(gate.adminUrl, await anOperator(gate, 'vera', 'viewer'))
    const { text } = await admin('GET', '/api/status')
    const used = JSON.parse(text).quota
    expect(used).toMatchObject({ calls: 100, users: [{ user: 'busy', used: 5 }] })
    expect(used.used).toBe(cloud.requests().length)
  })

  it('as the cloud itself sees it is passed on, and the gate leaves the cloud alone', async () => {
    await start(usersOf(own('busy', plain), own('calm', plain)))
    cloud.fault({
      when: ({ url }) => url === device,
      answer: {
        status: 429,
        headers: { 'content-type': 'application/json', 'retry-after': '30' },
        body: '{"error":"too_many_requests","error_description":"Slow down."}',
      },
    })
    const told = await call('busy')
    expect(told.status).toBe(429)
    expect(told.headers.get('retry-after')).toBe('30')
    const before = cloud.requests().length
    const again = await call('busy')
    expectOverLimit(again, 30)
    expect(cloud.requests().length).toBe(before)
    await expectTraces()
    expect(
      (await gate.outcomes()).map(({ upstream_status, ended }) => [upstream_status, ended]),
    ).toEqual([
      [429, expect.any(String)],
      [undefined, 'upstream_quota'],
    ])
  })
})

describe('API users of the store', () => {
  it('are held to limit, rate, from and when alike', async () => {
    await start(usersOf(own('other', 'scopes: [devices:get]')), { config: bothPorts })
    const admin = operate(gate.adminUrl, await anOperator(gate, 'olga'))
    const definition = (more: object) => ({
      owner: 'field@acme.example',
      ...{ product, devices: [id], never: true, scopes: ['devices:get'] },
      ...more,
    })
    const make = async (name: string, more: object) => {
      const said = await admin('POST', '/api/users', { name, definition: definition(more) })
      expect([said.status, said.text]).toEqual([201, expect.any(String)])
      return said.token
    }
    const rules = (more: object) => ({
      scopes: undefined,
      rules: [{ can: 'devices:get', ...more }],
    })
    const limited = await make('limited', rules({ limit: { calls: 2, per: '1h' } }))
    const rated = await make('rated', { rate: { calls: 2, per: '1h' } })
    const near = await make('near', { from: ['127.0.0.1'] })
    const far = await make('far', { from: ['192.0.2.0/24'] })
    const hours = { hours: '08:00-18:00', days: 'mon-fri', zone: 'UTC' }
    const worker = await make('worker', rules({ when: hours }))
    const ask = async (token: string) => (await call('', device, {}, token)).status
    for (const token of [limited, rated]) {
      const each = [await ask(token), await ask(token), await ask(token)]
      expect(each).toEqual([200, 200, 429])
    }
    expect([await ask(near), await ask(far), await ask(worker)]).toEqual([200, 403, 200])
    skewMs += minute
    expect(await ask(worker)).toBe(403)
    expect(seen()).toBe(6)
    await expectTraces()
    expect(await elsewhere(gate.config, (_, store) => store.users.get('far'))).toBeDefined()
  })
})
