import { getHeapSpaceStatistics } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { giveBackMemory } from '../../../src/lib/give-back.ts'

const mb = 2 ** 20

function youngBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  return space?.physical_space_size ?? 0
}

/** As loading does: much is made, and much of it lives for a while. */
function makeGarbage(): void {
  const lately: object[] = []
  for (let i = 0; i < 1_000_000; i += 1) lately[i % 100_000] = { i, text: `${i}` }
}

describe('giveBackMemory', () => {
  it('shrinks what the young generation holds of the system', () => {
    makeGarbage()
    expect(youngBytes()).toBeGreaterThan(8 * mb)
    giveBackMemory()
    expect(youngBytes()).toBeLessThan(4 * mb)
  })

  it('leaves no collector behind for anybody to call', () => {
    giveBackMemory()
    expect(runInNewContext('typeof globalThis.gc')).toBe('undefined')
    expect(Reflect.has(globalThis, 'gc')).toBe(false)
  })
})
