// Rows F09 of the attack list on the parser itself: every spelling of the grammar, whatever the pieces.

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
  const found: EventMessage[] = []
  const parser = createEventParser(maxBytes, (message) => found.push(message))
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) parser.feed(bytes.subarray(at, at + size))
  return found
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

  it.each([1, 10, 10_000])('breaks at an event over the bound in pieces of %i bytes', (size) => {
    const long = `data: ${'x'.repeat(90)}\n\n`
    expect(parse(long, size, 100)).toHaveLength(1)
    expect(() => parse(long, size, 80)).toThrow(EventStreamFault)
  })

  it('breaks at data lines that grow over the bound together', () => {
    expect(() => parse('data: 0123456789\n'.repeat(20), 5, 100)).toThrow(EventStreamFault)
  })

  it('passes nothing on after it broke', () => {
    const found: EventMessage[] = []
    const parser = createEventParser(50, (message) => found.push(message))
    expect(() => parser.feed(Buffer.from(`data: ${'x'.repeat(99)}\n\ndata: 1\n\n`))).toThrow(
      EventStreamFault,
    )
    expect(() => parser.feed(Buffer.from('data: 2\n\n'))).toThrow(EventStreamFault)
    expect(found).toEqual([])
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
