import { describe, expect, it } from 'vitest'
import type { Obligations } from '../../../../src/domain/decision.ts'
import type { ItemJudge } from '../../../../src/policy/policy-engine.ts'
import type { Items } from '../../../../src/proxy/lists/items.ts'
import { createTextSet } from '../../../../src/lib/text-set.ts'
import { visibleAmong, type Sight } from '../../../../src/proxy/lists/visible.ts'
import { fakeDirectory } from '../../../kit/fakes.ts'

const obligations = (hide: string): Obligations => ({
  ...{ answer: undefined, hide: new Set([hide]), reveal: new Set<string>() },
})

function itemsOf(ids: readonly (string | undefined)[]): Items & { parsed: number } {
  return {
    parsed: 0,
    length: ids.length,
    idAt(index, among) {
      const id = ids[index]
      return id === undefined || among === undefined ? id : (among.find(id) ?? null)
    },
    itemAt(index) {
      this.parsed += 1
      return { id: ids[index], n: index }
    },
  }
}

/** Allows odd numbers in `n`; what is divisible by three hides another key. */
const byNumber = (more: Partial<ItemJudge> = {}): ItemJudge => ({
  judge({ facts }) {
    if (facts === undefined) return { outcome: 'needs_facts' }
    const n = Number(facts['n'])
    if (n % 2 === 0) return { outcome: 'deny' }
    return { outcome: 'allow', obligations: obligations(n % 3 === 0 ? 'b' : 'a') }
  },
  ...{ key: 'k', timed: false, maxAgeMs: undefined, narrow: [], ...more },
})

const sightOf = (judge: ItemJudge, more: Partial<Sight> = {}): Sight => ({
  ...{ judge, among: undefined, atMs: 0, strays: { kind: 'hidden' } },
  resourceOf: (device) => ({ type: 'device', product: '1', device }),
  facts: { from: 'item', keys: 'all', read: (item) => ({ n: (item as { n: number }).n }) },
  ...more,
})
const never = () => undefined

describe('visibleAmong', () => {
  it('keeps the order of the list, and equal obligations once', async () => {
    const ids = Array.from({ length: 10 }, (_, index) => `d${index}`)
    const shown = await visibleAmong(itemsOf(ids), sightOf(byNumber()), never)
    expect([...shown.indexes]).toEqual([1, 3, 5, 7, 9])
    expect([...shown.kinds]).toEqual([0, 1, 0, 0, 1])
    expect(shown.obligations.map(({ hide }) => [...hide])).toEqual([['a'], ['b']])
    expect(shown.holds).toBe('as long as the list')
  })

  it('parses no item that the grant does not name', async () => {
    const ids = Array.from({ length: 1000 }, (_, index) => `d${index}`)
    const items = itemsOf(ids)
    const among = createTextSet(['d7', 'd8'])
    const shown = await visibleAmong(items, sightOf(byNumber(), { among }), never)
    expect([[...shown.indexes], items.parsed]).toEqual([[7], 2])
  })

  it('hides, refuses or shows what is of no resource, as it is told', async () => {
    const items = itemsOf(['d1', undefined])
    const look = (strays: Sight['strays']) =>
      visibleAmong(items, sightOf(byNumber(), { strays, facts: facts1 }), never)
    const facts1: Sight['facts'] = { from: 'item', keys: 'all', read: () => ({ n: 1 }) }
    expect([...(await look({ kind: 'hidden' })).indexes]).toEqual([0])
    const shown = await look({ kind: 'shown', obligations: obligations('c') })
    expect([...shown.indexes]).toEqual([0, 1])
    await expect(look({ kind: 'broken' })).rejects.toMatchObject({ code: 'unfilterable_answer' })
  })

  it('hides what no resource is known of', async () => {
    const sight = sightOf(byNumber(), { resourceOf: () => undefined })
    expect((await visibleAmong(itemsOf(['d1', 'd3']), sight, never)).indexes).toHaveLength(0)
  })

  it('has the facts of all looked up at once, and judges on these, whatever the cache holds', async () => {
    const asked: unknown[] = []
    const facts = new Map([
      ['d1', { n: 1 }],
      ['d2', { n: 2 }],
      ['d3', { n: 3 }],
    ])
    const directory = fakeDirectory({
      named: async (resources, user, maxAgeMs) => {
        asked.push([resources.map(({ device }) => device), user, maxAgeMs])
        return ({ device = '' }) => facts.get(device)
      },
      cached: () => ({ n: 1 }),
      attributes: () => Promise.reject(new Error('one by one')),
    })
    const sight = sightOf(byNumber({ maxAgeMs: 50 }), {
      facts: { from: 'directory', directory, user: 'u' },
    })
    const shown = await visibleAmong(itemsOf(['d1', 'd2', 'd1', 'd3', 'd5']), sight, never)
    expect([...shown.indexes]).toEqual([0, 2, 3])
    expect(asked).toEqual([[['d1', 'd2', 'd1', 'd3', 'd5'], 'u', 50]])
    expect(shown.holds).toBe('now')
  })

  it('gives others their turn', async () => {
    let turns = 0
    const breathe = async () => void (turns += 1)
    const ids = Array.from({ length: 320 }, (_, index) => `d${index}`)
    await visibleAmong(itemsOf(ids), sightOf(byNumber()), breathe)
    expect(turns).toBe(10)
  })
})
