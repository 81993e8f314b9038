import { LRUCache } from 'lru-cache'
import { describe, expect, it } from 'vitest'
import { atMost } from '../../../src/lib/at-most.ts'

const many = 1_000_000

function bufferBytes(make: () => LRUCache<string, string>): number {
  const before = process.memoryUsage().arrayBuffers
  const cache = make()
  const taken = process.memoryUsage().arrayBuffers - before
  expect(cache.size).toBe(0)
  return taken
}

describe('atMost', () => {
  it('keeps so many entries and drops what was used least', () => {
    const cache = new LRUCache<string, number>(atMost(2))
    cache.set('a', 1).set('b', 2)
    cache.get('a')
    cache.set('c', 3)
    expect([...cache.keys()].toSorted()).toEqual(['a', 'c'])
    expect(cache.size).toBe(2)
  })

  it('sets no memory aside for entries that have not come, as a plain bound does', () => {
    expect(bufferBytes(() => new LRUCache(atMost(many)))).toBeLessThan(100_000)
    expect(bufferBytes(() => new LRUCache({ max: many }))).toBeGreaterThan(many)
  })
})
