// A03: the gate is killed at any time, and no decision of a request that reached the cloud is lost.

import { mkdtemp, readFile, rm, writeFile, mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { Mistakes } from '../../src/lib/mistake.ts'
import { openParts } from '../../src/open-parts.ts'
import { commandLine, elsewhere } from '../kit/elsewhere.ts'
import { startGateProcess } from '../kit/gate-process.ts'
import type { AuditRow } from '../kit/start-gate.ts'

const runs = 4
const clients = 12
const device = '/v1/products/12345/devices/0123456789abcdef00000001'

let folder: string
let token: string
/** Names of variables and functions of requests that reached the upstream. */
let arrived: string[]
const upstream = createServer((request, response) => {
  arrived.push(request.url?.split('/').at(-1) ?? '')
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"result":1}')
})

beforeEach(async () => {
  arrived = []
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  folder = await mkdtemp(join(tmpdir(), 'fleetgate-sigkill-'))
  await mkdir(join(folder, 'policies'))
  await writeFile(join(folder, 'upstream-token'), 'c'.repeat(40), { mode: 0o600 })
  await writeFile(
    join(folder, 'policies', 'users.yaml'),
    `
users:
  limited:
    owner: field@acme.example
    product: 12345
    devices: { ids: [${device.split('/').at(-1)}] }
    rules: [{ can: [devices.variable:get, devices.function:call] }]
    expires: never
`,
  )
  const { port } = upstream.address() as AddressInfo
  const text = `
upstream: { url: 'http://127.0.0.1:${port}', credentials: { default: { file: upstream-token } } }
listen: { data: '127.0.0.1:0' }
audit: { wait: 10s }
`
  await writeFile(join(folder, 'fleetgate.yaml'), text)
  const loaded = loadConfig(text, join(folder, 'fleetgate.yaml'), {})
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  const [user] = openParts(loaded.config).set.users.values()
  if (user === undefined) throw new Error('no API user')
  const issued = await elsewhere(loaded.config, (tokens) => tokens.issue(user, commandLine))
  token = issued.token.reveal()
})

afterEach(async () => {
  upstream.closeAllConnections()
  await new Promise((resolve) => upstream.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

type Answer = { name: string; requestId: string; status: number }

/** Asks under a name of its own each time until the gate is gone; every fourth request changes something. */
async function load(port: number, prefix: string, answers: Answer[]): Promise<void> {
  for (let n = 0; ; n++) {
    const name = `${prefix}-${n}`
    try {
      const answer = await fetch(`http://127.0.0.1:${port}${device}/${name}`, {
        method: n % 4 === 0 ? 'POST' : 'GET',
        headers: { authorization: `Bearer ${token}` },
      })
      const { status, headers } = answer
      answers.push({ name, requestId: headers.get('x-request-id') ?? '', status })
      await answer.arrayBuffer()
    } catch {
      return
    }
  }
}

/** Whole lines only: the last one may be torn by the kill. */
async function rows(): Promise<AuditRow[]> {
  const text = await readFile(join(folder, 'audit', 'decisions.jsonl'), 'utf8')
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line): AuditRow => JSON.parse(line))
}

describe('SIGKILL under load', () => {
  it('A03 leaves a decision row of every request that reached the cloud and of every answer', async () => {
    const answers: Answer[] = []
    for (let run = 0; run < runs; run++) {
      await using gate = await startGateProcess(join(folder, 'fleetgate.yaml'))
      const before = arrived.length
      const under = Array.from({ length: clients }, (_, client) =>
        load(gate.port, `r${run}c${client}`, answers),
      )
      // Killed while requests are under way, at another place each time.
      const wanted = before + 20 + ((run * 139) % 400)
      await expect
        .poll(() => arrived.length, { interval: 1, timeout: 30_000 })
        .toBeGreaterThan(wanted)
      await gate.kill()
      await Promise.all(under)
      expect(await missing(answers)).toEqual([])
    }
    expect(answers.length).toBeGreaterThan(runs * 10)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))

    // It starts again on what is left, repairs a torn line, and the numbers go on without a gap.
    await using again = await startGateProcess(join(folder, 'fleetgate.yaml'))
    expect(again.port).toBeGreaterThan(0)
    const all = await rows()
    expect(all.map((row) => row['seq'])).toEqual(all.map((_, index) => index + 1))
    expect(await missing(answers)).toEqual([])
  })
})

/** What has no allow row: names the upstream saw, and ids the clients saw. */
async function missing(answers: readonly Answer[]): Promise<string[]> {
  const allowed = (await rows()).filter((row) => row['decision'] === 'allow')
  const names = new Set(allowed.map((row) => String(row['target']).split('/').at(-1)))
  const ids = new Set(allowed.map((row) => row['request_id']))
  return [
    ...arrived.filter((name) => !names.has(name)),
    ...answers.filter(({ requestId }) => !ids.has(requestId)).map(({ requestId }) => requestId),
  ]
}
