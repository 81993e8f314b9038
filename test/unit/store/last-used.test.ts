import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLastUsed, type LastUsed } from '../../../src/store/last-used.ts'

let written: Record<string, number>[]
let touch: (batch: ReadonlyMap<string, number>) => Promise<void>
let failures: unknown[]
let uses: LastUsed

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  written = []
  failures = []
  touch = async (batch) => void written.push(Object.fromEntries(batch))
  uses = createLastUsed({
    store: { touch: (batch) => touch(batch) },
    flushMs: 30_000,
    onFailure: (error) => void failures.push(error),
  })
})
afterEach(async () => {
  await uses[Symbol.asyncDispose]()
  vi.useRealTimers()
})

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('createLastUsed', () => {
  it('writes the last use of each token, once', async () => {
    uses.note('a', 1)
    uses.note('a', 2)
    uses.note('b', 3)
    await pass(29_999)
    expect(written).toEqual([])
    await pass(1)
    await pass(60_000)
    expect(written).toEqual([{ a: 2, b: 3 }])
  })

  it('knows the newer of what is kept and what was noted, and while it is written', async () => {
    uses.note('a', 5)
    expect([uses.latest('a', 4), uses.latest('a', 6), uses.latest('b', 1)]).toEqual([5, 6, 1])
    const { promise, resolve } = Promise.withResolvers<void>()
    touch = () => promise
    const writing = uses.flush()
    await pass(0)
    expect(uses.latest('a', 4)).toBe(5)
    resolve()
    await writing
  })

  it('forgets what was written once more is written: it does not grow with the tokens it has seen', async () => {
    for (let round = 0; round < 100; round++) {
      uses.note(`token-${round}`, round)
      await uses.flush()
    }
    expect(written).toHaveLength(100)
    const held = Array.from({ length: 100 }, (_, n) => uses.latest(`token-${n}`, undefined))
    expect(held.filter((use) => use !== undefined)).toEqual([99])
  })

  it('loses nothing where a write fails, and does not go back to an older use', async () => {
    touch = async () => {
      uses.note('a', 8)
      throw new Error('gone')
    }
    uses.note('a', 7)
    uses.note('b', 7)
    await pass(30_000)
    expect(failures).toHaveLength(1)
    touch = async (batch) => void written.push(Object.fromEntries(batch))
    await pass(30_000)
    expect(written).toEqual([{ a: 8, b: 7 }])
  })

  it('writes those whose idle end comes soon within a quarter of it, and the others as always', async () => {
    uses.note('daily', 1, 86_400_000)
    uses.note('minute', 2, 60_000)
    await pass(10_000)
    uses.note('quick', 3, 4_000)
    await pass(999)
    expect(written).toEqual([])
    await pass(1)
    expect(written).toEqual([{ minute: 2, quick: 3 }])
    uses.note('minute', 4, 60_000)
    await pass(14_999)
    expect(written).toHaveLength(1)
    await pass(1)
    expect(written[1]).toEqual({ minute: 4 })
    await pass(4_000)
    expect(written[2]).toEqual({ daily: 1 })
  })

  it('does not put off who is used again and again', async () => {
    for (let ms = 0; ms < 10_000; ms += 100) {
      uses.note('quick', ms, 4_000)
      await pass(100)
    }
    expect(written).toHaveLength(10)
    expect(written[9]).toEqual({ quick: 9_900 })
  })
})
