/** How soon the gate answers after its start, and what it holds at rest, beside a bare proxy; rounds interleaved. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './median.ts'
import { program } from './paths.ts'
import { residentMb, startService } from './processes.ts'
import { build, mintToken, serve } from './served.ts'
import { startUpstream } from './upstream.ts'

export type Started = {
  /** From the start of the process to the end of the answer to its first request, milliseconds. */
  firstAnswerMs: number
  /** After some requests and a while without any. */
  restMb: number | undefined
}

export type Start = {
  rounds: number
  subjects: Record<'gate' | 'express_hpm', Started>
  ratios: Record<string, number>
}

const DEVICE = '0123456789abcdef00000000'
const PATH = `/v1/products/12345/devices/${DEVICE}/temperature`
const POLICIES = `
users:
  bench:
    owner: bench@acme.example
    product: 12345
    devices: { ids: [${DEVICE}] }
    rules: [{ can: devices.variable:get, variables: [temperature] }]
    expires: never
`
const REQUESTS = 20
/** Core of what is measured, and core of the upstream. */
const [OWN_CORE, UPSTREAM_CORE] = [0, 1]

export async function measureStart(
  { rounds, restMs }: { rounds: number; restMs: number },
  say: (line: string) => void,
): Promise<Start> {
  build()
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-bench-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const upstream = stack.use(await startUpstream(UPSTREAM_CORE))
  const configFile = await configure(folder, upstream.url)
  const token = mintToken(configFile, 'bench')
  const args = [program('bare-proxy.ts'), upstream.url]
  const contenders = {
    express_hpm: () => startService('bare proxy', args, OWN_CORE),
    gate: () => serve(configFile, OWN_CORE),
  }
  const measured: Record<keyof typeof contenders, Started[]> = { gate: [], express_hpm: [] }
  for (let i = 0; i < rounds; i += 1) {
    for (const name of ['express_hpm', 'gate'] as const) {
      const started = await startOnce(contenders[name], { token, restMs })
      measured[name].push(started)
      say(
        `round ${i + 1}/${rounds} ${name.padEnd(12)} first answer after ${started.firstAnswerMs.toFixed(0)} ms, ` +
          `${started.restMb?.toFixed(0) ?? '?'} MB at rest`,
      )
    }
  }
  const subjects = { gate: middle(measured.gate), express_hpm: middle(measured.express_hpm) }
  const { gate, express_hpm } = subjects
  return {
    rounds,
    subjects,
    ratios: {
      start_first_answer_ms: gate.firstAnswerMs,
      start_vs_express_hpm: gate.firstAnswerMs / express_hpm.firstAnswerMs,
      ...(gate.restMb !== undefined && { rest_resident_mb: gate.restMb }),
    },
  }
}

async function configure(folder: string, upstream: string): Promise<string> {
  await mkdir(join(folder, 'policies'))
  await writeFile(join(folder, 'policies', 'users.yaml'), POLICIES)
  await writeFile(join(folder, 'credential'), 'benchmark', { mode: 0o600 })
  const file = join(folder, 'fleetgate.yaml')
  await writeFile(
    file,
    `upstream: { url: '${upstream}', credentials: { default: { file: credential } } }
listen: { data: '127.0.0.1:0' }
`,
  )
  return file
}

async function startOnce(
  start: () => Promise<AsyncDisposable & { url: string; pid: number }>,
  { token, restMs }: { token: string; restMs: number },
): Promise<Started> {
  const from = performance.now()
  await using service = await start()
  await ask(service.url, token)
  const firstAnswerMs = performance.now() - from
  for (let n = 1; n < REQUESTS; n += 1) await ask(service.url, token)
  await sleep(restMs)
  return { firstAnswerMs, restMb: residentMb(service.pid) }
}

async function ask(url: string, token: string): Promise<void> {
  const answer = await fetch(url + PATH, { headers: { authorization: `Bearer ${token}` } })
  await answer.text()
  if (answer.status !== 200) throw new Error(`an answer was ${answer.status}`)
}

function middle(started: readonly Started[]): Started {
  const rest = started.flatMap(({ restMb }) => restMb ?? [])
  return {
    firstAnswerMs: median(started.map(({ firstAnswerMs }) => firstAnswerMs)),
    restMb: rest.length === 0 ? undefined : median(rest),
  }
}
