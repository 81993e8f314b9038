// Rows F09 of the attack list on the parser itself: every spelling of the grammar, whatever the pieces.

import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import {
  createEventParser,
  EventStreamFault,
  type EventMessage,
} from '../../../src/upstream/event-parser.ts'

const event = { name: 'temperature', data: '{"coreid":"a","data":"1"}' }

const spellings: readonly [what: string, text: string, events: readonly EventMessage[]][] = [
  ['LF', `event: temperature\ndata: ${event.data}\n\n`, [event]],
  ['CRLF', `event: temperature\r\ndata: ${event.data}\r\n\r\n`, [event]],
  ['CR only', `event: temperature\rdata: ${event.data}\r\r:\n`, [event]],
  ['no space after the colon', `event:temperature\ndata:${event.data}\n\n`, [event]],
  ['data first', `data: ${event.data}\nevent: temperature\n\n`, [event]],
  [
    'several data lines',
    'event: temperature\ndata: {"coreid":"a",\ndata: "data":"1"}\n\n',
    [{ name: 'temperature', data: '{"coreid":"a",\n"data":"1"}' }],
  ],
  ['a byte order mark', `\ufeffevent: temperature\ndata: ${event.data}\n\n`, [event]],
  ['comments', `:ok\n\n: event: x\nevent: temperature\n:data: y\ndata: ${event.data}\n\n`, [event]],
  [
    'unknown fields, ids and retries',
    `id: 7\nretry: 10\nfoo: bar\nevent: temperature\ndata: ${event.data}\n\n`,
    [event],
  ],
  ['the last event name', `event: x\nevent: temperature\ndata: ${event.data}\n\n`, [event]],
  ['no name', 'data: 1\n\n', [{ name: 'message', data: '1' }]],
  ['a name without data', 'event: x\n\ndata: 1\n\n', [{ name: 'message', data: '1' }]],
  ['an event that is not whole', 'event: x\ndata: 1\n', []],
  ['a colon in the name', 'event: a: b\ndata: 1\n\n', [{ name: 'a: b', data: '1' }]],
  ['two spaces', 'event:  x\ndata:  1\n\n', [{ name: ' x', data: ' 1' }]],
  ['more than ASCII', 'event: größe\ndata: "☃😀"\n\n', [{ name: 'größe', data: '"☃😀"' }]],
]

function parse(text: string | Buffer, size: number, maxBytes = 1000): EventMessage[] {
  return parsed(text, size, maxBytes).events
}

function parsed(text: string | Buffer, size: number, maxBytes: number) {
  const events: EventMessage[] = []
  let tooLarge = 0
  const parser = createEventParser(
    maxBytes,
    (message) => events.push(message),
    () => (tooLarge += 1),
  )
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) parser.feed(bytes.subarray(at, at + size))
  return { events, tooLarge }
}

describe('event parser', () => {
  for (const [what, text, events] of spellings) {
    it.each([1, 2, 3, 7, 10_000])(`F09 reads ${what} in pieces of %i bytes`, (size) => {
      expect(parse(text, size)).toEqual(events)
    })
  }

  it('takes one byte order mark off and no other', () => {
    expect(parse('\ufeff\ufeffdata: 1\n\ndata: 2\n\n', 1)).toEqual([{ name: 'message', data: '2' }])
  })

  it('bounds what cannot become an event', () => {
    expect(parse(`:${'x'.repeat(5000)}\ndata: 1\n\n`, 10, 100)).toEqual([
      { name: 'message', data: '1' },
    ])
  })

  it.each([
    ['a lone byte', Buffer.from([0x64, 0xff, 0x65]), 'd\ufffde'],
    ['an overlong slash', Buffer.from([0xc0, 0xaf]), '\ufffd\ufffd'],
    ['half a surrogate pair', Buffer.from([0xed, 0xa0, 0x80]), '\ufffd\ufffd\ufffd'],
    ['a character cut short', Buffer.from([0xe2, 0x98]), '\ufffd'],
  ])('R17 F09 replaces what is not UTF-8, and reads on: %s', (_, bytes, data) => {
    const text = Buffer.concat([Buffer.from('data: '), bytes, Buffer.from('\n\ndata: 2\n\n')])
    for (const size of [1, 2, 1000]) {
      expect(parse(text, size)).toEqual([
        { name: 'message', data },
        { name: 'message', data: '2' },
      ])
    }
  })

  it('R17 F09 no byte that is not UTF-8 ends a line or an event', () => {
    // Overlong spellings of a line feed.
    const bytes = Buffer.from('data: 1')
    const odd = Buffer.concat([bytes, Buffer.from([0xc0, 0x8a, 0xc0, 0x8a]), Buffer.from('\n\n')])
    expect(parse(odd, 1)).toEqual([{ name: 'message', data: `1${'\ufffd'.repeat(4)}` }])
  })
})

