/** The gate against a bare proxy on one core each, same upstream, same load, rounds interleaved. */

import { applyLoad, type Round } from './load.ts'
import { gateArgument, tokenOf } from './gate-argument.ts'
import { median } from './median.ts'
import { program } from './paths.ts'
import { cpuMs, residentMb, startService, type Service } from './processes.ts'
import { startUpstream } from './upstream.ts'

export type Throughput = {
  upstream: string
  rounds: number
  seconds: number
  connections: number
  subjects: Record<'gate' | 'express_hpm', Subject>
  ratios: Record<string, number>
}

type Subject = {
  perSecond: number
  cpuMicrosPerRequest: number | undefined
  p50Ms: number
  p99Ms: number
  residentMb: number | undefined
  failures: number
}

type Contender = { name: 'gate' | 'express_hpm'; service: Service; token: string }
type Measured = Round & { cpuMicros: number | undefined }

const PRODUCT = '12345'
const DEVICE = '0123456789abcdef00000000'
const PATH = `/v1/products/${PRODUCT}/devices/${DEVICE}/temperature`
/** Core of the proxies, and core of load and upstream. */
const [PROXY_CORE, LOAD_CORE] = [0, 1]

export async function measureThroughput(
  options: { rounds: number; seconds: number; connections: number },
  say: (line: string) => void,
): Promise<Throughput> {
  await using upstream = await startUpstream(LOAD_CORE)
  await using bare = await startService(
    'bare proxy',
    [program('bare-proxy.ts'), upstream.url],
    PROXY_CORE,
  )
  await using gate = await startService(
    'gate',
    [program('gate.ts'), gateArgument({ upstream: { url: upstream.url }, policies: policies() })],
    PROXY_CORE,
  )
  const contenders: Contender[] = [
    { name: 'express_hpm', service: bare, token: 'none' },
    { name: 'gate', service: gate, token: tokenOf(gate, 'bench') },
  ]
  const measured: Record<Contender['name'], Measured[]> = { gate: [], express_hpm: [] }
  for (const contender of contenders) await round(contender, { ...options, seconds: 2 })
  for (let i = 0; i < options.rounds; i++) {
    // Who goes first alternates, so that a neighbour's noise falls on both.
    for (const contender of i % 2 === 0 ? contenders : contenders.toReversed()) {
      const result = await round(contender, options)
      measured[contender.name].push(result)
      say(
        `round ${i + 1}/${options.rounds} ${contender.name.padEnd(12)} ${result.perSecond.toFixed(0)} requests/s, ` +
          `${result.cpuMicros?.toFixed(0) ?? '?'} µs CPU a request, p50 ${result.p50Ms.toFixed(2)} ms`,
      )
    }
  }
  const subjects = {
    gate: summary(measured.gate, gate),
    express_hpm: summary(measured.express_hpm, bare),
  }
  return {
    upstream: upstream.kind,
    ...options,
    subjects,
    ratios: {
      gate_vs_express_hpm: subjects.gate.perSecond / subjects.express_hpm.perSecond,
      ...cpuRatio(subjects),
    },
  }
}

async function round(
  { service, token }: Contender,
  { seconds, connections }: { seconds: number; connections: number },
): Promise<Measured> {
  const before = cpuMs(service.pid)
  const load = { url: service.url + PATH, token, connections, seconds, core: LOAD_CORE }
  const result = await applyLoad(load)
  const after = cpuMs(service.pid)
  const cpuMicros =
    before === undefined || after === undefined
      ? undefined
      : ((after - before) * 1000) / result.requests
  return { ...result, cpuMicros }
}

function summary(rounds: readonly Measured[], service: Service): Subject {
  const cpu = rounds.flatMap(({ cpuMicros }) => cpuMicros ?? [])
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMicrosPerRequest: cpu.length === 0 ? undefined : median(cpu),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
    residentMb: residentMb(service.pid),
    failures: rounds.reduce((sum, { failures }) => sum + failures, 0),
  }
}

function cpuRatio({ gate, express_hpm }: Throughput['subjects']): Record<string, number> {
  if (gate.cpuMicrosPerRequest === undefined || express_hpm.cpuMicrosPerRequest === undefined)
    return {}
  return { gate_cpu_vs_express_hpm: gate.cpuMicrosPerRequest / express_hpm.cpuMicrosPerRequest }
}

function policies(): string {
  return `
users:
  bench:
    owner: bench@acme.example
    product: ${PRODUCT}
    devices: { ids: [${DEVICE}] }
    rules:
      - can: devices.variable:get
        variables: [temperature]
    expires: never
`
}
