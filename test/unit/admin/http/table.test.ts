import { describe, expect, it } from 'vitest'
import { createTable } from '../../../../src/admin/http/table.ts'
import type { AnyOperation } from '../../../../src/admin/operation.ts'

const operation = (
  id: string,
  method: AnyOperation['method'],
  path: string,
  errors: AnyOperation['errors'] = 'problem',
): AnyOperation => ({
  ...{ id, method, path, errors, tag: 't', summary: 's', role: 'viewer', answers: {} },
  handle: () => Promise.resolve({ status: 200 }),
})

const table = createTable([
  operation('root', 'GET', '/'),
  operation('list', 'GET', '/users'),
  operation('create', 'POST', '/users'),
  operation('one', 'GET', '/users/{name}'),
  operation('mine', 'PUT', '/users/me'),
  operation('team', 'GET', '/v1/team', 'cloud'),
])
const find = (method: string, path: string) =>
  table.find(method, path === '/' ? [] : path.slice(1).split('/'))

describe('the table of operations', () => {
  it('finds the one that method and path name, with its parameters', () => {
    expect(find('GET', '/users/wall')).toMatchObject({
      operation: { id: 'one' },
      params: { name: 'wall' },
    })
    expect(find('GET', '/').operation.id).toBe('root')
    expect(find('HEAD', '/users').operation.id).toBe('list')
  })

  it('takes a literal for itself, whatever the method', () => {
    expect(find('PUT', '/users/me').operation.id).toBe('mine')
    expect(() => find('GET', '/users/me')).toThrow(
      expect.objectContaining({ code: 'method_not_allowed', headers: { allow: 'PUT' } }),
    )
  })

  it('finds nothing by another path, case or method', () => {
    for (const path of ['/nothing', '/Users', '/users/a/b']) {
      expect(() => find('GET', path)).toThrow(expect.objectContaining({ code: 'unmapped_route' }))
    }
    expect(() => find('DELETE', '/users')).toThrow(
      expect.objectContaining({ headers: { allow: 'GET, HEAD, POST' } }),
    )
    expect(() => find('get', '/users')).toThrow(
      expect.objectContaining({ code: 'method_not_allowed' }),
    )
  })

  it('tells problems in the cloud’s words where its own paths begin', () => {
    expect(table.errorsAt(['v1', 'nothing'])).toBe('cloud')
    expect(table.errorsAt(['users'])).toBe('problem')
    expect(table.errorsAt([])).toBe('problem')
  })

  it('is not made where two operations stand at one place, or share an id', () => {
    const one = operation('one', 'GET', '/users/{name}')
    expect(() => createTable([one, operation('two', 'GET', '/users/{other}')])).toThrow(/Two/)
    expect(() => createTable([one, operation('one', 'GET', '/x')])).toThrow(/Two/)
    expect(() => createTable([one, operation('two', 'PUT', '/users/{other}')])).not.toThrow()
  })
})
