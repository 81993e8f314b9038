import { fc } from '../../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import type { Attribute, AttributeType, ItemsSpec } from '../../../../src/domain/catalog.ts'
import { parseCloudJson } from '../../../../src/lib/cloud-json.ts'
import { itemsOfRaw } from '../../../../src/proxy/lists/items-of-raw.ts'
import { itemsOfAnswer, type Items } from '../../../../src/proxy/lists/items.ts'
import { readRawItems } from '../../../../src/proxy/lists/raw-items.ts'
import { createAttributeReader } from '../../../../src/upstream/attributes.ts'
import { particleCatalog } from '../../../kit/catalog.ts'

const { device } = particleCatalog().resources
const spec: ItemsSpec = { id: 'id', facts: 'item', narrow: [], keep: [], sides: [] }
const id = (digit: string) => digit.repeat(24)

const paths = ['on', 'groups', 'deep.er', 'deep', 'größe', 'constructor']
const types: AttributeType[] = ['string', 'number', 'boolean', 'time', 'strings']
const attributes = new Map(
  paths.flatMap((from) =>
    types.map((type): [string, Attribute] => {
      const name = `${from} as ${type}`
      return [name, { name, type, from, says: '' }]
    }),
  ),
)
const read = createAttributeReader(attributes, 'item')
const keys = new Set(['on', 'groups', 'deep', 'größe', 'constructor'])

function bothWays(text: string): { raw: Items | undefined; parsed: Items } {
  const body = Buffer.from(text)
  const found = readRawItems('application/json', body, '')
  const raw = found && itemsOfRaw(found, 'id', device)
  return { raw, parsed: itemsOfAnswer(parseCloudJson('application/json', body), spec, device) }
}

const value = fc.constantFrom(
  ...['true', 'false', 'null', '0', '-0', '3', '1.5', '-2e3', '1e400', '12345678901234567890'],
  ...['0.10000000000000000001', '""', '"true"', '"x"', '"\\u0078"', '"\\/"', '"é"', '{}'],
  ...['"2026-01-15T12:00:00.000Z"', '"2026-01-15"', '[]', '[ "site-7" ]', '["site-7"]'],
  ...['["site-8"]', '["a",1]', '[["a"]]', '[null]', '{"er":true}', '{"er":["a"]}', '{"er":{}}'],
  ...['{"er":12345678901234567890}', '{"e":1}', '[{"er":true}]', `["${'long-'.repeat(20)}"]`],
)
const idText = fc.constantFrom(
  ...[`"${id('a')}"`, `"${id('B')}"`, `"${id('\\u0061')}"`, '"x"', '""', 'null', '7', '{}'],
  '12345678901234567890',
)
const item = fc
  .record(
    {
      ...{ id: idText, on: value, groups: value, deep: value, größe: value },
      ...{ constructor: value, other: value, last: value },
    },
    { requiredKeys: [] },
  )
  .map((entries) => {
    const texts = Object.entries(entries).map(([key, text]) => `${JSON.stringify(key)} : ${text}`)
    return `{${texts.join(',')}}`
  })

describe('itemsOfRaw', () => {
  it('holds the ids and attributes that parsed items hold, of every type and in any order', () => {
    let raws = 0
    let facts = 0
    fc.assert(
      fc.property(fc.array(item, { maxLength: 12 }), (items) => {
        const { raw, parsed } = bothWays(`[${items.join(',')}]`)
        if (raw === undefined) return
        raws += 1
        expect(raw.length).toBe(parsed.length)
        for (let index = 0; index < parsed.length; index += 1) {
          const expected = read(parsed.itemAt(index))
          expect(raw.idAt(index)).toBe(parsed.idAt(index))
          expect(read(raw.itemAt(index, keys))).toStrictEqual(expected)
          expect(read(raw.itemAt(index))).toStrictEqual(expected)
          facts += Object.keys(expected).length
        }
      }),
      { numRuns: 2000 },
    )
    expect(raws).toBeGreaterThan(800)
    expect(facts).toBeGreaterThan(1000)
  })

  it('holds nothing but the keys that are asked for, and of an item nothing of the one before', () => {
    const { raw } = bothWays('[{"on":true,"x":1},{"x":2},{"on":false,"x":3},{"on":null}]')
    const some = [0, 1, 2, 3].map((index) => raw?.itemAt(index, new Set(['on', 'none'])))
    expect(some).toEqual([{ on: true }, {}, { on: false }, { on: null }])
    expect(raw?.itemAt(2, new Set(['x']))).toEqual({ x: 3 })
    expect(raw?.itemAt(2, new Set())).toEqual({})
    expect(raw?.itemAt(0)).toEqual({ on: true, x: 1 })
  })

  it('takes no value of the item after it, where its own lacks the key', () => {
    const few = fc.array(fc.subarray(['"id":1', '"x":2', '"on":true']), { maxLength: 8 })
    fc.assert(
      fc.property(few, (items) => {
        const { raw, parsed } = bothWays(
          `[${items.map((each) => `{${each.join(',')}}`).join(',')}]`,
        )
        if (raw === undefined) return
        for (let index = 0; index < items.length; index += 1) {
          expect(read(raw.itemAt(index, keys))).toEqual(read(parsed.itemAt(index)))
          expect(raw.idAt(index)).toBe(parsed.idAt(index))
        }
      }),
    )
    const { raw } = bothWays('[{"x":1,"on":true},{"x":2},{"on":true}]')
    const some = [0, 1, 2].map((index) => raw?.itemAt(index, new Set(['on'])))
    expect(some).toEqual([{ on: true }, {}, { on: true }])
  })

  it.each(['[{"on":false,"on":true}]', '[{"\\u006fn":true}]', '[{"__proto__":{"on":true}}]'])(
    'leaves %s to a whole parser',
    (text) => {
      expect(bothWays(text).raw).toBeUndefined()
      expect(bothWays('[{"on":true}]').raw?.itemAt(0)).toEqual({ on: true })
    },
  )
})
