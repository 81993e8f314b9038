/** Many asynchronous steps, a few at a time; the first failure ends the rest. */

export async function inTurns<T>(
  items: readonly T[],
  width: number,
  step: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values()
  let failed = false
  async function work(): Promise<void> {
    for (const item of left) {
      if (failed) return
      try {
        // oxlint-disable-next-line no-await-in-loop -- that is what bounds them
        await step(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work))
}
