/** Keeps one connection that hears notices open, as long as anybody wants to hear: what breaks is opened again. */

/** A connection on which notices arrive. */
export type Line = {
  /** Settles when it broke. */
  broken: Promise<void>
  /** @throws when nothing came back in time */
  ping(): Promise<void>
  close(): void
}

export type ListenOptions = {
  /** @throws StoreUnavailable */
  open: () => Promise<Line>
  /** What was said while nobody listened is lost: it is to be looked up. */
  onOpen: () => void
  /** Told of the first failure of each row of failures. */
  onFault: (error: unknown) => void
  pause: (ms: number, signal: AbortSignal) => Promise<void>
}

const firstPauseMs = 100
const longestPauseMs = 5000
/** A line that a firewall forgot says nothing any more, and does not break either. */
const pingEveryMs = 10_000

export type Listening = AsyncDisposable & { listening(): boolean }

export function keepListening({ open, onOpen, onFault, pause }: ListenOptions): Listening {
  const stop = new AbortController()
  let up = false

  /** Returns whether it held for a while. */
  async function hold(line: Line): Promise<boolean> {
    const broken = line.broken.then(() => 'broken' as const)
    for (let held = false; ; held = true) {
      const rest = pause(pingEveryMs, stop.signal).then(() => 'rested' as const)
      // oxlint-disable-next-line no-await-in-loop -- one rest after the other
      if ((await Promise.race([broken, rest])) === 'broken') return held
      // oxlint-disable-next-line no-await-in-loop
      await line.ping()
    }
  }

  async function once(): Promise<boolean> {
    const line = await open()
    try {
      stop.signal.throwIfAborted()
      up = true
      onOpen()
      return await hold(line)
    } finally {
      up = false
      line.close()
    }
  }

  async function run(): Promise<void> {
    let pauseMs = firstPauseMs
    while (!stop.signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- as long as the gate lives
        const held = await once()
        onFault(new Error('the connection that hears of changes broke'))
        if (held) pauseMs = firstPauseMs
      } catch (error) {
        if (!stop.signal.aborted && pauseMs === firstPauseMs) onFault(error)
      }
      // oxlint-disable-next-line no-await-in-loop
      await pause(pauseMs, stop.signal).catch(() => undefined)
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
    }
  }

  const running = run()
  return {
    listening: () => up,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}
