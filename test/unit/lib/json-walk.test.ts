import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { JsonBytes, NotPlain, skipSpace } from '../../../src/lib/json-bytes.ts'
import { Entries, Shape } from '../../../src/lib/json-shape.ts'
import { skipObject, skipValue, valueAfter } from '../../../src/lib/json-walk.ts'

/** True where it is taken for one JSON value. */
function isTaken(text: Buffer): boolean {
  try {
    const end = skipValue(new JsonBytes(text), skipSpace(text, 0), new Shape(), 0)
    return skipSpace(text, end) === text.length
  } catch (error) {
    if (error instanceof NotPlain) return false
    throw error
  }
}

function parses(text: Buffer): boolean {
  try {
    JSON.parse(text.toString('utf8'))
    return true
  } catch {
    return false
  }
}

const space = fc.constantFrom('', '', ' ', '\n\t', '\r ')
const key = fc.oneof(fc.constantFrom('id', 'ab', 'abc', 'abcd', 'abcde', 'é', ''), fc.string())
const leaf = fc.oneof(
  fc.constantFrom('true', 'false', 'null', '0', '-0', '1e5', '-12.50E-3', '12345678901234567890'),
  fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\u00e9"', '"\\/"', '"\\ud83d\\ude00 \\uD800"', '"\\"\\\\\\b\\f\\n\\r\\t"'),
)
/** JSON in any spelling; keys may come twice. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc
      .tuple(fc.array(tie('json'), { maxLength: 4 }), space)
      .map(([values, gap]) => `[${gap}${values.join(`${gap},${gap}`)}${gap}]`),
    fc
      .tuple(fc.array(fc.tuple(key, tie('json')), { maxLength: 5 }), space)
      .map(([entries, gap]) => {
        const inside = entries.map(([name, value]) => {
          return `${gap}${JSON.stringify(name)}${gap}:${gap}${value}${gap}`
        })
        return `{${inside.join(',') || gap}}`
      }),
  ),
}))

/** Values that begin alike, and end or go on in other ways. */
const nearly = fc.constantFrom(
  ...[
    '1',
    '12',
    '1.5',
    '1e5',
    '-1',
    'true',
    'null',
    '""',
    '"a"',
    '"ab"',
    '"a\\\\"',
    '"a\\""',
    '"a\\u0062"',
  ],
  ...[
    '"é"',
    '"è"',
    '"long enough to be compared 1"',
    '"long enough to be compared 12"',
    '{}',
    '[]',
  ],
  ...[
    '{"x":1}',
    '{"x":12}',
    '{"x":"a"}',
    '{"x":"\\/"}',
    '[1]',
    '[1,2]',
    '[{"x":"a"}]',
    '[{"x":"ab"}]',
  ],
)
const column = fc.option(nearly, { nil: undefined, freq: 9 })
/** Entries of objects as lists have them: the same keys in one order, and few values. */
const alike = fc.tuple(column, column, column).map((values) => {
  const names = ['a', 'ab', 'c']
  return values.flatMap((value, at): [string, string][] =>
    value === undefined ? [] : [[names[at] ?? '', value]],
  )
})
const write = (gap: string) => (entries: readonly (readonly [string, string])[]) => {
  const inside = entries.map(([name, value]) => {
    return `${gap}${JSON.stringify(name)}${gap}:${gap}${value}${gap}`
  })
  return `{${inside.join(',')}}`
}
const alikes = fc
  .tuple(fc.array(alike, { minLength: 2, maxLength: 5 }), space)
  .map(([objects, gap]) => `[${objects.map(write(gap)).join(',')}]`)

