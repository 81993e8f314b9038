import { fc } from '../../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import type { AnswerSpec } from '../../../../src/domain/catalog.ts'
import type { Obligations } from '../../../../src/domain/decision.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { cutAnswer } from '../../../../src/proxy/cut.ts'
import { cutQuickly } from '../../../../src/proxy/lists/raw-cut.ts'

type List = Extract<AnswerSpec, { kind: 'list' }>
const list: List = {
  ...{ kind: 'list', at: 'devices', secrets: ['mobile_secret'], item: 'device' },
  items: {
    ...{ id: 'id', facts: 'item', narrow: [], keep: ['meta'] },
    sides: [{ at: 'owners', key: 'name', of: 'owner', keep: ['name'] }],
  },
}
const whole: Obligations = {
  ...{ answer: undefined, hide: new Set<string>(), reveal: new Set<string>() },
}

function bothWays(text: string, obligations: Obligations, more: Partial<List> = {}, status = 200) {
  const headers = { 'content-type': 'application/json' }
  const answered = { status, headers, body: Buffer.from(text) }
  const cut = { answer: { ...list, ...more }, obligations }
  return [said(() => cutQuickly(answered, cut)), said(() => cutAnswer(answered, cut))] as const
}

function said(cut: () => { mode: string; body: Buffer }): { mode: string; text: string } {
  try {
    const { mode, body } = cut()
    return { mode, text: body.toString() }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { mode: 'refused', text: error.code }
  }
}

