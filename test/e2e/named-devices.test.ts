// What the cloud itself has named, in a list or an event: no guess of an API user's, and never one call an item.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listen } from '../kit/event-client.ts'
import { until } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = '12345'
const organization = 'a'.repeat(24)
const deviceList = `/v1/products/${product}/devices`
const ledger = `/v1/products/${product}/ledgers/state/instances`
const organizationsLedger = `/v1/orgs/${organization}/ledgers/state/instances`
const idOf = (n: number) => n.toString(16).padStart(24, '0')
const range = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i)

type Cloud = {
  url: string
  token: string
  /** Targets, in the order of the calls. */
  seen: string[]
  /** Devices of the product by number, and those of the ledger's instances. */
  devices: number[]
  instances: number[]
  /** Before each page of devices. */
  delayMs: number
  stream: ServerResponse | undefined
  end(): void
}

let cloud: Cloud
let gate: TestGate

async function startCloud(): Promise<Cloud> {
  const server = createServer((request, response) => {
    const target = request.url ?? '/'
    cloud.seen.push(target)
    answer(cloud, new URL(target, 'http://cloud'), response)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    ...{ url: `http://127.0.0.1:${port}`, token: 'cloud-credential-0123456789', seen: [] },
    ...{ devices: [], instances: [], delayMs: 0, stream: undefined },
    end() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function answer(of: Cloud, { pathname, searchParams }: URL, response: ServerResponse): void {
  const send = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }
  const page = (key: string, all: readonly unknown[]) => {
    const number = Number(searchParams.get('page') ?? 1)
    const size = Number(searchParams.get('perPage') ?? searchParams.get('per_page') ?? 25)
    const items = all.slice((number - 1) * size, number * size)
    const meta = { page: number, per_page: size, total: all.length }
    send(200, { [key]: items, meta: { ...meta, total_pages: Math.ceil(all.length / size) } })
  }
  const one = /^\/v1\/(?:products\/12345\/)?devices\/([0-9a-f]{24})$/.exec(pathname)?.[1]
  if (pathname.endsWith('/events')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(':ok\n\n')
    of.stream = response
  } else if (pathname === deviceList) {
    const devices = of.devices.map((n) => deviceOf(n))
    setTimeout(() => page('devices', devices), of.delayMs)
  } else if (pathname.endsWith('/instances')) {
    const scoped = (n: number) => ({ scope: { type: 'Device', value: idOf(n) }, data: n })
    page('instances', of.instances.map(scoped))
  } else if (one !== undefined) {
    const found = of.devices.find((n) => idOf(n) === one)
    if (found === undefined) send(404, { error: 'no such device' })
    else send(200, deviceOf(found))
  } else if (pathname === `/v1/orgs/${organization}/products`) {
    send(200, { products: [{ id: Number(product) }] })
  } else if (pathname === `/v1/orgs/${organization}`) {
    send(200, { organization: { id: organization, slug: 'acme' } })
  } else {
    send(404, { error: 'nothing here' })
  }
}

/** Those of odd numbers are in the group. */
function deviceOf(n: number) {
  return { id: idOf(n), product_id: Number(product), groups: n % 2 === 1 ? ['site-7'] : [] }
}

const user = (name: string, place: string, rules: string) => `
  ${name}:
    owner: ${name}@acme.example
    ${place}
    devices: { groups: { $any: [site-7] } }
    rules: ${rules}
    expires: never
`

async function start(config = ''): Promise<void> {
  const rules = '[{ can: [ledger.instances:list, devices:get, events:get] }]'
  gate = await startTestGate({
    upstream: cloud,
    ...(config !== '' && { config }),
    policies: {
      'u.yaml': `users:${user('site', `product: ${product}`, rules)}${user('acme', `organization: ${organization}`, rules)}${user('strict', `product: ${product}`, '[{ can: ledger.instances:list, max_age: 1s }]')}`,
    },
  })
}

async function ask(name: string, path: string) {
  const before = cloud.seen.length
  const headers = { authorization: `Bearer ${gate.tokens[name] ?? ''}` }
  const given = await fetch(gate.url + path, { headers })
  const body = (await given.json()) as { instances?: { data: number }[]; meta?: unknown }
  return {
    status: given.status,
    shown: body.instances?.map(({ data }) => data),
    meta: body.meta,
    calls: cloud.seen.slice(before),
  }
}

beforeEach(async () => {
  cloud = await startCloud()
})

afterEach(async () => {
  await gate[Symbol.asyncDispose]()
  cloud.end()
})

const odd = (numbers: readonly number[]) => numbers.filter((n) => n % 2 === 1)

describe('a list that names devices which are gone', () => {
  it('is shown without them, as often as it is asked for, and costs its reader no ration', async () => {
    cloud.devices = range(100)
    cloud.instances = [...range(240, 5000), ...range(20)]
    await start()
    for (let turn = 0; turn < 3; turn += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
      const { status, shown, meta } = await ask('site', ledger)
      expect([status, shown]).toEqual([200, odd(range(20))])
      expect(meta).toMatchObject({ total: 10 })
    }
    // Three pages of instances and one of devices: who is not listed is not asked for.
    expect(cloud.seen).toHaveLength(4)
    expect((await ask('site', `${deviceList}/${idOf(3)}`)).status).toBe(200)
    expect((await ask('site', `${deviceList}/${idOf(5001)}`)).status).toBe(403)
  })

  it('is shown where the few that are left are asked for one by one', async () => {
    cloud.devices = range(4)
    cloud.instances = [...range(40, 5000), 1, 2]
    await start()
    const { status, shown, calls } = await ask('site', ledger)
    expect([status, shown, calls.length]).toEqual([200, [1], 43])
    expect((await ask('site', ledger)).calls).toEqual([])
  })

  it('is read in a few calls although it names thousands of them', async () => {
    cloud.devices = range(10)
    cloud.instances = [...range(1500, 5000), ...range(10)]
    await start()
    const { status, shown, calls } = await ask('site', `${ledger}?perPage=3`)
    expect([status, shown]).toEqual([200, [1, 3, 5]])
    expect(calls).toHaveLength(17)
  })
})

describe('a list longer than the cache of facts', () => {
  it('is judged on what was read for it, and the next page costs no call', async () => {
    cloud.devices = range(1200)
    cloud.instances = range(1200)
    await start('attributes: { cache: 1000 }')
    const { shown, meta, calls } = await ask('site', `${ledger}?perPage=2`)
    expect([shown, meta]).toMatchObject([[1, 3], { total: 600, total_pages: 300 }])
    expect(calls).toHaveLength(24)
    const next = await ask('site', `${ledger}?perPage=2&page=2`)
    expect([next.shown, next.calls]).toEqual([[5, 7], []])
  })

  it('of an organization has its devices located by the lists of the products', async () => {
    cloud.devices = range(1200)
    cloud.instances = [...range(1200), 9001]
    await start('attributes: { cache: 1000 }')
    const { shown, meta, calls } = await ask('acme', `${organizationsLedger}?perPage=2`)
    expect([shown, meta]).toMatchObject([[1, 3], { total: 600 }])
    expect(calls.filter((target) => /devices\/[0-9a-f]{24}/.test(target))).toEqual([])
    expect(calls.length).toBeLessThan(30)
    expect((await ask('acme', `${organizationsLedger}?perPage=2&page=2`)).calls).toEqual([])
  })
})

describe('a rule that wants facts younger than reading them takes', () => {
  it('is decided on what was read for who asks', async () => {
    cloud.devices = range(1300)
    cloud.instances = range(1300)
    cloud.delayMs = 500
    await start()
    const { status, meta, calls } = await ask('strict', ledger)
    expect([status, meta]).toMatchObject([200, { total: 650 }])
    expect(calls).toHaveLength(26)
  })
})

describe('the budget of calls for lists', () => {
  it('bounds look-ups of what a list names: 503 with Retry-After, never 413', async () => {
    cloud.devices = range(40)
    cloud.instances = range(40)
    await start('lists: { calls: 10 }')
    const headers = { authorization: `Bearer ${gate.tokens['site'] ?? ''}` }
    const given = await fetch(gate.url + ledger, { headers })
    expect(given.status).toBe(503)
    expect(Number(given.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(cloud.seen.length).toBeLessThanOrEqual(11)
  })
})

describe('events of devices that are gone', () => {
  it.each([
    ['a product', 'site', `/v1/products/${product}/events`],
    ['an organization', 'acme', `/v1/orgs/${organization}/events`],
  ])('keep no other event of %s from who may hear it', async (_, name, path) => {
    cloud.devices = range(100)
    await start()
    const heard = await listen(gate.url, path, gate.tokens[name])
    const publish = (n: number) =>
      cloud.stream?.write(`event: t\ndata: {"data":"1","coreid":"${idOf(n)}"}\n\n`)
    for (const n of range(40, 9000)) publish(n)
    await until(() => cloud.seen.length > 1)
    for (const n of odd(range(40))) {
      publish(n)
      // oxlint-disable-next-line no-await-in-loop -- each by itself, as devices speak
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => heard.events().length >= 20)
    publish(2)
    publish(9000)
    publish(41)
    await until(() => heard.events().length >= 21)
    expect(heard.events().map(({ data }) => Number.parseInt(JSON.parse(data).coreid, 16))).toEqual([
      ...odd(range(40)),
      41,
    ])
    heard.leave()
  })
})
