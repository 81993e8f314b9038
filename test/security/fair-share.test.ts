// One API user asks for all that the gate has to give, of connections to the cloud and of memory: the others hardly notice.

import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startHoldingCloud, type HoldingCloud } from '../kit/holding-cloud.ts'
import { until } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const theirs = '0123456789abcdef00000001'
const mine = '0123456789abcdef00000009'
const at = (device: string) => `/v1/products/1337/devices/${device}`
const policies = {
  'users.yaml': `
users:
  flood:
    owner: a@b.c
    product: 1337
    devices: [${theirs}]
    rules:
      - can: [devices.function:call, devices:update.flash, devices:get]
    expires: never
  other:
    owner: a@b.c
    product: 1337
    devices: [${mine}]
    rules:
      - can: [devices:get, devices:update.name]
    expires: never
`,
}

let cloud: HoldingCloud
let gate: TestGate
let large = ''
const sockets: Socket[] = []

beforeEach(async () => {
  large = ''
  cloud = await startHoldingCloud(() => `{"id":"${theirs}","product_id":1337,"notes":"${large}"}`)
  gate = await start('60s')
})

function start(unread: string): Promise<TestGate> {
  return startTestGate({
    ...{ upstream: cloud, policies },
    bounds: ['connections: 8', 'streams: 8', 'queue: 16'],
    config: `timeouts: { unread: ${unread} }\nlimits: { unread: 40MB }`,
  })
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  cloud.letGo()
  await gate[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

type Said = { status: number; text: string; retryAfter: string | undefined }

function call(user: 'flood' | 'other', method: string, path: string, body = ''): Promise<Said> {
  const headers = {
    authorization: `Bearer ${gate.tokens[user]}`,
    ...(body !== '' && { 'content-type': 'application/json', 'content-length': body.length }),
  }
  return new Promise((resolve, reject) => {
    const { port } = gate
    const asked = request({ port, method, path, headers, agent: false }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => void pieces.push(piece))
      answer.on('end', () => {
        const text = Buffer.concat(pieces).toString()
        const retryAfter = answer.headers['retry-after']
        resolve({ status: answer.statusCode ?? 0, text, retryAfter })
      })
    })
    asked.on('error', reject).end(body)
  })
}

const blink = () => call('flood', 'POST', `${at(theirs)}/blink`, '{"arg":"x"}')

async function endings(user: string): Promise<Record<string, number>> {
  const ids = new Set<unknown>()
  for (const row of await gate.decisions()) if (row['user'] === user) ids.add(row['request_id'])
  const found: Record<string, number> = {}
  for (const { request_id: id, ended } of await gate.outcomes()) {
    if (ids.has(id)) found[String(ended)] = (found[String(ended)] ?? 0) + 1
  }
  return found
}

function open(head: string, more = ''): Socket {
  const socket = connect(gate.port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  socket.write(
    `${head} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${gate.tokens['flood']}\r\n`,
  )
  socket.write(`${more}\r\n`)
  return socket
}

describe('connections to the cloud', () => {
  it('are not all had by one API user, however many slow calls it makes (A17)', async () => {
    const slow = Array.from({ length: 12 }, blink)
    await until(() => cloud.changes().length === 6)
    expect(await call('other', 'GET', at(mine))).toMatchObject({ status: 200 })
    expect(cloud.changes()).toHaveLength(6)
    expect(cloud.arrived.filter(({ method }) => method === 'GET')).toHaveLength(1)
    cloud.letGo()
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(Array(12).fill(200))
    expect(cloud.changes()).toHaveLength(12)
    expect(await endings('flood')).toEqual({ answered: 12 })
    expect(await endings('other')).toEqual({ answered: 1 })
  })

  it('have no room in their queue for one who has most of it: 429, and the others are served (A17)', async () => {
    const slow = Array.from({ length: 12 }, blink)
    await until(() => cloud.changes().length === 6)
    // The queue is known to be full from the first refusal on.
    let refused = await Promise.race([...slow, blink()])
    expect(refused).toMatchObject({ status: 429, retryAfter: '1' })
    refused = await blink()
    expect(refused).toMatchObject({ status: 429, retryAfter: '1' })
    expect(await call('other', 'GET', at(mine))).toMatchObject({ status: 200 })
    cloud.letGo()
    await Promise.all(slow)
    expect(cloud.changes()).toHaveLength(12)
    expect(await endings('flood')).toEqual({ answered: 12, too_many_calls: 2 })
  })

  it('are not all had by one API user’s uploads either (A17)', async () => {
    const type = 'Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000000\r\n'
    const part =
      '--B\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
    for (let upload = 0; upload < 10; upload += 1) {
      open(`PUT ${at(theirs)}`, type).write(part + 'x'.repeat(200_000))
    }
    await until(() => cloud.changes().length === 6)
    cloud.letGo()
    expect(await call('other', 'PUT', at(mine), '{"name":"n"}')).toMatchObject({ status: 200 })
    const uploads = cloud.changes().filter(({ path }) => path.endsWith(theirs))
    expect(uploads.map(({ state }) => state)).toEqual(Array(6).fill('open'))
    expect(await endings('other')).toEqual({ answered: 1 })
    for (const socket of sockets.splice(0)) socket.resetAndDestroy()
    await until(() => uploads.every(({ state }) => state === 'broken off'))
    expect(await endings('flood')).toEqual({ client_gone: 10 })
  })
})

describe('answers that nobody reads', () => {
  const get = () => open(`GET ${at(theirs)}`)

  async function beImpatient(): Promise<void> {
    await gate[Symbol.asyncDispose]()
    gate = await start('1s')
  }

  it('are broken off when nothing of them is taken for a while (A18)', async () => {
    await beImpatient()
    large = 'n'.repeat(16_000_000)
    const socket = get()
    socket.pause()
    await until(() => cloud.arrived.length === 1)
    const closed = () => gate.outcomes().then((rows) => rows.length > 0)
    // oxlint-disable-next-line no-await-in-loop -- until it is recorded
    while (!(await closed())) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await gate.outcomes()).toMatchObject([
      { ended: 'slow_reader', status: 200, upstream_status: 200 },
    ])
  })

  it('and those that are read slowly arrive whole (A18)', async () => {
    await beImpatient()
    large = 'n'.repeat(16_000_000)
    const socket = get()
    let bytes = 0
    const slowly = setInterval(() => socket.resume(), 100)
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length
      // About two megabytes a round, so that it takes longer than the limit.
      if (Math.floor(bytes / 2e6) !== Math.floor((bytes - piece.length) / 2e6)) socket.pause()
    })
    await until(() => bytes > 16_000_000)
    clearInterval(slowly)
    expect(await gate.outcomes()).toMatchObject([{ ended: 'answered', status: 200 }])
  })

  it('take a part of the memory, and beyond it the cloud is not even asked (A18)', async () => {
    large = 'n'.repeat(16_000_000)
    get().pause()
    await until(() => cloud.arrived.length === 1)
    // The first is held as soon as a second is refused for it.
    let refused: Said
    do {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      refused = await call('flood', 'GET', at(theirs))
    } while (refused.status === 200)
    expect(refused).toMatchObject({ status: 429, retryAfter: '5' })
    const asked = cloud.arrived.length
    expect(await call('flood', 'GET', at(theirs))).toMatchObject({ status: 429 })
    expect(cloud.arrived).toHaveLength(asked)
    large = ''
    expect(await call('other', 'GET', at(mine))).toMatchObject({ status: 200 })
    expect(await endings('flood')).toMatchObject({ too_much_unread: 2 })
  })
})
