import { describe, expect, it } from 'vitest'
import type { ItemsSpec, Route } from '../../../src/domain/catalog.ts'
import type { Obligations } from '../../../src/domain/decision.ts'
import { answerable } from '../../../src/proxy/answerable.ts'
import type { Asked } from '../../../src/proxy/describe.ts'
import { aRoute } from '../../kit/a-route.ts'
import { allowed, denied } from '../../kit/fakes.ts'

const items: ItemsSpec = { id: 'id', facts: 'item', sides: [], keep: [], narrow: [] }
const listed = { kind: 'list', at: 'devices', secrets: ['secret'], item: 'device', items } as const
const query: Route['query'] = new Map([
  ['name', { type: 'string', required: false, reads: 'name' }],
  ['token', { type: 'string', required: false, reads: 'secret' }],
  ['order', { type: 'string', required: false, reads: { byName: 'name', byId: 'id' } }],
  ['page', { type: 'number', required: false }],
])
const resource = { type: 'product', product: '1' } as const

function askedBy(route: Partial<Route>, target = '/v1/x', actions = ['devices:list']): Asked {
  return {
    ...{ route: aRoute('GET /v1/x', route), target, unresolved: undefined, resource },
    requests: actions.map((action) => ({ action, resource, fields: {}, values: {} })),
    upstream: { target, body: undefined, contentType: '', guard: { kind: 'none' } },
  }
}

function reason(asked: Asked, more: Partial<Obligations>): string {
  const decision = { ...allowed, obligations: { ...allowed.obligations, ...more } }
  const made = answerable(asked, decision)
  if (made.outcome === 'allow') expect(made).toBe(decision)
  return made.outcome === 'deny' ? made.reason : 'allow'
}

describe('answerable', () => {
  it('leaves a denial as it is', () => {
    expect(answerable(askedBy({}), denied)).toBe(denied)
  })

  it('denies items one by one where nothing tells them apart', () => {
    const each = { items: 'each' } as const
    const { items: _, ...bare } = listed
    expect(reason(askedBy({ answer: listed }), each)).toBe('allow')
    expect(reason(askedBy({ answer: bare }), each)).toBe('cannot_filter')
    expect(reason(askedBy({ answer: { kind: 'opaque' } }), each)).toBe('cannot_filter')
    expect(reason(askedBy({ answer: listed, method: 'POST' }), each)).toBe('cannot_filter')
    expect(reason(askedBy({ answer: listed }, '/v1/x', ['a', 'b']), each)).toBe('cannot_filter')
    expect(reason(askedBy({ answer: listed }, '/v1/x', ['a', 'a']), each)).toBe('allow')
    const { pattern } = aRoute()
    expect(reason(askedBy({ answer: { kind: 'stream', shared: pattern } }), each)).toBe('allow')
  })

  it('denies bytes of which keys would be cut, and not an event stream, which is cut event by event', () => {
    const hides = { hide: new Set(['a']) }
    expect(reason(askedBy({ answer: { kind: 'opaque' } }), hides)).toBe('cannot_filter')
    expect(reason(askedBy({ answer: { kind: 'opaque' } }), {})).toBe('allow')
    const { pattern } = aRoute()
    expect(reason(askedBy({ answer: { kind: 'stream', shared: pattern } }), hides)).toBe('allow')
  })

  it.each([
    ['/v1/x?name=a', {}, 'allow'],
    ['/v1/x?name=a', { hide: new Set(['name']) }, 'hidden_key'],
    ['/v1/x?name=a', { answer: new Set(['id']) }, 'hidden_key'],
    ['/v1/x?name=a', { answer: new Set(['id', 'name']) }, 'allow'],
    ['/v1/x?page=1', { answer: new Set(['id']) }, 'allow'],
    ['/v1/x?order=byName', { answer: new Set(['id']) }, 'hidden_key'],
    ['/v1/x?order=byId', { answer: new Set(['id']) }, 'allow'],
    ['/v1/x?order=toString', { answer: new Set(['id']) }, 'hidden_key'],
    ['/v1/x?token=a', {}, 'hidden_key'],
    ['/v1/x?token=a', { reveal: new Set(['secret']) }, 'allow'],
  ])('%s under %o: %s', (target, obligations, expected) => {
    expect(reason(askedBy({ answer: listed, query }, target), obligations)).toBe(expected)
  })
})
