// Limits after a restart of the gate: what was used up of a long window stays so, on either store.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { Mistakes } from '../../src/lib/mistake.ts'
import { startGate } from '../../src/server.ts'
import { invoke } from '../kit/cli.ts'
import { callWith, storeKinds, storeLines } from '../kit/operated-gate.ts'

const product = 12345

const own = (name: string, lines: string) => `
  ${name}:
    owner: ${name}@acme.example
    product: ${product}
    devices: all
    expires: never
    ${lines}`

const users = `users:${[
  own('hourly', 'rules: [{ can: devices:get, limit: { calls: 2, per: 1h } }]'),
  own('rated', 'rate: { calls: 3, per: 24d }\n    rules: [{ can: devices:get }]'),
  own('quick', 'rules: [{ can: devices:get, limit: { calls: 1, per: 10m } }]'),
].join('')}\n`

describe.each(storeKinds)('a gate that was started anew, on %s', (kind) => {
  let store: Awaited<ReturnType<typeof storeLines>>
  let cloud: DeviceCloud
  let folder: string
  let config: Config
  let tokens: Record<string, string>
  let path: string
  let boots: number

  beforeEach(async () => {
    store = await storeLines(kind)
    cloud = await startDeviceCloud({ eventIntervalMs: 0, devices: 1, heartbeatIntervalMs: 60_000 })
    path = `/v1/products/${product}/devices/${String(cloud.fleet.devices(product)[0]?.['id'])}`
    folder = await mkdtemp(join(tmpdir(), 'fleetgate-restart-'))
    await mkdir(join(folder, 'policies'))
    await writeFile(join(folder, 'policies', 'users.yaml'), users)
    await writeFile(join(folder, 'upstream-token'), cloud.token, { mode: 0o600 })
    const file = join(folder, 'fleetgate.yaml')
    const text = `upstream: { url: ${cloud.url}, credentials: { default: { file: upstream-token } } }
listen: { data: '127.0.0.1:0' }
${store.lines}`
    await writeFile(file, text)
    const loaded = loadConfig(text, file, {})
    if (!loaded.ok) throw new Mistakes(loaded.mistakes)
    config = loaded.config
    tokens = {}
    for (const name of ['hourly', 'rated', 'quick']) {
      // oxlint-disable-next-line no-await-in-loop -- one writer
      tokens[name] = (await invoke(['token', 'mint', name, '--config', file])).out.trim()
    }
    boots = 0
  })

  afterEach(async () => {
    await cloud.close()
    await rm(folder, { recursive: true })
    await store[Symbol.asyncDispose]()
  })

  /** One life of the gate: what it answers to so many calls of each. */
  async function live(calls: Readonly<Record<string, number>>, replica = 'g1') {
    boots += 1
    const lines: string[] = []
    const audit = { ...config.audit, folder: join(folder, `boot-${boots}`) }
    const log = createLog({ write: (line) => void lines.push(line), clock: systemClock })
    await using gate = await startGate({ ...config, audit, replica }, { clock: systemClock, log })
    const statuses: Record<string, number[]> = {}
    for (const [user, times] of Object.entries(calls)) {
      statuses[user] = []
      for (let n = 0; n < times; n++) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other is what is counted
        const { status } = await callWith(gate.url, path, tokens[user] ?? '')
        statuses[user].push(status)
      }
    }
    return { statuses, said: lines.join('') }
  }

  it('counts long windows on, says so, and begins short ones anew', async () => {
    const before = await live({ hourly: 1, rated: 3, quick: 2 })
    expect(before.statuses).toEqual({ hourly: [200], rated: [200, 200, 200], quick: [200, 429] })
    expect(before.said).not.toContain('counted on')
    cloud.clear()
    const after = await live({ hourly: 2, rated: 1, quick: 1 })
    expect(after.statuses).toEqual({ hourly: [200, 429], rated: [429], quick: [200] })
    expect(after.said).toContain('"limits":2')
    expect(cloud.requests().filter(({ url }) => url === path)).toHaveLength(2)
    const again = await live({ hourly: 1, rated: 1 })
    expect(again.statuses).toEqual({ hourly: [429], rated: [429] })
  })

  it('counts for itself: another name has counts of its own', async () => {
    expect((await live({ hourly: 3 })).statuses).toEqual({ hourly: [200, 200, 429] })
    expect((await live({ hourly: 1 }, 'g2')).statuses).toEqual({ hourly: [200] })
  })
})
