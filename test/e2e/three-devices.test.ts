// What an API user limited to three devices can and cannot do, end to end, over real sockets.

import request from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { traces } from '../kit/invariant.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

let cloud: DeviceCloud
let gate: TestGate
let mine: string[]
let other: string

beforeAll(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0 })
  const ids = cloud.fleet.devices(12345).map(({ id }) => String(id))
  mine = ids.slice(0, 3)
  other = ids[3] ?? ''
  gate = await startTestGate({
    upstream: cloud,
    policies: {
      'fleet.yaml': `
roles:
  technician:
    description: Works on listed devices.
    rules:
      - can: [devices:get]
      - can: devices.function:call
        functions: [reboot, blink]
users:
  technician:
    owner: field@acme.example
    product: 12345
    devices: { ids: [${mine.join(', ')}] }
    roles: [technician]
    lifetime: 90d
`,
    },
  })
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

/** An answer as supertest reads it: header names in lower case, the body as its text. */
async function ask(method: 'GET' | 'POST', path: string, body?: object) {
  const call = request(gate.url)[method === 'GET' ? 'get' : 'post'](path)
  const answer = await call.set('authorization', `Bearer ${gate.tokens['technician']}`).send(body)
  const headers: Record<string, string | undefined> = answer.headers
  return { status: answer.status, headers, text: answer.text }
}

describe('an API user limited to three devices', () => {
  it('calls a granted function on its own device, and on no other', async () => {
    cloud.clear()
    const allowed = await ask('POST', `/v1/products/12345/devices/${mine[0]}/reboot`, { args: '' })
    const foreign = await ask('POST', `/v1/products/12345/devices/${other}/reboot`, { args: '' })
    const absent = await ask('POST', `/v1/products/12345/devices/${'f'.repeat(24)}/reboot`, {
      args: '',
    })
    const ungranted = await ask('POST', `/v1/products/12345/devices/${mine[0]}/unlock`, {
      args: '',
    })
    const elsewhere = await ask('GET', '/v1/products/67890')
    expect([allowed, foreign, absent, ungranted, elsewhere].map(({ status }) => status)).toEqual([
      200, 403, 403, 403, 403,
    ])
    expect(JSON.parse(allowed.text)).toMatchObject({ id: mine[0], connected: true })

    const seen = cloud.requests()
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `POST /v1/products/12345/devices/${mine[0]}/reboot`,
    ])
    const [only] = seen
    expect(only?.rawHead).toContain(`Bearer ${cloud.token}`)
    expect(only?.rawHead).not.toContain(gate.tokens['technician'])
    expect(only?.body).not.toContain(gate.tokens['technician'])
  })

  it('is told the same of a foreign, an absent and an outside device, byte for byte', async () => {
    cloud.clear()
    const answers = await Promise.all(
      [other, 'f'.repeat(24), cloud.fleet.devices(67890)[0]?.['id']].map((id) =>
        ask('GET', `/v1/products/12345/devices/${id}`),
      ),
    )
    const bare = answers.map(({ status, headers, text }) => {
      const { 'x-request-id': _, date: __, ...rest } = headers
      return { status, rest, text }
    })
    expect(bare[1]).toEqual(bare[0])
    expect(bare[2]).toEqual(bare[0])
    expect(bare[0]?.text).not.toMatch(/access.token/i)
    expect(cloud.requests()).toEqual([])
  })

  it('keeps one record for each request, found by the id in the answer', async () => {
    const before = await traces(gate)
    const answers = [
      await ask('GET', `/v1/products/12345/devices/${mine[0]}`),
      await ask('GET', `/v1/products/12345/devices/${other}`),
      await ask('GET', '/v1/nowhere'),
      await ask('GET', '/v1/products/12345/devices/..%2f..'),
    ]
    const unknown = await fetch(`${gate.url}/v1/products/12345`)
    const after = await traces(gate)
    expect(after.total - before.total).toBe(5)
    const byId = new Map(after.decisions.map((row) => [row['request_id'], row]))
    const rows = answers.map(({ headers }) => byId.get(headers['x-request-id']))
    expect(rows.map((row) => row?.['decision'])).toEqual(['allow', 'deny', 'deny', undefined])
    expect(rows.map((row) => row?.['reason'])).toEqual([
      undefined,
      'outside_devices',
      'unmapped_route',
      undefined,
    ])
    const rejected = after.rejects.map((row) => row['request_id'])
    expect(rejected).toContain(answers[3]?.headers['x-request-id'])
    expect(rejected).toContain(unknown.headers.get('x-request-id'))
  })
})
