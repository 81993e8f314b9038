import { describe, expect, it } from 'vitest'
import * as shape from '../../../src/lib/shape.ts'
import { readYaml } from '../../../src/lib/yaml.ts'

const rule = shape.mapping({
  can: shape.textList(),
  calls: shape.integer(1, 10).optional(),
  every: shape.durationMs().optional(),
  size: shape.byteSize().optional(),
  on: shape.flag().optional(),
  kind: shape.z.enum(['read', 'write']).optional(),
})

function decoded(text: string): unknown {
  const file = readYaml(text, 'f.yaml')
  if (!file.ok) throw new Error(file.mistakes.map(({ message }) => message).join())
  const result = shape.decode(rule, file.file)
  if (result.ok) return result.value
  return result.mistakes.map((m) => `${m.line}:${m.column} ${m.message}`)
}

describe('decode', () => {
  it('types what is written plainly', () => {
    const text = 'can: a\ncalls: 10\nevery: 90d\nsize: 16MB\non: true\nkind: read'
    expect(decoded(text)).toEqual({
      ...{ can: ['a'], calls: 10, every: 7_776_000_000, size: 16_777_216, on: true, kind: 'read' },
    })
  })

  it('C14 names an unknown key, its place and the nearest right one', () => {
    expect(decoded('can: a\ncals: 1')).toEqual(['2:1 unknown key "cals"; did you mean "calls"?'])
  })

  it('reports all mistakes at once', () => {
    expect(decoded('can: []\ncalls: 0x1\nevery: 1\non: yes\nkind: wrte')).toEqual([
      expect.stringMatching(/^1:6 "can" /),
      '2:8 "calls" must be a whole number',
      expect.stringMatching(/^3:8 "every" must be a duration/),
      expect.stringMatching(/^4:5 "on" must be/),
      '5:7 "kind" must be one of: read, write; did you mean "write"?',
    ])
    expect(decoded('calls: 1')).toEqual(['1:1 "can" is missing'])
  })

  it('refuses numbers, durations and sizes at their edges', () => {
    const bad = ['calls: 0', 'calls: 11', 'calls: 1.0', 'calls: 01', 'every: 0s', 'every: 1.5h']
    for (const line of [...bad, 'every: 1w', 'size: 1', 'size: 1mb', 'size: 0B']) {
      expect([line, Array.isArray(decoded(`can: a\n${line}`))]).toEqual([line, true])
    }
    expect(decoded('can: a\nevery: 250ms\nsize: 1B')).toEqual({ can: ['a'], every: 250, size: 1 })
  })
})

describe('toJsonSchema', () => {
  it('lets editors take plain numbers and booleans where a text is wanted', () => {
    expect(shape.toJsonSchema(shape.mapping({ a: shape.text() }), 'T')).toMatchObject({
      title: 'T',
      additionalProperties: false,
      properties: { a: { type: ['string', 'number', 'boolean'] } },
    })
  })
})
