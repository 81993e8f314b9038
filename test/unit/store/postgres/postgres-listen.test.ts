import { describe, expect, it } from 'vitest'
import { keepListening, type Line } from '../../../../src/store/postgres/postgres-listen.ts'

/** Lines that a test breaks, and pauses that a test ends. */
function rig() {
  const lines: { line: Line; cut: () => void; closed: boolean; answers: boolean }[] = []
  const pauses: { ms: number; end: () => void }[] = []
  const faults: unknown[] = []
  let opened = 0
  let refuses = false
  const listening = keepListening({
    async open() {
      if (refuses) throw new Error('refused')
      const { promise: broken, resolve: cut } = Promise.withResolvers<void>()
      const entry = {
        cut,
        closed: false,
        answers: true,
        line: {
          broken,
          async ping() {
            if (!entry.answers) throw new Error('no answer')
          },
          close: () => void (entry.closed = true),
        },
      }
      lines.push(entry)
      return entry.line
    },
    onOpen: () => void (opened += 1),
    onFault: (error) => void faults.push(error),
    pause: (ms, signal) =>
      new Promise((resolve, reject) => {
        pauses.push({ ms, end: resolve })
        if (signal.aborted) reject(signal.reason)
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  })
  const settled = async () => {
    for (let turn = 0; turn < 30; turn++) await Promise.resolve()
  }
  return {
    listening,
    lines,
    faults,
    opened: () => opened,
    refuse: (is: boolean) => void (refuses = is),
    settled,
    /** Ends the newest pause; returns how long it was to be. */
    async wake(): Promise<number> {
      await settled()
      const pause = pauses.at(-1)
      pause?.end()
      await settled()
      return pause?.ms ?? 0
    },
  }
}

describe('keepListening', () => {
  it('asks for what was missed each time it listens, and opens again what broke', async () => {
    const { listening, lines, opened, wake, settled } = rig()
    await settled()
    expect(listening.listening()).toBe(true)
    expect(opened()).toBe(1)
    lines[0]?.cut()
    await settled()
    expect(listening.listening()).toBe(false)
    expect(lines[0]?.closed).toBe(true)
    expect(await wake()).toBe(100)
    expect(listening.listening()).toBe(true)
    expect(opened()).toBe(2)
  })

  it('waits longer each time it fails, five seconds at most, and says so once', async () => {
    const { listening, refuse, wake, faults, lines, settled } = rig()
    await settled()
    refuse(true)
    lines[0]?.cut()
    const waits = []
    for (let time = 0; time < 9; time++) waits.push(await wake())
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
    expect(faults).toHaveLength(1)
    expect(listening.listening()).toBe(false)
    refuse(false)
    await wake()
    expect(listening.listening()).toBe(true)
  })

  it('gives up a line that does not answer any more, and keeps one that does', async () => {
    const { listening, lines, wake } = rig()
    expect(await wake()).toBe(10_000)
    expect(listening.listening()).toBe(true)
    if (lines[0] !== undefined) lines[0].answers = false
    await wake()
    expect(listening.listening()).toBe(false)
    expect(lines[0]?.closed).toBe(true)
  })

  it('closes its line when it is disposed of, and opens none any more', async () => {
    const { listening, lines, settled } = rig()
    await settled()
    await listening[Symbol.asyncDispose]()
    expect(lines.map(({ closed }) => closed)).toEqual([true])
    expect(listening.listening()).toBe(false)
  })
})
