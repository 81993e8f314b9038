// Every decision names its revision; the log says which commit of the policy folder that was.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { traces } from '../kit/invariant.ts'
import { parseLines, startTestGate, type TestGate } from '../kit/start-gate.ts'

const users = (scopes: string) => `
users:
  reader:
    owner: web@acme.example
    product: 12345
    devices: all
    scopes: [${scopes}]
    expires: never
`
const first = 'a'.repeat(40)
const second = 'b'.repeat(40)

let cloud: DeviceCloud
let gate: TestGate

beforeAll(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0 })
  gate = await startTestGate({
    upstream: cloud,
    policies: { '.git/HEAD': `${first}\n`, 'users.yaml': users('products:get') },
  })
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

async function ask(): Promise<number> {
  const headers = { authorization: `Bearer ${gate.tokens['reader']}` }
  return (await fetch(`${gate.url}/v1/products/12345`, { headers })).status
}

it('tells the commit of every revision that decided, at start and after a change', async () => {
  expect(await ask()).toBe(200)
  await gate.writePolicy('.git/HEAD', `${second}\n`)
  await gate.writePolicy('users.yaml', users('devices:get'))
  await gate.reload()
  expect(await ask()).toBe(403)

  const { decisions, total } = await traces(gate)
  expect(total).toBe(2)
  const text = await readFile(join(gate.config.audit.folder, 'decisions.jsonl'), 'utf8')
  const loaded = parseLines(text).filter((row) => row['event'] === 'policies_loaded')
  expect(loaded.map((row) => row['data'])).toEqual([
    { revision: decisions[0]?.['revision'], users: 1, commit: first },
    { revision: decisions[1]?.['revision'], users: 1, commit: second },
  ])
  expect(decisions[0]?.['revision']).not.toBe(decisions[1]?.['revision'])
})
