/** `npm run bench [-- quick]`: ratios in one run, written to `bench/results/latest.json`. */

import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { version } from '../src/lib/version.ts'
import { measureDecisions } from './decisions.ts'
import { measureThroughput } from './throughput.ts'

const quick = process.argv.includes('quick')
const say = (line: string) => void process.stderr.write(`${line}\n`)

say('decisions in process')
const decisions = measureDecisions(quick ? 1 : 5, say)
say('throughput against a bare proxy')
const throughput = await measureThroughput(
  { rounds: quick ? 2 : 7, seconds: quick ? 2 : 5, connections: 32 },
  say,
)
const results = {
  at: new Date().toISOString(),
  versions: { fleetgate: version, node: process.version },
  machine: {
    cores: cpus().length,
    model: cpus()[0]?.model,
    memoryMb: Math.round(totalmem() / 2 ** 20),
  },
  ratios: { ...throughput.ratios, ...decisions.ratios },
  throughput,
  decisions,
}
const file = new URL('results/latest.json', import.meta.url)
await mkdir(new URL('.', file), { recursive: true })
await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`)
say(JSON.stringify(results.ratios, undefined, 2))
