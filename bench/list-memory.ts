/** What one cut of a list holds in memory when its answer is about to go out, garbage aside: prints megabytes. */

import { aMegabyte, cutter, parseAndStringify, subjectNames } from './list-subjects.ts'

const body = aMegabyte()
const name = subjectNames.find((each) => each === process.argv[2])
let peak = 0
const atPeak = () => {
  peak = held()
}
const run =
  name === undefined ? async () => parseAndStringify(body, atPeak) : cutter(name, body, atPeak)
// Once before, so that what is kept for good is not counted.
await run()
const before = held()
await run()
process.stdout.write(String((peak - before) / 2 ** 20))

function held(): number {
  if (globalThis.gc === undefined) throw new Error('run it with --expose-gc')
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
