import { describe, expect, it } from 'vitest'
import type { Attribute, AttributeType } from '../../../src/domain/catalog.ts'
import { createAttributeReader } from '../../../src/upstream/attributes.ts'

const attribute = (name: string, type: AttributeType, more: Partial<Attribute> = {}) =>
  [name, { name, type, from: name, says: name, ...more }] as const
const attributes = new Map<string, Attribute>([
  attribute('text', 'string'),
  attribute('number', 'number'),
  attribute('flag', 'boolean'),
  attribute('at', 'time'),
  attribute('groups', 'strings'),
  attribute('deep', 'string', { from: 'product.deep', item: 'deep' }),
])
const read = createAttributeReader(attributes, 'item')

describe('createAttributeReader', () => {
  it('reads what is of its type, from where the root has it', () => {
    const values = { text: 'a', number: 1.5, flag: false, at: '2026-01-01', groups: ['a'] }
    expect(read({ ...values, deep: 'x' })).toEqual({ ...values, deep: 'x' })
    const lookup = createAttributeReader(attributes, 'lookup')
    expect(lookup({ product: { deep: 'x' }, deep: 'y' })).toEqual({ deep: 'x' })
  })

  it('leaves out what is not', () => {
    const odd = { text: 1, number: '1', flag: 'true', at: 'soon', groups: ['a', 1] }
    expect(read(odd)).toEqual({})
    expect(read({ text: null, groups: 'a', number: Number.NaN })).toEqual({})
    for (const root of [undefined, null, 'x', [{ text: 'a' }]]) expect(read(root)).toEqual({})
    expect(read(Object.create({ text: 'inherited' }))).toEqual({})
  })

  it('reads a number that was kept as its source text', () => {
    expect(read({ number: JSON.rawJSON('12345678901234567890') })).toEqual({
      number: Number('12345678901234567890'),
    })
    expect(read({ number: JSON.rawJSON('1.50'), text: JSON.rawJSON('"a"') })).toEqual({
      number: 1.5,
    })
  })
})