describe('R17b an event that is too large', () => {
  const one = { name: 'message', data: '1' }
  const two = { name: 'message', data: '2' }
  const x = (count: number) => 'x'.repeat(count)
  const sizes = [1, 2, 3, 7, 100, 10_000]

  it.each([
    ['on one line', `data: ${x(101)}\n\n`],
    ['on one very long line', `data: ${x(1000)}\n\n`],
    ['on many lines', `${'data: 0123456789\n'.repeat(40)}\n`],
    ['with CRLF', `data: 0123456789\r\n`.repeat(40) + '\r\n'],
    ['with CR', `data: 0123456789\r`.repeat(40) + '\r'],
    ['of one long name', `event: ${x(300)}\ndata: 1\n\n`],
    ['of name and data together', `event: ${x(60)}\ndata: ${x(60)}\n\n`],
    ['with comments and fields in it', `:a\n${'data: 01234\nfoo: bar\n:x\n'.repeat(60)}id: 2\n\n`],
    ['of more than ASCII', `data: ${'☃'.repeat(101)}\n\n`],
    ['with what looks like another behind it', `data: ${x(299)}\ndata: y\ndata: 3\nevent: z\n\n`],
  ])('%s is left out, and what is around it is read', (_, long) => {
    for (const size of sizes) {
      expect(parsed(`data: 1\n\n${long}data: 2\n\n`, size, 100)).toEqual({
        events: [one, two],
        tooLarge: 1,
      })
    }
  })

  it.each(sizes)('is one that is larger than the bound, and no other, in pieces of %i', (size) => {
    const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`
    expect(parsed(event('abc', x(97)), size, 100).events).toHaveLength(1)
    expect(parsed(event('abc', x(98)), size, 100)).toEqual({ events: [], tooLarge: 1 })
    const lines = `data: ${x(49)}\ndata: ${x(43)}\n\n`
    expect(parsed(lines, size, 100).events).toHaveLength(1)
    expect(parsed(lines, size, 99)).toEqual({ events: [], tooLarge: 1 })
  })

  it('does not make a byte order mark of what follows it', () => {
    for (const size of sizes) {
      const text = `data: ${x(300)}\n\n\ufeffdata: 1\n\ndata: 2\n\n`
      expect(parsed(text, size, 100)).toEqual({ events: [two], tooLarge: 1 })
    }
  })

  it('ends the stream only if it has no end, after so many bytes', () => {
    const parser = createEventParser(
      100,
      () => undefined,
      () => undefined,
    )
    const piece = Buffer.from(x(100))
    parser.feed(Buffer.from('data: '))
    for (let n = 0; n < 16; n += 1) parser.feed(piece)
    expect(() => {
      for (let n = 0; n < 4; n += 1) parser.feed(piece)
    }).toThrow(EventStreamFault)
    expect(() => parser.feed(Buffer.from('\n\ndata: 2\n\n'))).toThrow(EventStreamFault)
  })

  it('costs nobody else an event, whatever is around it and however it comes', () => {
    const ends = fc.constantFrom('\n', '\r\n', '\r')
    const data = fc.oneof(
      fc.string({ maxLength: 10 }),
      fc.integer({ min: 0, max: 60 }).map((length) => x(length)),
    )
    const field = fc.oneof(
      { weight: 5, arbitrary: data.map((text) => `data: ${text.replaceAll(/[\r\n]/g, '')}`) },
      fc.integer({ min: 0, max: 50 }).map((length) => `event: ${x(length)}`),
      fc.constantFrom(':', `:${x(70)}`, 'foo', 'id: 1', 'retry: 3', ''),
    )
    const text = fc
      .array(fc.tuple(field, ends), { maxLength: 40 })
      .map((lines) => lines.map(([line, end]) => line + end).join(''))
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 90 }), (given, size) => {
        const whole = `${given}\n\n`
        const all = parse(whole, whole.length, 1_000_000)
        const small = all.filter(({ name, data: said }) => name.length + said.length <= 50)
        const found = parsed(whole, size, 50)
        expect(found.events).toEqual(small)
        expect(found.tooLarge).toBe(all.length - small.length)
      }),
      { numRuns: 3000 },
    )
  })
})
