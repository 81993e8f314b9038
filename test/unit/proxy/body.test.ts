import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import type { BodySpec } from '../../../src/domain/catalog.ts'
import { Problem } from '../../../src/domain/problem.ts'
import { readBody } from '../../../src/proxy/body.ts'
import { readForm } from '../../../src/proxy/form.ts'
import { fieldsBody } from '../../kit/a-route.ts'
import { FakeExchange } from '../../kit/fakes.ts'

const json = 'application/json'
const form = 'application/x-www-form-urlencoded'

async function read(spec: BodySpec, type: string, body: string, taken = false) {
  const exchange = new FakeExchange('POST /v1/x', type === '' ? {} : { 'Content-Type': type }, body)
  const result = await readBody(exchange, spec, { name: 'access_token', taken })
  return { ...result, bytes: result.bytes?.toString() }
}

async function outcome(spec: BodySpec, type: string, body: string, taken = false) {
  try {
    const { bytes } = await read(spec, type, body, taken)
    return bytes ?? 'streams'
  } catch (error) {
    return error instanceof Problem ? error.code : `threw ${String(error)}`
  }
}

const call = fieldsBody({ arg: 'string', count: 'number', on: 'boolean', ids: 'list', o: 'object' })

describe('readBody', () => {
  it('sends on what it understood, not what it was sent', async () => {
    expect(await read(call, json, ' { "arg" : "a\\u0062" , "count":1.50 } ')).toEqual({
      contentType: json,
      keys: { arg: 'ab', count: 1.5 },
      bytes: '{"arg":"ab","count":1.5}',
      guard: { kind: 'none' },
    })
    expect(await outcome(call, form, 'arg=%61b&ids[]=1&ids%5B%5D=2')).toBe(
      'arg=ab&ids%5B%5D=1&ids%5B%5D=2',
    )
  })

  it('B01 refuses a key that comes twice, however it is spelled', async () => {
    expect(await outcome(call, json, '{"arg":"OTHER","arg":"MINE"}')).toBe('invalid_body')
    expect(await outcome(call, json, '{"arg":"OTHER","\\u0061rg":"MINE"}')).toBe('invalid_body')
    expect(await outcome({ kind: 'json' }, json, '[{"a":{"b":1,"b":2}}]')).toBe('invalid_body')
    expect(await outcome(call, form, 'arg=OTHER&arg=MINE')).toBe('invalid_body')
    expect(await outcome(call, form, 'ids=OTHER&ids[]=MINE')).toBe('invalid_body')
    expect(await outcome(call, form, 'ids[]=OTHER&ids=MINE')).toBe('invalid_body')
  })

  it('B02 refuses a key that the route does not declare', async () => {
    expect(await outcome(call, json, '{"arg":"x","owner":"y"}')).toBe('invalid_body')
    expect(await outcome(call, form, 'arg=x&product_id=99')).toBe('invalid_body')
    expect(await outcome(call, form, 'arg[]=x')).toBe('invalid_body')
    expect(await outcome(call, form, '__proto__[]=x')).toBe('invalid_body')
    expect(await outcome(call, json, '["arg"]')).toBe('invalid_body')
  })

  it('B05 reads a body only by its true content type', async () => {
    expect(await outcome(call, json, 'arg=x')).toBe('invalid_body')
    expect(await outcome(call, form, '{"arg":"x"}')).toBe('invalid_body')
    const odd = [
      '',
      'text/plain',
      `${json}; charset=utf-7`,
      `${json}, ${form}`,
      'json',
      `${json} x`,
    ]
    for (const type of odd) {
      expect([type, await outcome(call, type, '{"arg":"x"}')]).toEqual([
        type,
        'unsupported_media_type',
      ])
    }
    for (const type of [`${json}; charset="UTF-8"`, 'Application/JSON', `${json};charset=utf8`]) {
      expect([type, await outcome(call, type, '{"arg":"x"}')]).toEqual([type, '{"arg":"x"}'])
    }
    const twice = new FakeExchange('POST /', ['Content-Type', json, 'content-type', form], 'arg=1')
    const place = { name: 'access_token', taken: false }
    await expect(readBody(twice, call, place)).rejects.toMatchObject({ code: 'invalid_body' })
  })

  it('refuses a content type that is longer than any, before matching it at all', async () => {
    const padded = (length: number) => `${json}; a=${'x'.repeat(length - json.length - 4)}`
    expect(await outcome({ kind: 'json' }, padded(512), '{}')).toBe('{}')
    expect(await outcome({ kind: 'json' }, padded(513), '{}')).toBe('unsupported_media_type')
  })

  it('B07 refuses an encoded body before reading it', async () => {
    const headers = { 'content-type': json, 'content-encoding': 'gzip' }
    const exchange = new FakeExchange('POST /', headers, '{}')
    exchange.body = () => Promise.reject(new Error('read'))
    await expect(
      readBody(exchange, call, { name: 'access_token', taken: false }),
    ).rejects.toMatchObject({ code: 'unsupported_media_type' })
  })

  it('B09 refuses depth, reserved keys and numbers that change their value', async () => {
    const bad = ['['.repeat(100_000), `${'['.repeat(33)}${']'.repeat(33)}`, '{"__proto__":{"a":1}}']
    bad.push('{"a":{"__proto__":1}}', '9007199254740993', '1e999', '', '\ufeff{}')
    for (const body of bad) {
      expect([body.slice(0, 30), await outcome({ kind: 'json' }, json, body || ' ')]).toEqual([
        body.slice(0, 30),
        'invalid_body',
      ])
    }
    expect(await outcome({ kind: 'json' }, json, '{"constructor":1}')).toBe('{"constructor":1}')
  })

  it('T05 refuses access_token in JSON and where a form is not asked for it', async () => {
    expect(await outcome(call, json, '{"arg":"x","access_token":"U"}')).toBe('invalid_body')
    expect(await outcome({ kind: 'json' }, json, '{"access_token":"U"}')).toBe('invalid_body')
    expect(await outcome({ kind: 'json' }, json, '{"a":{"access_token":"mine"}}')).toContain('mine')
    const declared = fieldsBody({ access_token: 'string' })
    expect(await outcome(declared, json, '{"access_token":"U"}')).toBe('invalid_body')
    expect(await outcome(call, form, 'access_token=U&arg=x')).toBe('invalid_body')
    expect(await outcome(call, form, 'access_token=U&arg=x', true)).toBe('arg=x')
    expect(await outcome({ kind: 'raw', types: [form] }, form, 'access_token=U')).toBe(
      'unsupported_media_type',
    )
  })

  it('checks types and required keys, in a form by how they are written', async () => {
    for (const body of ['{"count":"1"}', '{"arg":1}', '{"on":"true"}', '{"ids":"a"}', '{"o":[]}']) {
      expect([body, await outcome(call, json, body)]).toEqual([body, 'invalid_body'])
    }
    for (const body of ['count=0x14', 'count=1e3', 'count=', 'on=1', 'ids=a', 'o=%7B%7D']) {
      expect([body, await outcome(call, form, body)]).toEqual([body, 'invalid_body'])
    }
    expect(await outcome(call, form, 'count=-1.5&on=true')).toBe('count=-1.5&on=true')
    expect(await outcome(fieldsBody({ a: 'string!' }), json, '{}')).toBe('invalid_body')
    expect(await outcome(fieldsBody({ a: 'string!' }), json, '{"a":""}')).toBe('{"a":""}')
  })

  it('takes only the values a key may have, where the catalog lists them', async () => {
    const keys = new Map([
      ['action', { type: 'string', required: true, only: ['groups'] } as const],
    ])
    const spec: BodySpec = { kind: 'fields', types: ['json', 'form'], keys, optional: false }
    expect(await outcome(spec, json, '{"action":"groups"}')).toBe('{"action":"groups"}')
    expect(await outcome(spec, json, '{"action":"Groups"}')).toBe('invalid_body')
    expect(await outcome(spec, json, '{"action":["groups"]}')).toBe('invalid_body')
    expect(await outcome(spec, form, 'action=delete')).toBe('invalid_body')
  })

  it('takes an empty object or form where there is no body to be, and nothing else', async () => {
    const none: BodySpec = { kind: 'none' }
    expect(await outcome(none, json, '{}')).toBe('')
    expect(await outcome(none, form, 'access_token=U', true)).toBe('')
    expect(await outcome(none, form, 'access_token=U')).toBe('invalid_body')
    expect(await outcome(none, json, '{"a":1}')).toBe('invalid_body')
    expect(await outcome(none, json, '')).toBe('streams')
  })

  it('needs a body where one is declared and not optional', async () => {
    expect(await outcome(call, json, '')).toBe('invalid_body')
    expect(await outcome(fieldsBody({ a: 'string' }, true), json, '')).toBe('streams')
    expect(await outcome({ kind: 'json' }, json, '')).toBe('invalid_body')
  })

  it('guards multipart by the boundary that was said once', async () => {
    const multipart = { kind: 'multipart', files: ['file'], fields: [], products: [] } as const
    const choice: BodySpec = { kind: 'choice', of: [fieldsBody({ name: 'string' }), multipart] }
    expect((await read(choice, 'multipart/form-data; boundary="b 1"', 'x')).guard).toEqual({
      ...{ kind: 'multipart', boundary: 'b 1', files: ['file'], fields: [], products: [] },
    })
    expect(await outcome(choice, 'multipart/form-data', 'x')).toBe('invalid_body')
    expect(await outcome(choice, 'multipart/form-data; boundary=a; Boundary=b', 'x')).toBe(
      'invalid_body',
    )
    expect(await outcome(choice, 'multipart/mixed; boundary=a', 'x')).toBe('unsupported_media_type')
    expect(await outcome(choice, json, '{"name":"x"}')).toBe('{"name":"x"}')
  })

  it('writes any form so that it reads back the same', async () => {
    const key = fc.constantFrom('arg', 'b', 'ü;&=+')
    const spec = fieldsBody({ arg: 'string', b: 'string', 'ü;&=+': 'string', ids: 'list' })
    const text = fc.string({ unit: fc.constantFrom(...Array.from('a=&+%;[] é\n\0中')) })
    const bodies = fc.tuple(fc.dictionary(key, text), fc.array(text))
    await fc.assert(
      fc.asyncProperty(bodies, async ([keys, ids]) => {
        const entries: [string, string][] = [
          ...Object.entries(keys),
          ...ids.map((id): [string, string] => ['ids[]', id]),
        ]
        const sent = entries
          .map((pair) => pair.map((part) => encodeURIComponent(part)).join('='))
          .join('&')
        if (sent === '') return
        const first = await read(spec, form, sent)
        expect(first.keys).toEqual({ ...keys, ...(ids.length > 0 && { ids }) })
        expect((await read(spec, form, first.bytes ?? '')).keys).toEqual(first.keys)
      }),
    )
  })
})

