import { describe, expect, it } from 'vitest'
import { pathOf, queryOf } from '../../../src/proxy/query.ts'
import { encodeQuery } from '../../../src/proxy/target.ts'

describe('queryOf', () => {
  it('takes apart what was put together, whatever is in it', () => {
    const entries = [
      { key: 'name', value: 'a+b c&d=e%f' },
      { key: 'ключ', value: '' },
      { key: 'x', value: '?#/' },
    ]
    const target = `/v1/x${encodeQuery(entries)}`
    expect(queryOf(target)).toEqual(entries)
    expect(pathOf(target)).toBe('/v1/x')
    expect([queryOf('/v1/x'), pathOf('/v1/x')]).toEqual([[], '/v1/x'])
  })
})
