// A call is accepted, and its right ends before the cloud has it whole: nothing more of it goes up.

import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startHoldingCloud, type HoldingCloud } from '../kit/holding-cloud.ts'
import { anOperator, bothPorts, operate, type Operated } from '../kit/operated-gate.ts'
import { until } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const device = '0123456789abcdef00000001'
const policy = (can: string) => `
users:
  u:
    owner: a@b.c
    product: 1337
    devices: all
    rules:
      - can: [${can}]
    expires: never
`
const both = 'devices.function:call, firmware:create'

let cloud: HoldingCloud
let gate: TestGate
let operator: Operated

beforeEach(async () => {
  cloud = await startHoldingCloud(() => '{}')
  gate = await startTestGate({
    upstream: cloud,
    policies: { 'users.yaml': policy(both) },
    bounds: ['connections: 4', 'streams: 4', 'queue: 100'],
    config: bothPorts,
  })
  operator = operate(gate.adminUrl, await anOperator(gate, 'olga', 'owner'))
})

afterEach(async () => {
  cloud.letGo()
  await gate[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

const ends = {
  revoked: {
    end: () => operator('DELETE', '/api/users/u/token'),
    ...{ status: 401, ended: 'invalid_token' },
  },
  suspended: {
    end: () => operator('POST', '/api/users/u/suspend', { because: 'stolen' }),
    ...{ status: 403, ended: 'suspended' },
  },
  'taken out of the policies': {
    async end() {
      await gate.writePolicy('users.yaml', policy('devices:get'))
      await gate.reload()
    },
    ...{ status: 403, ended: 'forbidden' },
  },
}

async function endings(): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const { ended } of await gate.outcomes()) {
    found[String(ended)] = (found[String(ended)] ?? 0) + 1
  }
  return found
}

describe('calls that wait for a connection', () => {
  function blink(): Promise<number> {
    const headers = {
      authorization: `Bearer ${gate.tokens['u']}`,
      ...{ 'content-type': 'application/json', 'content-length': 11 },
    }
    const path = `/v1/products/1337/devices/${device}/blink`
    return new Promise((resolve, reject) => {
      const { port } = gate
      const asked = request({ port, method: 'POST', path, headers, agent: false }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
      })
      asked.on('error', reject).end('{"arg":"x"}')
    })
  }

  async function queued(): Promise<Promise<number>[]> {
    const calls = Array.from({ length: 10 }, blink)
    await until(() => cloud.changes().length === 3)
    // All of them are decided, and the rest of them waits.
    while ((await gate.decisions()).length < 10);
    return calls
  }

  it.each(Object.entries(ends))(
    'do not go up once their right was %s (A19)',
    async (_, { end, status, ended }) => {
      const calls = await queued()
      await end()
      cloud.letGo()
      const refused = Array<number>(7).fill(status)
      expect(await Promise.all(calls)).toEqual(expect.arrayContaining([200, 200, 200, ...refused]))
      expect(cloud.changes()).toHaveLength(3)
      expect(await endings()).toEqual({ answered: 3, [ended]: 7 })
    },
  )

  it('go up where their right is as it was, under other policies too (A19)', async () => {
    const calls = await queued()
    await gate.writePolicy('users.yaml', policy(`${both}, devices:get`))
    await gate.reload()
    cloud.letGo()
    expect(await Promise.all(calls)).toEqual(Array(10).fill(200))
    expect(cloud.changes()).toHaveLength(10)
    expect(await endings()).toEqual({ answered: 10 })
  })
})

describe('an upload', () => {
  const head =
    '--B\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
  const rest = '\r\n--B--\r\n'
  const half = 100_000

  async function begun(): Promise<{ socket: Socket; got: () => string }> {
    const socket = connect(gate.port, '127.0.0.1')
    let text = ''
    socket.on('data', (piece: Buffer) => {
      text += piece.toString()
    })
    socket.on('error', () => undefined)
    const length = head.length + 2 * half + rest.length
    socket.write(
      `POST /v1/products/1337/firmware HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${gate.tokens['u']}\r\n` +
        `Content-Type: multipart/form-data; boundary=B\r\nContent-Length: ${length}\r\n\r\n${head}${'x'.repeat(half)}`,
    )
    await until(() => (cloud.changes()[0]?.bytes ?? 0) > 0)
    return { socket, got: () => text }
  }

  it.each(Object.entries(ends))(
    'ends within the bound when its right is %s (A20)',
    async (_, { end, status, ended }) => {
      const { socket, got } = await begun()
      await end()
      await until(() => got().startsWith(`HTTP/1.1 ${status}`), 2_000)
      await until(() => cloud.changes()[0]?.state === 'broken off', 2_000)
      socket.write('x'.repeat(half) + rest)
      await until(() => socket.closed)
      expect(cloud.changes()).toMatchObject([{ state: 'broken off' }])
      expect(cloud.changes()[0]?.bytes).toBeLessThan(head.length + half + 1)
      expect(await endings()).toEqual({ [ended]: 1 })
    },
  )

  it('arrives whole where its right is as it was, under other policies too (A20)', async () => {
    const { socket, got } = await begun()
    cloud.letGo()
    await gate.writePolicy('users.yaml', policy(`${both}, devices:get`))
    await gate.reload()
    await new Promise((resolve) => setTimeout(resolve, 600))
    socket.write('x'.repeat(half) + rest)
    await until(() => got().startsWith('HTTP/1.1 200'))
    expect(cloud.changes()).toMatchObject([{ state: 'whole' }])
    expect(await endings()).toEqual({ answered: 1 })
    socket.destroy()
  })
})
