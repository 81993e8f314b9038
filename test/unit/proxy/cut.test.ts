import { describe, expect, it } from 'vitest'
import type { AnswerSpec } from '../../../src/domain/catalog.ts'
import { createItemCut, cutAnswer, strippedKeys } from '../../../src/proxy/cut.ts'

type Words = { answer?: string[]; hide?: string[]; reveal?: string[] }

function cut(
  body: string | Buffer,
  spec: AnswerSpec,
  { answer, hide = [], reveal = [] }: Words,
  head: { status?: number; type?: string } = {},
) {
  const result = cutAnswer(
    {
      status: head.status ?? 200,
      headers: { 'content-type': head.type ?? 'application/json; charset=utf-8' },
      body: Buffer.from(body),
    },
    {
      answer: spec,
      obligations: {
        answer: answer && new Set(answer),
        hide: new Set(hide),
        reveal: new Set(reveal),
      },
    },
  )
  return { mode: result.mode, text: result.body.toString() }
}

const object = (at = '', secrets: string[] = []): AnswerSpec => ({ kind: 'object', at, secrets })
const list = (at = '', secrets: string[] = []): AnswerSpec => ({
  ...{ kind: 'list', at, secrets, item: 'device' },
})

describe('cutAnswer', () => {
  it('passes the very bytes on where nothing is to be cut, whatever they are', () => {
    expect(cut('not { json', object(), {}, { type: 'text/html' })).toEqual({
      ...{ mode: 'whole', text: 'not { json' },
    })
    expect(cut('{"a":1, "s":2}', object('', ['s']), { reveal: ['s'] }).text).toBe('{"a":1, "s":2}')
  })

  it('keeps only the answer keys of an object, at its dotted path', () => {
    expect(cut('{"id":"1","ip":"x"}', object(), { answer: ['id', 'none'] }).text).toBe('{"id":"1"}')
    expect(
      cut('{"ok":true,"d":{"x":{"id":1,"ip":2}}}', object('d.x'), { answer: ['id'] }).text,
    ).toBe('{"ok":true,"d":{"x":{"id":1}}}')
  })

  it('keeps only the answer keys of every list item and leaves the list its frame', () => {
    const body = '{"devices":[{"id":1,"ip":2},{"ip":3}],"meta":{"total_pages":4}}'
    expect(cut(body, list('devices'), { answer: ['id'] }).text).toBe(
      '{"devices":[{"id":1},{}],"meta":{"total_pages":4}}',
    )
    expect(cut('[{"id":1,"ip":2}]', list(), { answer: ['id'] }).text).toBe('[{"id":1}]')
  })

  it('strips hidden keys at any depth and beside the list', () => {
    const body = '{"devices":[{"id":1,"deep":{"ip":2}}],"customers":[{"ip":3,"id":4}]}'
    expect(cut(body, list('devices'), { hide: ['ip'] }).text).toBe(
      '{"devices":[{"id":1,"deep":{}}],"customers":[{"id":4}]}',
    )
  })

  it('strips secrets that were not granted by name, also inside a kept key', () => {
    const body = '{"id":1,"mobile_secret":"s","deep":[{"mobile_secret":"t"}]}'
    expect(cut(body, object('', ['mobile_secret']), {}).text).toBe('{"id":1,"deep":[{}]}')
    expect(cut(body, object('', ['mobile_secret']), { answer: ['mobile_secret'] }).text).toBe('{}')
    expect(
      cut(body, object('', ['mobile_secret']), {
        ...{ answer: ['mobile_secret'], reveal: ['mobile_secret'] },
      }).text,
    ).toBe('{"mobile_secret":"s"}')
  })

  it('cuts the value the client would read where a key stands twice', () => {
    expect(cut('{"ip":1,"id":2,"ip":3}', object(), { hide: ['ip'] }).text).toBe('{"id":2}')
  })

  it('takes out prototype keys wherever it walks', () => {
    expect(cut('{"id":1,"__proto__":{"ip":2}}', object(), { hide: ['ip'] }).text).toBe('{"id":1}')
    expect(cut('{"__proto__":{"ip":2}}', object(), { answer: ['__proto__'] }).text).toBe('{}')
  })

  it('keeps numbers that a double cannot hold', () => {
    expect(
      cut('{"iccid": 89014103211118510720,"ip":1,"f":1.50}', object(), { hide: ['ip'] }).text,
    ).toBe('{"iccid":89014103211118510720,"f":1.50}')
  })

  it.each([
    ['HTML', '<html>', 'text/html'],
    ['no content type that is JSON', '{"id":1}', 'text/plain'],
    ['another charset', '{"id":1}', 'application/json; charset=utf-7'],
    ['lines of JSON', '{"id":1}\n{"id":2}', 'application/json'],
    ['nothing', '', 'application/json'],
    ['null', 'null', 'application/json'],
    ['a byte order mark', '\uFEFF{"id":1}', 'application/json'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'application/json'],
    ['a list for an object', '[{"id":1}]', 'application/json'],
    ['a bare value', '"id"', 'application/json'],
    ['a deep nest', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'application/json'],
    ['a very deep nest', `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 'application/json'],
  ])('F02 refuses %s', (_, body, type) => {
    const run = () => cut(body, object(), { hide: ['ip'] }, { type })
    expect(run).toThrow(expect.objectContaining({ code: 'unfilterable_answer' }))
  })

  it.each([
    ['the list under another key', '{"items":[{"id":1}]}', list('devices')],
    ['a map for the list', '{"devices":{"1":{"id":1}}}', list('devices')],
    ['items that are no objects', '{"devices":["1"]}', list('devices')],
    ['a list of big numbers', '{"devices":[12345678901234567890]}', list('devices')],
    ['an object gone from its path', '{"id":1}', object('device')],
    ['an opaque answer', '{"id":1}', { kind: 'opaque' } as const],
  ])('F07 refuses %s', (_, body, spec) => {
    expect(() => cut(body, spec, { answer: ['id'] })).toThrow(
      expect.objectContaining({ code: 'unfilterable_answer' }),
    )
  })

  it('keeps of an error answer what is needed to act on it', () => {
    const body = '{"ok":false,"error":"x","id":1,"errors":[{"error":"y","ip":2}]}'
    expect(cut(body, object('device'), { hide: ['ip'] }, { status: 404 }).text).toBe(
      '{"error":"x","ok":false,"errors":[{"error":"y"}]}',
    )
    expect(cut('', object(), { hide: ['ip'] }, { status: 404 }).text).toBe('')
    expect(() =>
      cut('<html>', object(), { hide: ['ip'] }, { status: 502, type: 'text/html' }),
    ).toThrow('unfilterable_answer')
  })

  it('keeps no object of an error answer, whatever it is filed under', () => {
    const device = { device: '10.0.0.1' }
    const body = {
      error: device,
      info: device,
      message: [device],
      errors: ['a', device, [['b', device], 7], { error: 'c', info: device, errors: [device] }],
    }
    expect(cut(JSON.stringify(body), object(), { hide: ['x'] }, { status: 400 }).text).toBe(
      '{"errors":["a",{},[7],{"error":"c"}]}',
    )
  })

  it('names beside a list nobody whom no item names', () => {
    const answer: AnswerSpec = {
      ...{ kind: 'list', at: 'devices', secrets: [], item: 'device' },
      items: {
        ...{ id: 'id', facts: 'item', keep: [], narrow: [] },
        sides: [{ at: 'people', key: 'name', of: 'owner', keep: ['name'] }],
      },
    }
    const body = '{"devices":[{"id":1,"owner":"ann"}],"people":[{"name":"ann"}],"ok":true}'
    const shown = (only: Parameters<typeof cut>[2]) => JSON.parse(cut(body, answer, only).text)
    expect(shown({ answer: ['id'] })).toEqual({ devices: [{ id: 1 }], people: [], ok: true })
    expect(shown({ hide: ['owner'] })).toEqual({ devices: [{ id: 1 }], people: [], ok: true })
    expect(shown({ answer: ['owner'] })).toMatchObject({ people: [{ name: 'ann' }] })
    expect(() =>
      cut(body.replace('[{"name":"ann"}]', '{"ann":{}}'), answer, { hide: ['owner'] }),
    ).toThrow('unfilterable_answer')
  })

  it('never lets a list by whose items are decided one by one', () => {
    const each = (status: number, body: string) =>
      cutAnswer(
        { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) },
        {
          answer: list('devices'),
          obligations: { answer: undefined, hide: new Set(), reveal: new Set(), items: 'each' },
        },
      )
    expect(() => each(200, '{"devices":[]}')).toThrow('unfilterable_answer')
    expect(each(404, '{"error":"x","id":1}').body.toString()).toBe('{"error":"x"}')
    expect(each(304, '').body).toHaveLength(0)
  })

  it('does not read a 204', () => {
    expect(cut('', object(), { hide: ['ip'] }, { status: 204 })).toEqual({ mode: 'cut', text: '' })
  })
})

describe('createItemCut', () => {
  it('cuts one item by obligations of its own', () => {
    const obligations = {
      answer: new Set(['id', 's']),
      hide: new Set(['ip']),
      reveal: new Set<string>(),
    }
    const strip = strippedKeys(obligations, ['s'])
    const item = { id: { ip: 1, a: 2 }, s: 3, name: 4 }
    const cutItem = createItemCut(obligations.answer, strip)
    expect(JSON.stringify(cutItem(item))).toBe('{"id":{"a":2}}')
    const revealing = { ...obligations, reveal: new Set(['s']) }
    expect(strippedKeys(revealing, ['s'])).toEqual(new Set(['ip']))
  })

  it('keeps of an item only what is its own', () => {
    const cut = createItemCut(new Set(['toString', 'id', '__proto__', 'constructor']), new Set())
    const texts = ['{"id":1,"__proto__":{"id":2}}', '{"constructor":3,"toString":{"__proto__":4}}']
    expect(texts.map((text) => JSON.stringify(cut(JSON.parse(text))))).toEqual([
      '{"id":1}',
      '{"toString":{},"constructor":3}',
    ])
  })

  it('refuses a kept value that is nested too deep', () => {
    const nested = (depth: number) => JSON.parse(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`)
    for (const keep of [new Set(['a']), undefined]) {
      const cut = createItemCut(keep, new Set(['ip']))
      expect(JSON.stringify(cut(nested(100)))).toHaveLength(206)
      expect(() => cut(nested(101))).toThrow('unfilterable_answer')
    }
  })
})
