import { describe, expect, it } from 'vitest'
import { numbersOf, pageOf, rangeOf } from '../../../../src/proxy/lists/page.ts'

const paging = {
  page: 'page',
  size: ['perPage', 'per_page'],
  defaultSize: 25,
  maxSize: 100,
  meta: { pages: 'meta.total_pages', total: 'meta.total' },
}
const queryOf = (text: string) =>
  Array.from(new URLSearchParams(text), ([key, value]) => ({ key, value }))

describe('pageOf', () => {
  it.each([
    ['', { page: 1, size: 25 }],
    ['page=3&per_page=7', { page: 3, size: 7 }],
    ['perPage=1000', { page: 1, size: 100 }],
  ])('reads %s', (text, page) => {
    expect(pageOf(queryOf(text), paging)).toEqual({ page, filters: [] })
  })

  it('leaves filters and orders to the cloud', () => {
    const { filters } = pageOf(queryOf('groups=a&page=2&sortAttr=x'), paging)
    expect(filters.map(({ key }) => key)).toEqual(['groups', 'sortAttr'])
  })

  it.each([
    'page=0',
    'page=-1',
    'page=01',
    'page=1.0',
    'page=',
    'page= 1',
    'perPage=1e9',
    'perPage=٣',
  ])('refuses %s', (text) => {
    expect(() => pageOf(queryOf(text), paging)).toThrow('invalid_request')
  })

  it('refuses two words on the size, even where they agree', () => {
    expect(() => pageOf(queryOf('perPage=1&per_page=1'), paging)).toThrow('invalid_request')
  })
})

describe('rangeOf', () => {
  it.each([
    [1, 3, 7, 0, 3],
    [3, 3, 7, 6, 7],
    [4, 3, 7, 7, 7],
    [999_999_999, 100, 7, 7, 7],
    [1, 3, 0, 0, 0],
  ])('page %i of %i out of %i', (page, size, total, from, to) => {
    expect(rangeOf({ page, size }, total)).toEqual({ from, to })
  })
})

describe('numbersOf', () => {
  it('counts what is seen, at the places the catalog has', () => {
    expect([...numbersOf(paging, { page: 1, size: 3 }, 7)]).toEqual([
      ['meta.total_pages', 3],
      ['meta.total', 7],
    ])
    expect([...numbersOf(paging, { page: 1, size: 3 }, 0)].map(([, number]) => number)).toEqual([
      0, 0,
    ])
  })
})
