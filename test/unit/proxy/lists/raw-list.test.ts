import { fc } from '../../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import type { ListAnswer } from '../../../../src/domain/catalog.ts'
import type { Obligations } from '../../../../src/domain/decision.ts'
import { createTextSet } from '../../../../src/lib/text-set.ts'
import type { Look, Looked } from '../../../../src/proxy/lists/look.ts'
import { showParsed, type AnsweredList } from '../../../../src/proxy/lists/parsed-list.ts'
import { showRaw } from '../../../../src/proxy/lists/raw-list.ts'
import { withoutCredentials } from '../../../../src/proxy/lists/body.ts'
import { Secret } from '../../../../src/lib/secret.ts'
import { particleCatalog } from '../../../kit/catalog.ts'

const device = particleCatalog().resources.device
const idOf = (digit: string) => digit.repeat(24)
const [mine, too, other] = [idOf('a'), idOf('b'), idOf('c')]
const answer: ListAnswer = {
  ...{ kind: 'list', at: 'devices', secrets: ['mobile_secret'], item: 'device' },
  items: {
    ...{ id: 'id', facts: 'item', narrow: [], keep: ['meta'] },
    sides: [{ at: 'owners', key: 'name', of: 'owner', keep: ['name', 'n'] }],
  },
}
const whole: Obligations = {
  ...{ items: 'each', answer: undefined, hide: new Set<string>(), reveal: new Set<string>() },
}

/** Shows two devices, each under obligations of its own. */
function lookOf(shownBy: readonly Obligations[]): Look {
  const among = createTextSet([mine, too])
  return {
    judgeOf: () => {
      throw new Error('nobody asks')
    },
    among: async (_, items) => {
      const indexes: number[] = []
      const kinds: number[] = []
      for (let index = 0; index < items.length; index += 1) {
        const id = items.idAt(index, among)
        if (id === undefined) throw new Error('an item without an id')
        if (id === null) continue
        expect(items.itemAt(index)).toHaveProperty('id')
        indexes.push(index)
        kinds.push(id === mine ? 0 : shownBy.length - 1)
      }
      return {
        ...{ indexes: Uint32Array.from(indexes), kinds: Uint32Array.from(kinds) },
        ...{ obligations: shownBy, holds: 'now' },
      }
    },
  }
}

function listOf(text: string, more: Partial<ListAnswer> = {}): AnsweredList {
  const looked: Pick<Looked, 'answer'> & { judge: object; served: object } = {
    answer: { ...answer, ...more },
    judge: {},
    served: { decision: { obligations: whole } },
  }
  return {
    ...{ contentType: 'application/json', body: Buffer.from(text), resource: device },
    // What neither way looks at is left out.
    looked: looked as Looked,
  }
}

async function bothWays(text: string, shownBy: readonly Obligations[], more = {}) {
  const raw = await showRaw(lookOf(shownBy), listOf(text, more)).catch(String)
  const parsed = await showParsed(lookOf(shownBy), listOf(text, more)).catch(String)
  return { raw, parsed }
}

const said = (shown: unknown) =>
  typeof shown === 'object' && shown !== null && 'body' in shown ? String(shown.body) : shown

