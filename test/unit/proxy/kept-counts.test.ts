import { describe, expect, it } from 'vitest'
import type { Charge } from '../../../src/domain/decision.ts'
import { createKeptCounts } from '../../../src/proxy/kept-counts.ts'
import type { KeptCount } from '../../../src/store/count-store.ts'

const hour = 3_600
const charge = (key: string, perS = hour): Charge => ({ key, limit: { calls: 9, perS } })

function rig() {
  const state = {
    written: [] as (readonly KeptCount[])[],
    faults: 0,
    broken: false,
    tick: () => {},
  }
  const counts = createKeptCounts({
    replica: 'g1',
    store: {
      list: async () => [],
      async keep(replica, batch) {
        expect(replica).toBe('g1')
        if (state.broken) throw new Error('gone')
        state.written.push(batch)
      },
    },
    every(ms, callback) {
      expect(ms).toBe(1_000)
      state.tick = callback
      return { [Symbol.dispose]: () => void (state.tick = () => {}) }
    },
    onFault: () => void (state.faults += 1),
  })
  return { state, counts }
}

const settled = async () => {
  // oxlint-disable-next-line no-await-in-loop -- each turn lets one batch go on
  for (let n = 0; n < 30; n++) await new Promise<void>((resolve) => setImmediate(resolve))
}

describe('kept counts', () => {
  it('are written as they are by then, once, and those of long windows alone', async () => {
    const { state, counts } = rig()
    counts.note(charge('a'), 1, 5_000)
    counts.note(charge('a'), 2, 5_000)
    counts.note(charge('short', hour - 1), 1, 5_000)
    expect(state.written).toEqual([])
    state.tick()
    await settled()
    expect(state.written).toEqual([[{ key: 'a', calls: 2, endsAtMs: 5_000 }]])
    state.tick()
    await settled()
    expect(state.written).toHaveLength(1)
    await counts[Symbol.asyncDispose]()
  })

  it('are written a bounded number at a time, and all of them at the end', async () => {
    const { state, counts } = rig()
    for (let n = 0; n < 3_000; n++) counts.note(charge(`k${n}`), 1, 5_000)
    state.tick()
    await settled()
    expect(state.written.map((batch) => batch.length)).toEqual([128])
    state.tick()
    await settled()
    expect(new Set(state.written.flat().map(({ key }) => key)).size).toBe(256)
    await counts[Symbol.asyncDispose]()
    expect(new Set(state.written.flat().map(({ key }) => key)).size).toBe(3_000)
  })

  it('that could not be written are written with the next, as they are by then', async () => {
    const { state, counts } = rig()
    state.broken = true
    counts.note(charge('a'), 1, 5_000)
    counts.note(charge('b'), 1, 5_000)
    state.tick()
    counts.note(charge('a'), 2, 5_000)
    await settled()
    expect([state.written, state.faults]).toEqual([[], 1])
    state.broken = false
    await counts[Symbol.asyncDispose]()
    expect(Object.fromEntries(state.written.flat().map(({ key, calls }) => [key, calls]))).toEqual({
      ...{ a: 2, b: 1 },
    })
  })
})
