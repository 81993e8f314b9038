/** One product stream of thousands of events a second to hundreds of clients, each entitled to a hundredth of the devices. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gateArgument, tokenOf } from './gate-argument.ts'
import { program } from './paths.ts'
import type { Percentiles } from './percentiles.ts'
import { cpuMs, residentMb, startService } from './processes.ts'

export type Streams = {
  clients: number
  apiUsers: number
  devices: number
  perSecond: number
  seconds: number
  /** Events that had to reach clients, and events that did. */
  due: number
  received: number
  /** Devices of clients whose last event is not the last one published; gaps and repeats; events of other devices; broken streams. */
  unfinished: number
  outOfOrder: number
  foreign: number
  ended: number
  /** Connections of the gate to the cloud. */
  upstreamStreams: number
  /** Milliseconds from publishing to hearing: through the gate, and straight from the cloud in the same process. */
  delayMs: { gate: Percentiles; direct: Percentiles }
  addedMs: { p50: number; p99: number }
  gate: {
    /** At the start, and after each fifth of the time. */
    residentMb: Record<string, number | undefined>
    /** Of one core. */
    cpuShare: number | undefined
  }
  ratios: Record<string, number>
}

const PATH = '/v1/products/12345/events'
const DEVICES = 1000
const API_USERS = 100
const [GATE_CORE, OTHER_CORE] = [0, 1]

export async function measureStreams(
  { clients, perSecond, seconds }: { clients: number; perSecond: number; seconds: number },
  say: (line: string) => void,
): Promise<Streams> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const cloud = stack.use(
    await startService('cloud', [program('cloud.ts'), String(DEVICES)], OTHER_CORE),
  )
  const { ids } = await cloud.ask({})
  const users = entitled(stringsOf(ids))
  const upstream = { url: cloud.url, token: String(cloud.ready['token']) }
  const argument = gateArgument({ upstream, policies: policiesOf(users) })
  const gate = stack.use(await startService('gate', [program('gate.ts'), argument], GATE_CORE))

  const wanted = users.map(({ name, devices }) => ({
    ...{ url: gate.url + PATH, token: tokenOf(gate, name), direct: false },
    ...{ clients: clients / API_USERS, devices },
  }))
  const direct = { url: cloud.url + PATH, token: upstream.token, direct: true, clients: 1 }
  const file = join(folder, 'wanted.json')
  await writeFile(file, JSON.stringify([...wanted, { ...direct, devices: stringsOf(ids) }]))
  const listeners = stack.use(
    await startService('listeners', [program('listeners.ts'), file], OTHER_CORE),
  )
  const open = await cloud.ask({})
  const upstreamStreams = Number(open['mostStreams']) - 1
  say(`${clients} clients listen, on ${upstreamStreams} connection(s) to the cloud`)

  // A short run first, so that what is compared is warm memory.
  const warmUp = Math.min(3, seconds)
  await cloud.ask({ publish: { perSecond, seconds: warmUp } })
  await listeners.ask({ reset: true })
  const start = { cpu: cpuMs(gate.pid), at: performance.now() }
  const resident = [residentMb(gate.pid)]
  for (let fifth = 0; fifth < 5; fifth += 1) {
    await cloud.ask({ publish: { perSecond, seconds: seconds / 5 } })
    resident.push(residentMb(gate.pid))
    say(`gate ${resident.at(-1)?.toFixed(0) ?? '?'} MB`)
  }
  const cpu = cpuMs(gate.pid)
  const elapsedMs = performance.now() - start.at
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const eventsPerDevice = ((warmUp + seconds) * perSecond) / DEVICES
  const heard = await listeners.ask({ eventsPerDevice })
  const delayMs: Streams['delayMs'] = Object(heard['delays'])
  const { gate: through, direct: straight } = delayMs
  say(
    `${String(heard['received'])} of ${String(heard['due'])} events due were received; ` +
      `p50 ${through.p50.toFixed(1)} ms, p99 ${through.p99.toFixed(1)} ms, ` +
      `straight from the cloud ${straight.p50.toFixed(1)} and ${straight.p99.toFixed(1)} ms`,
  )
  return {
    ...{ clients, apiUsers: API_USERS, devices: DEVICES, perSecond, seconds },
    due: Number(heard['due']),
    received: Number(heard['received']),
    unfinished: Number(heard['unfinished']),
    outOfOrder: Number(heard['outOfOrder']),
    foreign: Number(heard['foreign']),
    ended: Number(heard['ended']),
    upstreamStreams,
    delayMs,
    addedMs: { p50: through.p50 - straight.p50, p99: through.p99 - straight.p99 },
    gate: {
      residentMb: Object.fromEntries(resident.map((mb, fifths) => [`after_${fifths}_fifths`, mb])),
      cpuShare:
        cpu === undefined || start.cpu === undefined ? undefined : (cpu - start.cpu) / elapsedMs,
    },
    ratios: { stream_events_received_vs_due: Number(heard['received']) / Number(heard['due']) },
  }
}

type Entitled = { name: string; devices: readonly string[] }

/** Each API user a share of its own. */
function entitled(ids: readonly string[]): Entitled[] {
  const share = DEVICES / API_USERS
  return Array.from({ length: API_USERS }, (_, i) => ({
    name: `user-${i}`,
    devices: ids.slice(i * share, (i + 1) * share),
  }))
}

function policiesOf(users: readonly Entitled[]): string {
  const each = users.map(
    ({ name, devices }) => `
  ${name}:
    owner: bench@acme.example
    product: 12345
    devices: { ids: [${devices.join(', ')}] }
    rules: [{ can: events:get }]
    expires: never`,
  )
  return `users:${each.join('')}\n`
}

function stringsOf(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error('the cloud named no devices')
  return value.map(String)
}
