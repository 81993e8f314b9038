import { describe, expect, it } from 'vitest'
import { VerdictMemory } from '../../../src/policy/verdict-memory.ts'
import { MINE, myDevice, myProduct, otherDevice } from '../../kit/policies.ts'

const of = (facts: Record<string, unknown> | undefined) => ({ resource: myDevice, facts })

describe('verdicts are remembered', () => {
  it('by the values of the attributes that are looked at, and not by the others or the id', () => {
    const memory = new VerdictMemory(['region', 'groups'])
    const spot = memory.spotOf(of({ region: 'eu', groups: ['a', 'b'], name: 'x' }))
    expect(spot).toBeDefined()
    expect(memory.spotOf(of({ groups: ['a', 'b'], region: 'eu' }))).toBe(spot)
    const other = { ...of({ region: 'eu', groups: ['a', 'b'] }), resource: otherDevice }
    expect(memory.spotOf(other)).toBe(spot)
  })

  it('apart for each two values that differ, in type, in order or in how a list is parted', () => {
    const values = [
      ...[undefined, null, '', 'null', 'undefined', 0, '0', 1, '1', true, 'true', false, NaN],
      ...[[], ['a'], ['a', 'b'], ['b', 'a'], ['ab'], ['a,b'], ['a', '']],
      ...[[1], ['1'], [true], [null], ['null'], 'a', 'a,b', 'list', 2, '2'],
    ]
    const pairs = values.flatMap((a) =>
      [undefined, 'a', ['a'], ['b', 'a'], null].map((b) => [a, b]),
    )
    const memory = new VerdictMemory(['a', 'b'])
    const spots = pairs.map(([a, b]) => memory.spotOf(of({ a, b })))
    expect(spots).not.toContain(undefined)
    expect(new Set(spots).size).toBe(pairs.length)
    expect(pairs.map(([a, b]) => memory.spotOf(of({ a, b })))).toEqual(spots)
  })

  it('apart where one list is longer by what follows another', () => {
    const memory = new VerdictMemory(['a', 'b', 'c'])
    const spot = memory.spotOf(of({ a: ['x', 'y'], b: ['z'], c: 'w' }))
    expect(spot).toBeDefined()
    expect(memory.spotOf(of({ a: ['x'], b: 'y', c: ['z', 'w'] }))).not.toBe(spot)
    expect(memory.spotOf(of({ a: ['x', 'y'], b: ['z'], c: 'w' }))).toBe(spot)
  })

  it('alike where an attribute is absent, undefined or only inherited', () => {
    const memory = new VerdictMemory(['a'])
    const spot = memory.spotOf(of({}))
    expect(memory.spotOf(of({ a: undefined }))).toBe(spot)
    expect(memory.spotOf(of(Object.create({ a: 1 })))).toBe(spot)
    expect(memory.spotOf(of({ a: 1 }))).not.toBe(spot)
    expect(memory.spotOf(of(undefined))).not.toBe(spot)
    expect(memory.spotOf(of(undefined))).toBe(memory.spotOf(of(undefined)))
  })

  it('apart for each kind of resource, place and source of an event', () => {
    const memory = new VerdictMemory([])
    const device = { name: 'temp', source: 'device' } as const
    const items = [
      of({}),
      { ...of({}), resource: myProduct },
      { ...of({}), resource: { ...myDevice, product: '67890' } },
      { ...of({}), resource: { type: 'device', product: '12345', device: MINE } as const },
      { ...of({}), resource: { type: 'device', organization: '12345', device: MINE } as const },
      { ...of({}), event: device },
      { ...of({}), event: { ...device, source: 'cloud' } as const },
    ]
    const spots = items.map((item) => memory.spotOf(item))
    expect(spots).not.toContain(undefined)
    expect(new Set(spots).size).toBe(items.length)
    expect(items.map((item) => memory.spotOf(item))).toEqual(spots)
    // Whichever comes right after whichever.
    for (const [a, item] of items.entries()) {
      for (const [b, next] of items.entries()) {
        expect(memory.spotOf(item)).toBe(spots[a])
        expect(memory.spotOf(next)).toBe(spots[b])
      }
    }
    expect(memory.spotOf({ ...of({}), event: { ...device, name: 'door' } })).toBe(spots[5])
  })

  it('never where a value is odd', () => {
    const memory = new VerdictMemory(['a', 'b'])
    const long = Array.from({ length: 17 }, String)
    const holed = ['x']
    holed.length = 2
    const odd = [
      {},
      { x: 1 },
      [['x']],
      [{}],
      [undefined],
      holed,
      long,
      'x'.repeat(129),
      1n,
      () => 1,
    ]
    for (const value of odd) {
      expect(memory.spotOf(of({ a: value, b: 1 }))).toBeUndefined()
      expect(memory.spotOf(of({ a: 1, b: value }))).toBeUndefined()
    }
    expect(memory.spotOf(of({ a: long.slice(1), b: 'x'.repeat(128) }))).toBeDefined()
  })

  it('up to a bound: what is known stays, nothing new is learned', () => {
    const memory = new VerdictMemory(['a'])
    const first = memory.spotOf(of({ a: 0 }))
    const learned = Array.from({ length: 2000 }, (_, a) => memory.spotOf(of({ a })))
    expect(learned.filter((spot) => spot !== undefined).length).toBeLessThan(512)
    expect(learned.at(-1)).toBeUndefined()
    expect(memory.spotOf(of({ a: 0 }))).toBe(first)
    expect(memory.spotOf({ ...of({ a: 0 }), resource: myProduct })).toBeUndefined()
  })

  it('no longer than until they are cleared', () => {
    const memory = new VerdictMemory(['a'])
    const spot = memory.spotOf(of({ a: 0 }))
    if (spot === undefined) throw new Error('not remembered')
    spot.verdict = { outcome: 'deny' }
    memory.clear()
    expect(memory.spotOf(of({ a: 0 }))).not.toBe(spot)
    expect(memory.spotOf(of({ a: 0 }))?.verdict).toBeUndefined()
  })
})
