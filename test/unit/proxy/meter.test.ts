import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Charge } from '../../../src/domain/decision.ts'
import { createMeter } from '../../../src/proxy/create-meter.ts'
import type { KeptCount } from '../../../src/store/count-store.ts'

// The library reads the wall clock by itself.
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const clock = { now: () => Date.now(), monotonic: () => Date.now() }
const meterNow = () => createMeter({ clock })
const charge = (key: string, calls: number, perS = 60): Charge => ({ key, limit: { calls, perS } })

describe('a meter', () => {
  it('gives each limit its calls in its time, and no more', async () => {
    const meter = meterNow()
    const limit = charge('a', 2)
    expect(await meter.take([limit])).toBeUndefined()
    expect(await meter.take([limit])).toBeUndefined()
    expect(meter.wait(limit)).toBe(0)
    expect(await meter.take([limit])).toBe(limit)
    expect(meter.wait(limit)).toBe(60_000)
    vi.advanceTimersByTime(59_999)
    expect(meter.wait(limit)).toBe(1)
    vi.advanceTimersByTime(1)
    expect(meter.wait(limit)).toBe(0)
    expect(await meter.take([limit])).toBeUndefined()
  })

  it('gives one place to one of many that ask in the same turn', async () => {
    const meter = meterNow()
    const asked = await Promise.all(
      Array.from({ length: 20 }, () => meter.take([charge('a', 3), charge('b', 100)])),
    )
    expect(asked.filter((full) => full === undefined)).toHaveLength(3)
  })

  it('counts nothing where one of several limits is full', async () => {
    const meter = meterNow()
    const narrow = charge('narrow', 1)
    const wide = charge('wide', 3)
    expect(await meter.take([wide, narrow])).toBeUndefined()
    for (let i = 0; i < 5; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
      expect(await meter.take([wide, narrow])).toBe(narrow)
    }
    expect(await meter.take([wide])).toBeUndefined()
    expect(await meter.take([wide])).toBeUndefined()
    expect(await meter.take([wide])).toBe(wide)
  })

  it('keeps keys apart', async () => {
    const meter = meterNow()
    expect(await meter.take([charge('a', 1)])).toBeUndefined()
    expect(await meter.take([charge('b', 1)])).toBeUndefined()
    expect(meter.wait(charge('b', 1))).toBe(0)
  })

  it('lets each replica pass its share, at least one call', async () => {
    const meter = meterNow()
    meter.share(4)
    const limit = charge('a', 8)
    expect(await meter.take([limit])).toBeUndefined()
    expect(await meter.take([limit])).toBeUndefined()
    expect(await meter.take([limit])).toBe(limit)
    const small = charge('b', 2)
    expect(await meter.take([small])).toBeUndefined()
    expect(await meter.take([small])).toBe(small)
    meter.share(1)
    expect(await meter.take([limit])).toBeUndefined()
  })

  it('counts in a window that is longer than any timer, too', async () => {
    const meter = meterNow()
    const limit = charge('a', 1, 30 * 86_400)
    expect(await meter.take([limit])).toBeUndefined()
    vi.advanceTimersByTime(60_000)
    expect(await meter.take([limit])).toBe(limit)
  })

  it('goes on where it was kept, and only as long as the window then lasted', async () => {
    const kept: KeptCount[] = []
    const limit = charge('a', 3, 7_200)
    const first = createMeter({
      clock,
      onCount: ({ key }, calls, endsAtMs) => void kept.splice(0, 1, { key, calls, endsAtMs }),
    })
    await first.take([limit])
    await first.take([limit])
    vi.advanceTimersByTime(3_600_000)
    const second = createMeter({ clock, kept })
    expect(await second.take([limit])).toBeUndefined()
    expect(await second.take([limit])).toBe(limit)
    expect(second.wait(limit)).toBe(3_600_000)
    expect(await second.take([charge('b', 1, 7_200)])).toBeUndefined()
    vi.advanceTimersByTime(3_600_000)
    expect(await second.take([limit])).toBeUndefined()
    const late = createMeter({ clock, kept })
    for (let n = 0; n < 3; n++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
      expect(await late.take([limit])).toBeUndefined()
    }
  })

  it('tells what it counts, and takes back what was not given', async () => {
    const told: [string, number][] = []
    const meter = createMeter({ clock, onCount: ({ key }, calls) => void told.push([key, calls]) })
    const [wide, narrow] = [charge('wide', 9), charge('narrow', 1)]
    await meter.take([wide, narrow])
    await meter.take([wide, narrow])
    const last = Object.fromEntries(told)
    expect(last).toEqual({ wide: 1, narrow: 1 })
  })
})
