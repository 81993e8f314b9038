import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { createTextSet } from '../../../src/lib/text-set.ts'

describe('createTextSet', () => {
  it('finds what it holds and nothing else', () => {
    const text = fc.oneof(fc.string({ maxLength: 4 }), fc.stringMatching(/^[ab]{0,12}$/))
    fc.assert(
      fc.property(fc.array(text, { maxLength: 200 }), fc.array(text), (held, asked) => {
        const set = createTextSet(held)
        for (const one of [...held, ...asked]) {
          expect(set.find(one)).toBe(held.includes(one) ? one : undefined)
        }
      }),
    )
  })

  it('finds nothing in an empty set', () => {
    expect(createTextSet([]).find('')).toBeUndefined()
  })

  it('tells texts apart that differ only at their beginning, however many', () => {
    const texts = Array.from({ length: 2000 }, (_, index) => `${index}-the-same-ending`)
    const set = createTextSet(texts.slice(0, 1000))
    expect(texts.filter((text) => set.find(text) !== undefined)).toEqual(texts.slice(0, 1000))
  })
})
