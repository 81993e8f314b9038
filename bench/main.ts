/** `npm run bench [-- quick] [start|decisions|throughput|lists|paging|streams|revocation|users ...]`: ratios in one run; all parts together are written to `bench/results/latest.json`. */

import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { version } from '../src/lib/version.ts'
import { measureDecisions } from './decisions.ts'
import { measureLists } from './lists.ts'
import { measurePaging } from './paging.ts'
import { measureRevocation } from './revocation.ts'
import { measureStart } from './start.ts'
import { measureStreams } from './streams.ts'
import { measureThroughput } from './throughput.ts'
import { measureUsers } from './users.ts'

type Measured = { ratios: Readonly<Record<string, number>> }
type Say = (line: string) => void

const parts: Readonly<Record<string, (quick: boolean, say: Say) => Measured | Promise<Measured>>> =
  {
    start: (quick, say) =>
      measureStart({ rounds: quick ? 3 : 9, restMs: quick ? 1000 : 5000 }, say),
    decisions: (quick, say) => measureDecisions(quick ? 1 : 5, say),
    throughput: (quick, say) =>
      measureThroughput({ rounds: quick ? 2 : 7, seconds: quick ? 2 : 5, connections: 32 }, say),
    lists: (quick, say) => measureLists({ rounds: quick ? 20 : 100 }, say),
    paging: (quick, say) =>
      measurePaging({ pages: quick ? 50 : 300, restMs: quick ? 0 : 35_000 }, say),
    streams: (quick, say) =>
      measureStreams({ clients: 500, perSecond: 5000, seconds: quick ? 5 : 25 }, say),
    revocation: (quick, say) =>
      measureRevocation({ revocations: quick ? 20 : 200, perSecond: 200 }, say),
    users: (quick, say) => measureUsers({ users: quick ? 5000 : 100_000 }, say),
  }

const say: Say = (line) => void process.stderr.write(`${line}\n`)
const words = process.argv.slice(2)
const unknown = words.filter((word) => word !== 'quick' && !Object.hasOwn(parts, word))
if (unknown.length > 0) {
  say(`unknown: ${unknown.join(', ')}; there is quick, and ${Object.keys(parts).join(', ')}`)
  process.exit(2)
}
const quick = words.includes('quick')
const named = Object.keys(parts).filter((part) => words.includes(part))
const chosen = named.length === 0 ? Object.keys(parts) : named

const measured: Record<string, Measured> = {}
for (const part of chosen) {
  say(part)
  const measure = parts[part]
  if (measure !== undefined) measured[part] = await measure(quick, say)
}
const results = {
  at: new Date().toISOString(),
  versions: { fleetgate: version, node: process.version },
  machine: {
    cores: cpus().length,
    model: cpus()[0]?.model,
    memoryMb: Math.round(totalmem() / 2 ** 20),
  },
  ratios: Object.assign({}, ...Object.values(measured).map(({ ratios }) => ratios)),
  ...measured,
}
if (named.length === 0) {
  const file = new URL('results/latest.json', import.meta.url)
  await mkdir(new URL('.', file), { recursive: true })
  await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`)
  say(JSON.stringify(results.ratios, undefined, 2))
} else {
  process.stdout.write(`${JSON.stringify(measured, undefined, 2)}\n`)
}
