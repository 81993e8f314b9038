/** Counts of limits in any store. */

import { describe, expect, it } from 'vitest'
import type { Bench } from './store-kit.ts'

const hour = 3_600_000

export function countsAreKept(bench: () => Bench): void {
  describe('counts of limits', () => {
    const counts = () => bench().store.counts
    const nowMs = Date.now()
    const count = (key: string, calls: number, inMs = hour) => ({
      ...{ key, calls },
      endsAtMs: nowMs + inMs,
    })

    it('are those of the gate that keeps them, and of windows that last', async () => {
      await counts().keep('g1', [count('a', 1), count('b', 2), count('over', 3, 0)])
      await counts().keep('g2', [count('a', 7)])
      expect(await counts().list('g1', nowMs)).toEqual([count('a', 1), count('b', 2)])
      expect(await counts().list('g2', nowMs)).toEqual([count('a', 7)])
      expect(await counts().list('G1', nowMs)).toEqual([])
      expect(await counts().list('g1', nowMs + hour)).toEqual([])
    })

    it('take the place of what was kept of the same keys', async () => {
      await counts().keep('g1', [count('a', 1), count('b', 2)])
      await counts().keep('g1', [count('a', 5, 2 * hour)])
      expect(await counts().list('g1', nowMs)).toEqual([count('a', 5, 2 * hour), count('b', 2)])
      await counts().keep('g1', [])
      expect(await counts().list('g1', nowMs)).toHaveLength(2)
    })

    it('are forgotten when their window is long over, and kept in any number', async () => {
      await counts().keep('g1', [count('old', 1, -2 * hour)])
      const many = Array.from({ length: 300 }, (_, n) => count(`k${String(n).padStart(3, '0')}`, n))
      await counts().keep('g1', many)
      expect(await counts().list('g1', 0)).toEqual(many)
    })

    it('are there for the gate that is started anew, and are no change of rights', async () => {
      const before = bench().store.changes.state().seq
      await counts().keep('g1', [count('a', 4)])
      await using again = await bench().under.open()
      expect(await again.counts.list('g1', nowMs)).toEqual([count('a', 4)])
      await bench().store.changes.refresh()
      expect(bench().store.changes.state().seq).toBe(before)
    })
  })
}