/** With keys that need no escape, which stand in the same order everywhere. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .filter(([name]) => JSON.stringify(name) === `"${name}"` && name !== '__proto__')
    .map(([name, below]): [string, unknown] => [name, inOrder(below)])
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

describe('skipValue', () => {
  it('takes every value that is written plainly', () => {
    const plainly = fc.jsonValue({ maxDepth: 5 }).map((value) => inOrder(value))
    fc.assert(
      fc.property(plainly, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        expect(isTaken(Buffer.from(JSON.stringify(value, undefined, indent)))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('takes nothing that is no JSON, whatever bytes are changed, left out or put in', () => {
    const change = fc.record({
      at: fc.nat(),
      remove: fc.nat(2),
      put: fc.oneof(
        fc.constantFrom('', ',', ':', '"', '\\', '{', '}', '[', ']', '0', '-', '.', 'e', '\u0000'),
        fc.string({ maxLength: 2 }),
      ),
    })
    let refused = 0
    let taken = 0
    fc.assert(
      fc.property(fc.oneof(json, alikes), fc.array(change, { maxLength: 2 }), (source, changes) => {
        let text = source
        for (const { at, remove, put } of changes) {
          const from = at % (text.length + 1)
          text = text.slice(0, from) + put + text.slice(from + remove)
        }
        const bytes = Buffer.from(text)
        if (!isTaken(bytes)) refused += 1
        else {
          taken += 1
          expect({ text, parses: parses(bytes) }).toEqual({ text, parses: true })
        }
      }),
      { numRuns: 10_000 },
    )
    expect(Math.min(refused, taken)).toBeGreaterThan(500)
  })

  it.each([
    ['two values', '{}{}'],
    ['a key twice', '{"a":1,"b":2,"a":3}'],
    ['a key twice, next to each other', '{"a":1,"a":1}'],
    ['a key twice far within', '[{"a":[{"b":{"c":1,"c":2}}]}]'],
    ['an escape in a key', '{"\\u0061":1}'],
    ['the key of prototypes', '{"__proto__":{}}'],
    ['a control character', '"\n"'],
    ['a number with a zero before it', '[01]'],
    ['half a word', '[tru]'],
    ['half a word at the end', 'nul'],
    ['the end of a word', 'xalse'],
    ['half an escape', '"\\u00e"'],
    ['no such escape', '"\\x"'],
    ['a comma too many', '[1,]'],
    ['an object that goes on', '{"a":1,}'],
    ['nothing', ''],
    ['a text without its end', '"a'],
    ['an object without its end', '{"a":1'],
    ['a key without a value', '[{"a":1},{"a"}]'],
    ['a number that goes on as none', '[{"a":1},{"a":1x}]'],
    ['a text that goes on', '[{"a":"b"},{"a":"b""}]'],
    ['a text that is cut off', '[{"a":"bcdefghijk"},{"a":"bcdefghi'],
    ['a key that ends with the text', '[{"abcd":1},{"abc'],
    ['arrays nested deep', `${'['.repeat(50)}${']'.repeat(50)}`],
    ['objects nested deep', `${'{"a":'.repeat(50)}1${'}'.repeat(50)}`],
    [
      'very many keys',
      JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, n]))),
    ],
  ])('leaves %s to a whole parser', (_, text) => {
    expect(isTaken(Buffer.from(text))).toBe(false)
    expect(isTaken(Buffer.from('[{"a":{"b":[1,"2"]}}]'))).toBe(true)
  })

  it('takes objects that lack keys or have more, and leaves those in another order', () => {
    expect(isTaken(Buffer.from('[{"a":1,"c":1},{"a":1,"b":1,"c":1},{"c":1},{"b":1},{}]'))).toBe(
      true,
    )
    expect(isTaken(Buffer.from('[{"a":1,"b":1},{"b":1,"a":1}]'))).toBe(false)
  })

  it('takes values that begin like the one before and go on, and leaves what goes on as no value', () => {
    expect(isTaken(Buffer.from('[{"a":1},{"a":12},{"a":12.5},{"a":12.5e1}]'))).toBe(true)
    expect(isTaken(Buffer.from('[{"a":"b"},{"a":"bc"},{"a":"bc\\n"},{"a":"bc\\nd"}]'))).toBe(true)
    expect(isTaken(Buffer.from('[{"a":1},{"a":1.}]'))).toBe(false)
    expect(isTaken(Buffer.from('[{"a":"b"},{"a":"b"c}]'))).toBe(false)
  })
})

const anyEntries = fc.dictionary(key, json, { maxKeys: 5 }).map(Object.entries<string>)

describe('skipObject', () => {
  it('notes the entries that a parser finds, and which are spelled as it would not write them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyEntries, alike), { maxLength: 8 }),
        space,
        (objects, gap) => {
          const texts = objects.map(write(gap))
          const text = Buffer.from(texts.join(''))
          const bytes = new JsonBytes(text)
          const shape = new Shape()
          const entries = new Entries(1)
          const expected: unknown[] = []
          try {
            let at = 0
            for (const each of texts) {
              at = skipObject(bytes, at, shape, 0, entries)
              expected.push(...Object.entries(JSON.parse(each)))
            }
            expect(at).toBe(text.length)
          } catch (error) {
            if (error instanceof NotPlain) return
            throw error
          }
          const found = Array.from({ length: entries.length }, (_, index) => {
            const value = text.toString(
              'utf8',
              valueAfter(bytes, entries.start(index) + (shape.lengths[entries.key(index)] ?? 0)),
              entries.end(index),
            )
            expect(entries.respelled.has(index)).toBe(/\\[u/]/.test(value.replaceAll('\\\\', '')))
            return [shape.names[entries.key(index)], JSON.parse(value)]
          })
          const byText = (a: unknown[], b: unknown[]) => (String(a[0]) < String(b[0]) ? -1 : 1)
          const sorted = (all: unknown[]) =>
            all.map((each) => (Array.isArray(each) ? each : [])).toSorted(byText)
          expect(sorted(found)).toEqual(sorted(expected))
        },
      ),
      { numRuns: 3000 },
    )
  })
})
