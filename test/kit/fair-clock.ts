/** Times what must be quick, without the moments at which this machine ran nobody at all. */

import { Worker } from 'node:worker_threads'
import { until } from './recording-upstream.ts'

export type FairClock = AsyncDisposable & {
  /**
   * Milliseconds from one moment to another, both of `performance.now()` and after the clock was started, less what the machine
   * held back meanwhile: a virtual machine that is stopped for a second has nothing to say of a bound of one second.
   */
  between(fromMs: number, toMs?: number): Promise<number>
  /** As long as it takes until the check holds, counted so. */
  until(check: () => boolean): Promise<number>
}

const turnMs = 5

/** A thread that does nothing but wait a moment, again and again; it is as late as the machine is, whatever the others do. */
const watching = `
  const { workerData } = require('node:worker_threads')
  const [turns, late] = [new Int32Array(workerData, 0, 1), new Int32Array(workerData, 4, 1)]
  const nap = new Int32Array(new SharedArrayBuffer(4))
  let before = performance.now()
  for (;;) {
    Atomics.wait(nap, 0, 0, ${turnMs})
    const now = performance.now()
    Atomics.add(late, 0, Math.max(0, Math.floor(now - before - ${2 * turnMs})))
    Atomics.add(turns, 0, 1)
    Atomics.notify(turns, 0)
    before = now
  }`

export async function startFairClock(): Promise<FairClock> {
  const shared = new SharedArrayBuffer(8)
  const [turns, late] = [new Int32Array(shared, 0, 1), new Int32Array(shared, 4, 1)]
  const worker = new Worker(watching, { eval: true, workerData: shared })
  worker.unref()
  /** Of all that lies behind us: the turn that is under way now has to be over. */
  const heldBackMs = async () => {
    for (const end = Atomics.load(turns, 0) + 2; Atomics.load(turns, 0) < end;) {
      // oxlint-disable-next-line no-await-in-loop -- until then
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return Atomics.load(late, 0)
  }
  const before = await heldBackMs()
  const between = async (fromMs: number, toMs = performance.now()) =>
    toMs - fromMs - ((await heldBackMs()) - before)
  return {
    between,
    async until(check) {
      const from = performance.now()
      await until(check)
      return between(from)
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate()
    },
  }
}
