/** What it costs to cut a list of 1 MB, against parsing and stringifying it: time interleaved, memory in processes of their own. */

import { spawnSync } from 'node:child_process'
import { aMegabyte, cutter, parseAndStringify, subjectNames } from './list-subjects.ts'
import { median } from './median.ts'
import { program } from './paths.ts'

export type ListCuts = {
  bytes: number
  parseAndStringifyMs: number
  cuts: Record<string, { ms: number; answerBytes: number }>
  /** Megabytes that one cut holds at its peak, beside the answer of the cloud. */
  peakMb: Record<string, number>
  ratios: Record<string, number>
}

/** The yardstick runs before each cut of each round: what is compared is a moment apart. */
export async function measureLists(
  { rounds }: { rounds: number },
  say: (line: string) => void,
): Promise<ListCuts> {
  const body = aMegabyte()
  const subjects = subjectNames.map((name) => ({
    name,
    cut: cutter(name, body),
    taken: [] as number[],
    yardstick: [] as number[],
    answerBytes: 0,
  }))
  for (let round = -10; round < rounds; round += 1) {
    for (const subject of subjects) {
      const startedAt = performance.now()
      parseAndStringify(body)
      const between = performance.now()
      subject.answerBytes = (await subject.cut()).length
      const endedAt = performance.now()
      // The first rounds warm up.
      if (round < 0) continue
      subject.yardstick.push(between - startedAt)
      subject.taken.push(endedAt - between)
    }
  }
  const result: ListCuts = {
    bytes: body.length,
    parseAndStringifyMs: median(subjects.flatMap(({ yardstick }) => yardstick)),
    cuts: {},
    peakMb: { parse_and_stringify: peakMb('parse_and_stringify') },
    ratios: {},
  }
  for (const { name, taken, yardstick, answerBytes } of subjects) {
    // Pairs of one moment: what slows the machine slows both.
    const ratio = median(taken.map((ms, round) => ms / (yardstick[round] ?? ms)))
    result.cuts[name] = { ms: median(taken), answerBytes }
    const peak = peakMb(name)
    result.peakMb[name] = peak
    result.ratios[`cut_${name}_vs_parse_stringify`] = ratio
    say(
      `${name}: ${median(taken).toFixed(2)} ms for ${(body.length / 1e6).toFixed(2)} MB, ` +
        `${ratio.toFixed(2)} x parse and stringify, peak ${peak.toFixed(1)} MB`,
    )
  }
  return result
}

function peakMb(name: string): number {
  const args = ['--expose-gc', program('list-memory.ts'), name]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(child.stderr)
  return Number(child.stdout)
}
