// SIM cards, ledger instances and bulk requests of an API user that is limited to a group, against the simulated cloud.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = '12345'
const place = `/v1/products/${product}`
let cloud: DeviceCloud
let gate: TestGate
let site: string[]
let rest: string[]

beforeAll(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, heartbeatIntervalMs: 50 })
  const fleet = cloud.fleet.devices(Number(product))
  const idsOf = (rows: typeof fleet) => rows.map((row) => String(row['id']))
  site = idsOf(fleet.filter((row) => String(row['groups']).includes('site-7')))
  rest = idsOf(fleet).filter((id) => !site.includes(id))
  gate = await startTestGate({
    upstream: cloud,
    policies: {
      'users.yaml': `
users:
  partner:
    owner: partner@acme.example
    product: ${product}
    devices: { groups: { $any: [site-7] } }
    rules:
      - can: [sims:get, sims.usage:get.sim, ledger.instances:get, ledger.instances:set]
      - can: [devices:import.ids, devices:import.file, devices:update.groups]
    expires: never
`,
    },
  })
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

type Json = Readonly<Record<string, unknown>>

async function ask(
  base: string,
  token: string,
  method: string,
  path: string,
  body?: string | FormData,
) {
  const json = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
  const headers = { authorization: `Bearer ${token}`, ...json }
  const answer = await fetch(base + path, {
    method,
    headers,
    ...(body !== undefined && { body }),
  })
  const text = await answer.text()
  const parsed: Json = text === '' ? {} : JSON.parse(text)
  return { status: answer.status, body: parsed }
}

const partner = (method: string, path: string, body?: string | FormData) =>
  ask(gate.url, gate.tokens['partner'] ?? '', method, path, body)

async function simsOf(devices: readonly string[]): Promise<string[]> {
  const { body } = await ask(cloud.url, cloud.token, 'GET', `${place}/sims?per_page=100`)
  const sims = Array.isArray(body['sims']) ? (body['sims'] as Json[]) : []
  return sims
    .filter((sim) => devices.includes(String(sim['last_device_id'])))
    .map((sim) => String(sim['_id'] ?? sim['iccid']))
}

describe('an API user that is limited to a group', () => {
  it('reads the SIM cards of its devices and of no others', async () => {
    const [own, foreign] = [await simsOf(site), (await simsOf(rest)).slice(0, 10)]
    expect([own.length > 3, foreign.length]).toEqual([true, 10])
    const statuses = async (iccids: readonly string[]) => {
      const answers = await Promise.all(iccids.map((one) => partner('GET', `${place}/sims/${one}`)))
      return new Set(answers.map(({ status }) => status))
    }
    expect(await statuses(own)).toEqual(new Set([200]))
    expect(await statuses(foreign)).toEqual(new Set([403]))
    expect(await statuses(['8901410312345999999'])).toEqual(new Set([403]))
    expect((await partner('GET', `${place}/sims/${own[0]}/data_usage`)).status).toBe(200)
    expect((await partner('GET', `${place}/sims/${foreign[0]}/data_usage`)).status).toBe(403)
  })

  it('writes and reads the ledger instances of its devices and of no others', async () => {
    const instance = (id: string) => `${place}/ledgers/device-config/instances/${id}`
    const body = JSON.stringify({ instance: { data: { a: 1 } } })
    const [own = '', foreign = ''] = [site[0], rest[0]]
    expect((await partner('PUT', instance(own), body)).status).toBe(201)
    expect((await partner('GET', instance(own))).body).toMatchObject({
      instance: { data: { a: 1 } },
    })
    expect((await partner('PUT', instance(foreign), body)).status).toBe(403)
    expect((await partner('GET', instance(foreign))).status).toBe(403)
  })

  it('imports a file of its devices, whole or not at all', async () => {
    const file = (ids: readonly string[]) => {
      const form = new FormData()
      form.append('file', new Blob([ids.join('\n')], { type: 'text/plain' }), 'ids.txt')
      return form
    }
    const post = (ids: readonly string[]) => partner('POST', `${place}/devices`, file(ids))
    const own = await post(site)
    expect(own).toMatchObject({ status: 200, body: { existingDeviceIds: site } })
    const mixed = await post([...site, rest[0] ?? ''])
    expect(mixed.status).toBe(403)
    // It is not in the product yet: no group can say that it is theirs.
    expect((await post(['ffffffffffffffffffffffff'])).status).toBe(403)
  })

  it('moves no device into its own group', async () => {
    const body = (id = '') =>
      JSON.stringify({ action: 'groups', devices: [id], metadata: { add: ['site-7'] } })
    expect((await partner('PUT', `${place}/devices`, body(rest[0]))).status).toBe(403)
    expect((await partner('PUT', `${place}/devices`, body(site[0]))).status).toBe(403)
  })
})
