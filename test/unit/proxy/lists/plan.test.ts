import { describe, expect, it } from 'vitest'
import { idsAmong, planOf } from '../../../../src/proxy/lists/plan.ts'

const spec = {
  narrow: [
    { query: 'deviceId', attribute: 'id' },
    { query: 'groups', attribute: 'groups' },
  ],
}
const sorted = { key: 'sortAttr', value: 'name' }
const one = { attribute: 'id', values: ['a'] }
const site = { attribute: 'groups', values: ['site-7'] }

describe('planOf', () => {
  it('asks for one id by the list’s own filter, under the client’s filters', () => {
    expect(planOf([site, one], spec, [sorted])).toEqual({
      ...{ way: 'ids', id: 'a', key: 'deviceId', query: [sorted] },
    })
  })

  it('reads the whole list for several ids: nobody else knows the cloud’s order', () => {
    const two = { attribute: 'id', values: ['a', 'b'] }
    expect(planOf([two], spec, [sorted])).toEqual({ way: 'index', query: [sorted] })
    expect(planOf([{ attribute: 'id', values: [] }], spec, [])).toMatchObject({ way: 'index' })
  })

  it('adds the filter of the one value that all that can pass have', () => {
    const added = { key: 'groups', value: 'site-7' }
    expect(planOf([site], spec, [sorted])).toEqual({ way: 'narrowed', query: [sorted, added] })
    expect(planOf([site], spec, [added])).toEqual({ way: 'narrowed', query: [added] })
  })

  it('never touches a filter that the client has set, nor one with several values', () => {
    const own = { key: 'groups', value: 'site-9' }
    expect(planOf([site], spec, [own])).toEqual({ way: 'index', query: [own] })
    const byId = { key: 'deviceId', value: 'ff' }
    expect(planOf([one], spec, [byId])).toEqual({ way: 'index', query: [byId] })
    expect(planOf([{ attribute: 'groups', values: ['a', 'b'] }], spec, []).way).toBe('index')
    expect(planOf([{ attribute: 'groups', values: ['a,b'] }], spec, []).way).toBe('index')
    expect(planOf([site], { narrow: [] }, []).way).toBe('index')
  })
})

describe('idsAmong', () => {
  it('knows the ids that can pass, or that it does not', () => {
    expect(idsAmong([site])).toBeUndefined()
    expect(idsAmong([site, { attribute: 'id', values: ['a', 'b'] }, one])).toEqual(new Set(['a']))
  })
})
