/** Many things of one kind, a few at a time. */

/** Up to `workers` steps under way until one says `done` to each. The first failure ends it: no step begins after it. */
export async function atOnce(workers: number, step: () => Promise<'more' | 'done'>): Promise<void> {
  const work = { state: 'open' }
  const worker = async () => {
    try {
      while (work.state === 'open') {
        // oxlint-disable-next-line no-await-in-loop -- one worker does one step after the other
        if ((await step()) === 'done') return
      }
    } catch (error) {
      work.state = 'failed'
      throw error
    }
  }
  await Promise.all(Array.from({ length: workers }, worker))
}

/** Results stand in the order of the items. */
export async function eachAtOnce<T, R>(
  workers: number,
  items: readonly T[],
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const entries = items.entries()
  await atOnce(Math.min(workers, items.length), async () => {
    const next = entries.next()
    if (next.done === true) return 'done'
    const [at, item] = next.value
    results[at] = await run(item)
    return 'more'
  })
  return results
}
