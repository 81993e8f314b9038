// Look-ups cost the cloud's quota too: whose part it is, and what denied tries leave to others.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { traces } from '../kit/invariant.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const place = '/v1/products/12345'
let cloud: DeviceCloud
let gate: TestGate
let own: string
let mine: string
let foreign: string
let calls: number

beforeEach(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, heartbeatIntervalMs: 60_000 })
  calls = 0
  const sims = await simsOfCloud()
  const [first, second] = sims
  own = String(first?.['last_device_id'])
  mine = String(first?.['iccid'])
  foreign = String(second?.['iccid'])
})

afterEach(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

async function simsOfCloud(): Promise<Readonly<Record<string, unknown>>[]> {
  const headers = { authorization: `Bearer ${cloud.token}` }
  const answer = await fetch(`${cloud.url}${place}/sims?per_page=100`, { headers })
  const { sims } = Object(await answer.json())
  return sims.filter((sim: object) => 'last_device_id' in sim)
}

async function start(rations: string): Promise<void> {
  const user = (name: string) => `
  ${name}:
    owner: ${name}@acme.example
    product: 12345
    devices: ['${own}']
    rules: [{ can: [devices:get, sims:update] }]
    expires: never`
  gate = await startTestGate({
    upstream: cloud,
    policies: { 'users.yaml': `users:${user('quiet')}${user('greedy')}\n` },
    quota: '{ calls: 100, per: 1h, reserve: 10 }',
    config: `rations: { unknown_lookups: ${rations} }`,
  })
}

async function call(user: string, method: string, path: string): Promise<number> {
  calls += 1
  const headers = {
    authorization: `Bearer ${gate.tokens[user]}`,
    ...(method === 'PUT' && { 'content-type': 'application/json' }),
  }
  const body = method === 'PUT' ? '{"action":"deactivate"}' : null
  const answer = await fetch(gate.url + place + path, { method, headers, body })
  await answer.arrayBuffer()
  return answer.status
}

async function writes(user: string, sim: string, times: number): Promise<number[]> {
  const all: number[] = []
  // oxlint-disable-next-line no-await-in-loop -- one after the other is what is counted
  for (let i = 0; i < times; i += 1) all.push(await call(user, 'PUT', `/sims/${sim}`))
  return all
}

const times = (all: readonly number[], status: number) => all.filter((one) => one === status).length
const read = (user: string) => call(user, 'GET', `/devices/${own}`)
/** What came to the cloud since the gate began. */
const seen = (sim: string) => {
  const of = cloud.requests().filter(({ url }) => url === `${place}/sims/${sim}`)
  return {
    lookUps: times(
      of.map(({ method }) => (method === 'GET' ? 1 : 0)),
      1,
    ),
    all: of.length,
  }
}

describe('denied writes to a SIM of somebody else', () => {
  it('cost the ration each, for each is looked up anew, and then nothing more', async () => {
    await start('5')
    const answers = await writes('greedy', foreign, 20)
    expect(answers.slice(0, 5)).toEqual([403, 403, 403, 403, 403])
    expect(times(answers, 429)).toBe(15)
    expect(seen(foreign)).toEqual({ lookUps: 5, all: 5 })
    expect(await writes('greedy', mine, 1)).toEqual([429])
    expect(await writes('quiet', mine, 1)).toEqual([200])
    const { decisions, total } = await traces(gate)
    expect(total).toBe(calls)
    expect(decisions.map(({ reason }) => reason)).toContain('rationed')
    expect(
      times(
        decisions.map(({ decision }) => (decision === 'allow' ? 1 : 0)),
        1,
      ),
    ).toBe(1)
  })

  it('cost the quota of who tries, and leave the others theirs', async () => {
    await start('100000')
    expect(await read('quiet')).toBe(200)
    const answers = await writes('greedy', foreign, 150)
    expect(answers[0]).toBe(403)
    expect(answers.at(-1)).toBe(429)
    expect(times(answers, 403)).toBeLessThan(80)
    expect(seen(foreign)).toEqual({ lookUps: times(answers, 403), all: times(answers, 403) })
    expect(await read('greedy')).toBe(429)
    expect(await read('quiet')).toBe(200)
    expect(await writes('quiet', mine, 1)).toEqual([200])
    const { decisions, total } = await traces(gate)
    expect(total).toBe(calls)
    expect(decisions.at(-1)).toMatchObject({ user: 'quiet', decision: 'allow' })
  })

  it('cost nothing where they are of one’s own, however many they are', async () => {
    await start('1')
    expect(times(await writes('greedy', mine, 20), 200)).toBe(20)
    expect(seen(mine)).toEqual({ lookUps: 20, all: 40 })
    const { decisions, total } = await traces(gate)
    expect(total).toBe(calls)
    expect(decisions.every(({ decision }) => decision === 'allow')).toBe(true)
  })
})
