/** What work costs in time of the processor, which hardly grows when others want it too. */

/** Milliseconds of the cheapest of some runs: what comes on top of that is the machine's doing, not the work's. */
export async function cpuMs(run: () => unknown, times = 5): Promise<number> {
  let least = Infinity
  for (let turn = 0; turn < times; turn += 1) {
    const before = process.cpuUsage()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await run()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
  }
  return least
}
