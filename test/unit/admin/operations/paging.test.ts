import { describe, expect, it } from 'vitest'
import { linksTo, pagingOf, pagingQuery } from '../../../../src/admin/operations/paging.ts'

describe('paging', () => {
  it('is the first twenty where nothing is said', () => {
    expect(pagingOf({ query: {} })).toEqual({ page: 1, perPage: 20 })
    expect(pagingOf({ query: { page: '3', per_page: '5' } })).toEqual({ page: 3, perPage: 5 })
  })

  it('takes whole numbers within bounds alone', () => {
    const takes = (value: string) => pagingQuery.per_page.safeParse(value).success
    expect(['1', '20', '100'].map(takes)).toEqual([true, true, true])
    expect(['0', '101', '-1', '1e2', '01', ' 1', '', '1.5'].some(takes)).toBe(false)
  })

  it('links to the pages around, and to none that is not there', () => {
    const request = { query: { search: 'a&b' } }
    const link = (page: number, total: number) =>
      linksTo('/x', request, { page, perPage: 10 }, total)['link']
    expect(link(1, 10)).toBeUndefined()
    expect(link(1, 11)).toBe(
      '</x?search=a%26b&page=2&per_page=10>; rel="next", </x?search=a%26b&page=2&per_page=10>; rel="last"',
    )
    expect(link(2, 11)).toBe(
      '</x?search=a%26b&page=1&per_page=10>; rel="first", </x?search=a%26b&page=1&per_page=10>; rel="prev"',
    )
    expect(link(9, 11)).toContain('page=2&per_page=10>; rel="prev"')
  })
})
