import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { SeenValues } from '../../../src/lib/seen-values.ts'

function valuesOf(texts: readonly string[]) {
  const parsed: string[] = []
  const text = Buffer.from(texts.join(''))
  const seen = new SeenValues(text, (start, end) => {
    const part = text.toString('utf8', start, end)
    parsed.push(part)
    return { part }
  })
  let at = 0
  const values = texts.map((each) => {
    const start = at
    at += Buffer.byteLength(each)
    return seen.between(start, at)
  })
  return { parsed, values }
}

describe('SeenValues', () => {
  it('gives every value as it is parsed, whatever it saw before', () => {
    const some = fc.oneof(
      fc.constantFrom('[]', '["a"]', '["b"]', '0', 'x'.repeat(64), 'x'.repeat(65)),
      fc.string({ minLength: 1, maxLength: 4 }),
    )
    fc.assert(
      fc.property(fc.array(some, { maxLength: 600 }), (texts) => {
        const shown = texts.map((part) => ({ part: Buffer.from(part).toString() }))
        expect(valuesOf(texts).values).toEqual(shown)
      }),
    )
  })

  it('parses what is alike once, and what is long each time', () => {
    const { parsed, values } = valuesOf(['["a"]', '["b"]', '["a"]', '["b"]'])
    expect(parsed).toEqual(['["a"]', '["b"]'])
    expect(values[2]).toBe(values[0])
    const long = 'y'.repeat(65)
    expect(valuesOf([long, long]).parsed).toEqual([long, long])
  })

  it('keeps values apart that share a slot', () => {
    const many = Array.from({ length: 2000 }, (_, nth) => `[${nth}]`)
    const twice = [...many, ...many]
    expect(valuesOf(twice).values).toEqual(twice.map((part) => ({ part })))
  })
})
