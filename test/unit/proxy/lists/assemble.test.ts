import { describe, expect, it } from 'vitest'
import type { ItemsSpec, ListAnswer } from '../../../../src/domain/catalog.ts'
import { assemble, sideOfAnswer, sideOfView } from '../../../../src/proxy/lists/assemble.ts'
import { createShow } from '../../../../src/proxy/lists/show.ts'

const spec: ItemsSpec = {
  ...{ id: 'id', facts: 'item', narrow: [], keep: ['unit', 'about.cloud'] },
  sides: [{ at: 'owners', key: 'name', of: 'owner', keep: ['name', 's'] }],
}
const answer: ListAnswer = {
  kind: 'list',
  at: 'page.rows',
  secrets: [],
  item: 'device',
  items: spec,
}
const keys = (hide: string[] = [], reveal: string[] = []) => ({
  ...{ answer: undefined, hide: new Set(hide), reveal: new Set(reveal) },
})
const root = {
  next: '/secret',
  unit: { s: 1, v: 2 },
  owners: [{ name: 'ann', n: 1 }, { name: 'bob', s: 2, devices: ['1', '7'] }, { name: 'eve' }],
  page: { rows: ['anything'], total: 99, of: 'secret' },
  about: { cloud: 'x', fleet: 'secret' },
}
const numbers = new Map([
  ['page.total', 2],
  ['page.pages', 1],
  ['meta.total', 2],
])

function put(rows: Record<string, unknown>[], hide: string[] = [], more: Partial<ListAnswer> = {}) {
  const listed = { ...answer, ...more }
  const show = createShow(listed, listed.secrets, keys(hide))
  const items = rows.map((row) => show.item(row, keys(hide)))
  const sides = spec.sides.map((side) => sideOfAnswer(root, side))
  return JSON.stringify(
    assemble({ answer: listed, root: structuredClone(root), items, show, sides, numbers }),
  )
}

describe('assemble', () => {
  it('passes what the catalog declares, in the cloud’s order, and numbers only where it has them', () => {
    expect(
      JSON.parse(
        put([
          { id: '1', owner: 'bob' },
          { id: '2', owner: null },
        ]),
      ),
    ).toEqual({
      unit: { s: 1, v: 2 },
      owners: [{ name: 'bob', s: 2 }],
      page: {
        rows: [
          { id: '1', owner: 'bob' },
          { id: '2', owner: null },
        ],
        total: 2,
      },
      about: { cloud: 'x' },
    })
  })

  it('strips hidden keys from all that stands beside the items', () => {
    const made: unknown = JSON.parse(put([{ id: '1', owner: 'bob' }], ['s', 'cloud', 'total']))
    expect(made).toEqual({
      unit: { v: 2 },
      owners: [{ name: 'bob' }],
      page: { rows: [{ id: '1', owner: 'bob' }] },
    })
    expect(put([{ id: '1', owner: 'bob' }], ['owners'])).not.toContain('"owners"')
  })

  it('leaves out a secret side that no shown item may name', () => {
    const secrets = ['owners']
    const show = createShow(answer, secrets, keys())
    const item = show.item({ id: '1', owner: 'bob' }, keys([], ['owners']))
    const sides = spec.sides.map((side) => sideOfAnswer(root, side))
    const made = assemble({ answer, root, items: [item], show, sides, numbers })
    expect(made).not.toHaveProperty('owners')
    expect(put([{ id: '1', owner: 'bob' }], [], { secrets })).not.toContain('owners')
  })

  it('keeps a bare list bare', () => {
    expect(put([{ id: '1' }], [], { at: '' })).toBe('[{"id":"1"}]')
  })

  it('refuses sides that are no lists of named entries', () => {
    const [side] = spec.sides
    if (side === undefined) throw new Error('kit')
    for (const owners of [{}, 'x', ['ann'], [{ id: 'ann' }]]) {
      expect(() => [...sideOfAnswer({ owners }, side)]).toThrow('unfilterable_answer')
    }
    expect([...sideOfAnswer({}, side)]).toEqual([])
    const kept = [...sideOfView(new Map([['ann', '["x"]']]))]
    expect(() => kept[0]?.[1]()).toThrow('unfilterable_answer')
  })
})