/** What differs in spelling alone is equal, numbers aside that a double would change. */
function meaning(shown: unknown): unknown {
  const text = said(shown)
  if (typeof text !== 'string' || !/^[[{]/.test(text)) return text
  return JSON.parse(text.replaceAll(/(?<=:\s*)12345678901234567890/g, '"a big number"'))
}

const space = fc.constantFrom('', ' ', '\n')
const plainValue = fc.constantFrom(
  ...['1', 'null', '12345678901234567890', '[]', '{}', '"é"', '"\\u00e9\\/\\n"', '""'],
  ...['{"ip":1,"n":2}', '[{"x":{"ip":"\\u0061"}},3]', '{"mobile_secret":1}'],
  '{"n":{"deep":[{"ip":1},{"n":1}]}}',
)
const value = fc.oneof(
  { weight: 40, arbitrary: plainValue },
  { weight: 1, arbitrary: fc.constantFrom('{"n":1,"n":2}', '{"__proto__":1,"n":2}') },
)
const item = fc.record(
  {
    id: fc.constantFrom(...[mine, too, other, mine.toUpperCase()].map((id) => JSON.stringify(id))),
    ip: value,
    name: value,
    owner: fc.constantFrom('"ann"', '"b\\u006fb"', 'null', '7', '""', '{"name":"eve"}'),
    mobile_secret: value,
    größe: value,
    toString: value,
  },
  { requiredKeys: ['id'] },
)
const owners =
  '[{"name":"ann","n":1,"devices":2},{"name":"bob"},{"name":7,"n":[{"ip":1}]},{"name":"eve"}]'
const root = fc
  .record({
    items: fc.array(item, { maxLength: 6 }),
    gap: space,
    first: fc.constantFrom('', '"next":"/x",', `"owners":${owners},`),
    last: fc.constantFrom('', `,"owners":${owners}`, ',"meta":{"a":1e3,"ip":2}', ',"meta":[1]'),
  })
  .map(({ items, gap, first, last }) => {
    const texts = items.map((each) => {
      const entries = Object.entries(each).map(([name, text]) => `"${name}"${gap}:${gap}${text}`)
      return `{${gap}${entries.join(`${gap},${gap}`)}${gap}}`
    })
    return `${gap}{${gap}${first}"devices":${gap}[${texts.join(`${gap},`)}${gap}]${gap}${last}}${gap}`
  })
const names = [
  'id',
  'ip',
  'name',
  'owner',
  'mobile_secret',
  'größe',
  'toString',
  'n',
  'owners',
  'meta',
]
const someNames = fc.subarray(names).map((all) => new Set(all))
const obligations = fc.record({
  items: fc.constant('each' as const),
  answer: fc.option(someNames, { nil: undefined }),
  hide: someNames,
  reveal: fc.constantFrom(new Set<string>(), new Set(['mobile_secret'])),
})

describe('showRaw', () => {
  it('copies items that follow each other, and nothing of one that is hidden between them', async () => {
    const shownOf = async (items: string) =>
      said((await bothWays(`{"devices":[${items}]}`, [whole])).raw)
    const [a, b] = [`{"n":1, "id":"${mine}"}`, `{"n":2, "id":"${too}"}`]
    const hidden = `{"n":3, "id":"${other}"}`
    expect(await shownOf(`${a} , ${b},${a}`)).toBe(`{"devices":[${a} , ${b},${a}]}`)
    expect(await shownOf(`${a},${hidden},${b}`)).toBe(`{"devices":[${a},${b}]}`)
    expect(await shownOf(`${hidden},${a},${hidden},${hidden}`)).toBe(`{"devices":[${a}]}`)
    const secret = `{"mobile_secret":"s","n":4, "id":"${mine}"}`
    expect(await shownOf(`${a},${secret},${b}`)).not.toContain('mobile_secret')
  })

  it('shows what is shown when all is parsed, or leaves it to that', async () => {
    let raws = 0
    await fc.assert(
      fc.asyncProperty(root, obligations, obligations, async (text, one, another) => {
        const { raw, parsed } = await bothWays(text, [one, another])
        if (raw === undefined) return
        raws += 1
        expect(meaning(raw)).toEqual(meaning(parsed))
      }),
      { numRuns: 2000 },
    )
    expect(raws).toBeGreaterThan(800)
  })

  it('leaves no trace of what is not shown, and of no key that is taken out', async () => {
    const hidden = { ...whole, answer: new Set(['id', 'name', 'box']), hide: new Set(['ip']) }
    const text = `{"devices":[
      {"id":"${other}","name":"theirs"},
      {"id":"${mine}","ip":"private","name":"mine","box":[{"a":1,"ip":"private"}],"x":"private"}
    ],"next":"private","owners":[{"name":"private"}]}`
    const { raw } = await bothWays(text, [hidden])
    expect(said(raw)).toBe(
      `{"devices":[{"id":"${mine}","name":"mine","box":[{"a":1}]}],"owners":[]}`,
    )
  })

  it('copies numbers as they are written', async () => {
    const text = `{"devices":[{"id":"${mine}","n":12345678901234567890.10,"m":-0.0e+1}]}`
    const { raw } = await bothWays(text, [whole])
    expect(said(raw)).toBe(text)
  })

  it('T17 spells texts so that a credential in them is seen', async () => {
    const secret = new Secret('ab/cd')
    const text = `{"devices":[{"id":"${mine}","a":"\\u0061b\\/cd","b":{"c":["\\u0061b/cd"]}}]}`
    const { raw } = await bothWays(text, [whole])
    const body = typeof raw === 'object' ? raw.body : Buffer.alloc(0)
    expect(withoutCredentials(body, [secret]).toString()).toBe(
      `{"devices":[{"id":"${mine}","a":"*****","b":{"c":["*****"]}}]}`,
    )
  })

  it('takes a bare list, and one with white space around', async () => {
    const text = ` [ { "id" : "${mine}" } , { "id" : "${other}" } ] `
    const { raw } = await bothWays(text, [whole], { at: '' })
    expect(said(raw)).toBe(`[{"id" : "${mine}"}]`)
  })

  it.each([
    ['a key twice', `{"devices":[{"id":"${other}","id":"${mine}"}]}`],
    ['the list twice', `{"devices":[{"id":"${mine}"}],"devices":[]}`],
    ['an escape in a key', `{"devices":[{"\\u0069d":"${mine}"}]}`],
    ['the key of prototypes', `{"devices":[{"id":"${mine}","__proto__":{"id":"${other}"}}]}`],
    ['no JSON', `{"devices":[{"id":"${mine}",}]}`],
    ['no JSON after it', `{"devices":[{"id":"${mine}"}]}]`],
    ['no list', `{"devices":"${mine}"}`],
    ['no list there', `{"others":[{"id":"${mine}"}]}`],
    ['items that are no objects', `{"devices":["${mine}"]}`],
    ['no object', `[{"id":"${mine}"}]`],
  ])('leaves %s to a whole parser', async (_, text) => {
    const plain = `{"devices":[{"id":"${mine}"}]}`
    expect(said((await bothWays(plain, [whole])).raw)).toBe(plain)
    expect((await bothWays(text, [whole])).raw).toBeUndefined()
  })

  it('refuses what is not labelled as JSON, or is no UTF-8', async () => {
    const list = listOf('{"devices":[]}')
    const look = lookOf([whole])
    await expect(showRaw(look, { ...list, contentType: 'text/html' })).rejects.toThrow('not JSON')
    const body = Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])
    await expect(showRaw(look, { ...list, body })).rejects.toThrow('UTF-8')
    expect(said(await showRaw(look, list))).toBe('{"devices":[]}')
  })

  it('is for lists whose items are told apart by their own keys', async () => {
    const text = `{"devices":[{"id":"${mine}"}]}`
    const look = lookOf([whole])
    const { items } = answer
    const deep: Partial<ListAnswer>[] = [
      { at: 'a.devices' },
      { items: { ...items, id: 'of.id' } },
      { items: { ...items, when: { at: 'kind', is: 'device' } } },
      { items: { ...items, sides: [{ at: 'owners', key: 'name', of: 'a.owner', keep: [] }] } },
    ]
    for (const more of deep) expect(await showRaw(look, listOf(text, more))).toBeUndefined()
    expect(said(await showRaw(look, listOf(text)))).toBe(text)
  })

  it('knows no item without an id', async () => {
    for (const id of ['"x"', 'null', '""', '{}', `["${mine}"]`]) {
      const { raw, parsed } = await bothWays(`{"devices":[{"id":${id}}]}`, [whole])
      expect(raw).toBe('Error: an item without an id')
      expect(parsed).toBe(raw)
    }
  })
})
