import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Charge } from '../../../src/domain/decision.ts'
import { createMeter } from '../../../src/proxy/create-meter.ts'

// The library reads the wall clock by itself.
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const meterNow = () => createMeter({ monotonic: () => Date.now() })
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
})