/** What differs in spelling alone is equal, numbers aside that a double would change. */
function meaning({ mode, text }: { mode: string; text: string }): unknown {
  if (mode !== 'cut' || !/^[[{]/.test(text)) return { mode, text }
  return JSON.parse(text.replaceAll('12345678901234567890', '"a big number"'))
}

const value = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.constantFrom(
      ...['1', 'null', '12345678901234567890', '[]', '{}', '"é"', '"\\u00e9\\/\\n"', '[[[]]]'],
      ...['{"ip":1,"n":2}', '[{"x":{"ip":"\\u0061"}},3]', '{"mobile_secret":1}', '[[{"ip":2}]]'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('{"n":1,"n":2}', '{"__proto__":1}', '{"\\u0069p":1}', '{"n":}'),
  },
)
const keys = ['id', 'ip', 'name', 'owner', 'mobile_secret', 'größe', 'toString']
const item = fc.oneof(
  {
    weight: 60,
    arbitrary: fc
      .record(Object.fromEntries(keys.map((key) => [key, value])), { requiredKeys: [] })
      .map((entries) => {
        const texts = Object.entries(entries).map(([key, text]) => `"${key}": ${text}`)
        return `{${texts.join(' ,')} }`
      }),
  },
  { weight: 1, arbitrary: fc.constantFrom('7', 'null', '[]', '{"id":1,}') },
)
const plainFrame = fc.constantFrom(
  ...['', '"meta":{"a":1e3,"ip":2},', '"ip":[1],', '"owners":[{"name":1}],'],
  ...['"7":{"mobile_secret":1},', '"owners":null,'],
)
const oddFrame = fc.constantFrom('"owners":{},', '"devices":[],', '"__proto__":[],')
const frame = fc.oneof({ weight: 12, arbitrary: plainFrame }, { weight: 1, arbitrary: oddFrame })
const root = fc
  .record({ items: fc.array(item, { maxLength: 6 }), before: frame, after: frame })
  .map(({ items, before, after }) => {
    const end = after === '' ? '' : `,${after.slice(0, -1)}`
    return ` {${before}"devices": [${items.join(' , ')}]${end}} `
  })
const someNames = fc
  .subarray([...keys, 'n', 'owners', 'devices', 'meta'])
  .map((all) => new Set(all))
const few = fc.subarray(['ip', 'n', 'owner', 'meta']).map((all) => new Set(all))
const obligations: fc.Arbitrary<Obligations> = fc.record({
  answer: fc.option(someNames, { nil: undefined, freq: 1 }),
  hide: fc.oneof(few, someNames),
  reveal: fc.constantFrom(new Set<string>(), new Set(['mobile_secret'])),
})

describe('cutQuickly', () => {
  it('says what is said when all is parsed, of any list and whatever is cut', () => {
    let raws = 0
    fc.assert(
      fc.property(root, obligations, (text, each) => {
        const [quick, parsed] = bothWays(text, each)
        // Bytes are copied with the white space that is in them.
        if (quick.mode === 'cut' && quick.text !== parsed.text) raws += 1
        expect(meaning(quick)).toEqual(meaning(parsed))
      }),
      { numRuns: 3000 },
    )
    expect(raws).toBeGreaterThan(600)
  })

  it('copies what is kept and leaves no trace of what is not', () => {
    const text = '{"a":1,"devices":[{"id":1.0,"ip":"x","box":[{"ip":2,"n":3}]}],"ip":4,"z":[]}'
    const [quick] = bothWays(text, { ...whole, hide: new Set(['ip']) })
    expect(quick.text).toBe('{"a":1,"devices":[{"id":1.0,"box":[{"n":3}]}],"z":[]}')
    const [kept] = bothWays(text, { ...whole, answer: new Set(['id']) })
    expect(kept.text).toBe('{"a":1,"devices":[{"id":1.0}],"ip":4,"z":[]}')
  })

  it('T17 spells texts so that a credential in them is seen', () => {
    const text = '{"devices":[{"id":"\\u0061b\\/cd"}],"beside":"\\u0061b"}'
    expect(bothWays(text, whole)[0].text).toBe('{"devices":[{"id":"ab/cd"}],"beside":"ab"}')
  })

  it('takes a bare list', () => {
    const { items: _, ...bare } = list
    const answer = { ...bare, at: '' }
    const headers = { 'content-type': 'application/json' }
    const answered = { status: 200, headers, body: Buffer.from(' [{"id": 1.0,"mobile_secret":2}]') }
    expect(cutQuickly(answered, { answer, obligations: whole }).body.toString()).toBe(
      '[{"id": 1.0}]',
    )
  })

  it('sends on untouched what nothing is to be cut of', () => {
    const text = 'no { json'
    const [quick] = bothWays(text, { ...whole, reveal: new Set(['mobile_secret']) })
    expect(quick).toEqual({ mode: 'whole', text })
    expect(bothWays(text, whole)[0]).toEqual({ mode: 'refused', text: 'unfilterable_answer' })
  })

  it.each<[string, string, Obligations, Partial<List>, number]>([
    ['a list further down', '{"a":{"devices":[{"id": 1}]}}', whole, { at: 'a.devices' }, 200],
    ['an error', '{"error":"no","devices":[{"id": 1}]}', whole, {}, 404],
    ['another success', '{"devices":[{"id": 1}]}', whole, {}, 201],
    ['nothing at all', '', whole, {}, 204],
    [
      'a list whose key is taken out',
      '{"devices":[]}',
      { ...whole, hide: new Set(['devices']) },
      {},
      200,
    ],
    ['items that are decided one by one', '{"devices":[{}]}', { ...whole, items: 'each' }, {}, 200],
    ['what is no list', '{"devices":{}}', whole, {}, 200],
    ['a key twice', '{"devices":[{"id":1,"id":2}]}', whole, {}, 200],
  ])('leaves %s to who parses', (_, text, each, more, status) => {
    const [quick, parsed] = bothWays(text, each, more, status)
    expect(quick).toEqual(parsed)
  })

  it('refuses what is not labelled as JSON', () => {
    const body = Buffer.from('{"devices":[]}')
    const answered = { status: 200, headers: { 'content-type': 'text/html' }, body }
    expect(() => cutQuickly(answered, { answer: list, obligations: whole })).toThrow(Problem)
    const labelled = { ...answered, headers: { 'content-type': 'application/json' } }
    expect(cutQuickly(labelled, { answer: list, obligations: whole }).mode).toBe('cut')
  })
})