describe('readForm', () => {
  const codeOf = (text: string) => {
    try {
      return readForm(Buffer.from(text)).length
    } catch (error) {
      return error instanceof Problem ? error.code : String(error)
    }
  }

  it('B05 refuses what two parsers could read differently', () => {
    for (const text of [
      'a=1;b=2',
      'a= b',
      'a=é',
      'a=%zz',
      'a=%ff',
      '=1',
      '&a=1',
      'a=1&',
      'a\n=1',
    ]) {
      expect([text, codeOf(text)]).toEqual([text, 'invalid_body'])
    }
    expect(codeOf('a=1&b=2=3&c')).toBe(3)
    expect(codeOf('')).toBe(0)
  })

  it('B09 takes two hundred fields, and not one more', () => {
    const fields = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=1`).join('&')
    expect(codeOf(fields(200))).toBe(200)
    expect(codeOf(fields(201))).toBe('invalid_body')
    expect(codeOf('&'.repeat(1_000_000))).toBe('invalid_body')
  })

  it('reads names and values as the standard says, a plus as a space, and leaves the body alone', () => {
    const piece = fc.constantFrom('+', '%2B', '%20', '%41', 'a', '%C3%A9', '++', '%26', '%3D')
    const word = fc.array(piece, { minLength: 1, maxLength: 8 }).map((all) => all.join(''))
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 5 }), (pairs) => {
        const text = pairs.map(([key, value]) => `${key}=${value}`).join('&')
        const body = Buffer.from(text)
        expect(readForm(body).map(({ key, value }) => [key, value])).toEqual([
          ...new URLSearchParams(text),
        ])
        expect(body.toString()).toBe(text)
      }),
    )
  })
})
