import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { JsonFault, parseStrictJson } from '../../../src/lib/strict-json.ts'

const fault = (text: string | Buffer): string => {
  try {
    parseStrictJson(Buffer.from(text))
    return 'taken'
  } catch (error) {
    return error instanceof JsonFault ? error.message : `threw ${String(error)}`
  }
}

describe('parseStrictJson', () => {
  it('B01 sees a repeated key through escapes, at any depth, and not between siblings', () => {
    expect(fault('{"a":1,"\\u0061":2}')).toMatch(/twice/)
    expect(fault('[{"b":{"a":1,"a":1}}]')).toMatch(/twice/)
    expect(fault('[{"a":1},{"a":{"a":["a","a"]}}]')).toBe('taken')
    expect(fault('{"a":"\\"a\\":1,","b":"{\\"a\\":1"}')).toBe('taken')
  })

  it('B09 refuses depth, many keys, reserved keys, bad text; takes long strings', () => {
    expect(fault('['.repeat(32) + ']'.repeat(32))).toBe('taken')
    expect(fault('['.repeat(33) + ']'.repeat(33))).toMatch(/deep/)
    expect(fault('['.repeat(10_000))).toMatch(/not JSON/)
    expect(fault('['.repeat(100_000))).toMatch(/too many values/)
    const keys = Array.from({ length: 10_001 }, (_, i) => `"k${i}":1`)
    expect(fault(`{${keys.slice(1).join()}}`)).toBe('taken')
    expect(fault(`{${keys.join()}}`)).toMatch(/too many/)
    expect(fault('{"\\u005f_proto__":1}')).toMatch(/reserved/)
    expect(fault(Buffer.from([0x22, 0xff, 0x22]))).toMatch(/UTF-8/)
    expect(fault('\ufeff1')).toMatch(/not JSON/)
    expect(fault(JSON.stringify({ a: 'x'.repeat(10_000_000) }))).toBe('taken')
    expect(fault(JSON.stringify({ a: '\\"'.repeat(2_000_000) }))).toBe('taken')
  })

  it('B09 counts values of keys and of lists, at any depth and none that only looks like one', () => {
    const list = (count: number, value = '1') => `[${Array(count).fill(value).join(' , ')}]`
    const most = 20_000
    for (const value of ['1', '""', '"a,b[,{"', '"\\\\"', '"\\",\\","', '[]', '{ }', '[\n]']) {
      // The list is a value itself.
      expect([value, fault(list(most - 1, value))]).toEqual([value, 'taken'])
      expect([value, fault(list(most, value))]).toEqual([value, expect.stringMatching(/values/)])
    }
    const pairs = (count: number) => `{"a":${list(count, '{"a":[1]}')}}`
    // Each of these is three, and two hold them.
    expect(fault(pairs((most - 2) / 3))).toBe('taken')
    expect(fault(pairs((most - 2) / 3 + 1))).toMatch(/values/)
    // Nothing is made of what holds too many, whatever else is wrong with it.
    expect(fault(`[${','.repeat(most)}`)).toMatch(/values/)
    expect(fault(`[${','.repeat(most - 2)}`)).toMatch(/not JSON/)
  })

  it('refuses numbers that would be sent on as others', () => {
    for (const text of ['9007199254740993', '-9007199254740992', '1e400', '[-1e400]']) {
      expect([text, fault(text)]).toEqual([text, 'A number of the body is out of range.'])
    }
    for (const text of ['9007199254740991', '-1.5e3', '0', '"9007199254740993"']) {
      expect([text, fault(text)]).toEqual([text, 'taken'])
    }
  })

  it('is stable: what was parsed, written again, is taken and means the same', () => {
    let taken = 0
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        if (fault(text) !== 'taken') return
        taken += 1
        const once = JSON.stringify(parseStrictJson(Buffer.from(text)))
        expect(JSON.stringify(parseStrictJson(Buffer.from(once)))).toBe(once)
      }),
    )
    expect(taken).toBeGreaterThan(50)
  })

  it('takes what JSON.parse takes, without its repairs', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('{}[]:,"\\a1-. ')) }), (text) => {
        let parsed: unknown
        try {
          parsed = JSON.parse(text)
        } catch {
          expect(fault(text)).toMatch(/not JSON/)
          return
        }
        if (fault(text) === 'taken') expect(parseStrictJson(Buffer.from(text))).toEqual(parsed)
        else expect(fault(text)).not.toMatch(/threw/)
      }),
      { numRuns: 2000 },
    )
  })
})
