import { describe, expect, it } from 'vitest'
import { readTarget } from '../../../../src/admin/http/target.ts'

describe('readTarget', () => {
  it('decodes segments and query once', () => {
    const { segments, query } = readTarget('/api/users/a%40b?search=a+b%2Bc&page=2')
    expect(segments).toEqual(['api', 'users', 'a@b'])
    expect([...query]).toEqual([
      ['search', 'a b+c'],
      ['page', '2'],
    ])
    expect(readTarget('/').segments).toEqual([])
    expect(readTarget('/x?').query.size).toBe(0)
  })

  it.each(
    [
      ['', 'api', '//', '/a//b', '/a/', '/.', '/..', '/%2E', '/a/%2e%2E/b'],
      ['/a%2Fb', '/a%5Cb', '/a\\b', '/a%00', '/a%0a', '/a%7f', '/a;b', '/a b', '/ä', '/%', '/%g0'],
      ['/a%2541', '/%ff', '/a#b', '*', 'http://a/b', '/a?b#c', '/a?b=c&b=d', '/a?b[]=c', '/a?=c'],
      ['/a?b=%zz', '/a?b;c', `/${'a'.repeat(9000)}`, '/a?b=c&&d=e', '/a?b=%ff'],
    ].flat(),
  )('refuses %j', (target) => {
    expect(() => readTarget(target)).toThrow(expect.objectContaining({ code: 'ambiguous_target' }))
  })
})
