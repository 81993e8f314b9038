/** Whatever an API user that is limited to some devices reads, no other device leaves a trace in any answer. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'
import { forEachOf } from './batch.ts'
import { askCloud, idOf, listOf, readWorld, type Item } from './world.ts'

/** What tells one device from another, under whatever key or inside whatever text an answer has it. */
const marks = ['id', 'name', 'serial_number', 'iccid', 'imei', 'mobile_secret']

let cloud: DeviceCloud
let gate: TestGate
let own: readonly Item[]
let foreign: readonly Item[]
let integration: string

beforeAll(async () => {
  cloud = await startDeviceCloud({ devices: 60, eventIntervalMs: 0 })
  for (const { id } of cloud.fleet.devices(12345)) {
    cloud.setDevice(String(id), { name: `called-${String(id)}` })
  }
  const ids = cloud.fleet.devices(12345).map(idOf)
  const mine = ids.slice(1, 4)
  for (const id of ids) cloud.setDevice(id, { groups: [mine.includes(id) ? 'site-1' : 'site-2'] })
  const { products } = await readWorld(cloud)
  const devices = products.flatMap((product) => product.devices)
  own = devices.filter((device) => mine.includes(idOf(device)))
  foreign = devices.filter((device) => !mine.includes(idOf(device)))
  const webhooks: unknown = await askCloud(cloud, '/v1/products/12345/integrations')
  integration = String(listOf(Object.values(Object(webhooks)))[0]?.['id'])
  const user = {
    owner: 'o@acme.example',
    never: true,
    product: '12345',
    rules: [{ can: [...new Set(routes().flatMap(({ actions }) => actions))] }],
  }
  const users = {
    'by-id': { ...user, devices: mine },
    'by-group': { ...user, devices: { groups: { $any: ['site-1'] } } },
  }
  gate = await startTestGate({ upstream: cloud, policies: { 'p.yaml': JSON.stringify({ users }) } })
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

describe('an API user that may read everything, of three devices', () => {
  it.each(['by-id', 'by-group'])(
    'limited %s, meets no other device',
    async (user) => {
      const leaks: string[] = []
      const answered = { own: 0, foreign: 0 }
      const named = routes().flatMap(({ path }) => [
        { path: filledIn(path, own[1]), whose: 'own' as const },
        { path: filledIn(path, foreign[5]), whose: 'foreign' as const },
      ])
      await forEachOf(named, async ({ path, whose }) => {
        const answer = await fetch(gate.url + path, {
          headers: { authorization: `Bearer ${gate.tokens[user]}` },
        })
        const text = [await answer.text(), ...answer.headers.values()].join('\n')
        if (answer.status >= 500 && answer.status !== 502) leaks.push(`${path}: ${answer.status}`)
        const seen = foreign.find((device) => marksOf(device).some((mark) => text.includes(mark)))
        if (seen !== undefined) leaks.push(`${path}: ${idOf(seen)} in ${text.slice(0, 200)}`)
        if (own.some((device) => text.includes(idOf(device)))) answered[whose] += 1
      })
      expect(leaks).toEqual([])
      expect(answered.own).toBeGreaterThan(8)
    },
    30_000,
  )
})

type Route = { path: string; actions: string[] }

/** Every GET of the table of the cloud's endpoints that the gate serves, but for streams. */
function routes(): Route[] {
  const file = join(import.meta.dirname, '..', 'kit', 'particle-endpoints.jsonl')
  const rows = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return rows.flatMap((row) => {
    const { method, forms }: { method: string; forms: Record<string, string | string[]> } =
      JSON.parse(row)
    if (method !== 'GET') return []
    return Object.entries(forms).flatMap(([path, action]) => {
      const actions = [action].flat().filter((name) => !/^(refused|self:|events:)/.test(name))
      return actions.length === 0 ? [] : [{ path, actions }]
    })
  })
}

function filledIn(path: string, device: Item | undefined): string {
  const id = String(device?.['id'])
  const known: Readonly<Record<string, string>> = {
    productIdOrSlug: '12345',
    orgIdOrSlug: 'acme',
    deviceId: id,
    scopeValue: id,
    iccid: String(device?.['iccid']),
    varName: 'temperature',
    groupName: 'site-1',
    ledgerName: 'device-config',
    integrationId: integration,
  }
  return path.replaceAll(/:(\w+)/g, (_, name: string) => known[name] ?? '1')
}

/** A request names the foreign device itself: only what it did not name is a trace. */
function marksOf(device: Item): string[] {
  return marks.flatMap((key) => (typeof device[key] === 'string' ? [device[key]] : []))
}
