// What is remembered of who gets which kind of event: right, and bounded by what it weighs.

import { LRUCache } from 'lru-cache'
import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../../src/domain/access-request.ts'
import type { ItemJudge } from '../../../../src/policy/policy-engine.ts'
import {
  Audiences,
  foundBytes,
  type Found,
  type Placed,
} from '../../../../src/proxy/streams/audience.ts'
import { Interest } from '../../../../src/proxy/streams/interests.ts'
import { Roster } from '../../../../src/proxy/streams/roster.ts'
import { aJudge, keepsAll, mine, no, yes } from '../../../kit/streams-rig.ts'

const anything = new Interest({ names: undefined, device: undefined })
const resource: Resource = { type: 'device', product: '1', device: mine }

function anEvent(name: string): Placed {
  return { event: { name, data: '{}', source: 'device', device: mine }, resource }
}

function start(maxSize = 1_000_000) {
  const roster = new Roster<string>()
  const memory = new LRUCache<string, Found<string>>({ maxSize, sizeCalculation: foundBytes })
  let facts: Readonly<Record<string, unknown>> | undefined
  const directory = { cached: () => facts }
  const audiences = new Audiences({ roster, directory, memory, name: '1' })
  return {
    roster,
    memory,
    take: (client: string, judge: ItemJudge) => roster.take(client, judge, anything, undefined),
    knows: (found: typeof facts) => void (facts = found),
    /** Who gets it, and who waits. */
    of(name: string) {
      const { groups, waits } = audiences.of(anEvent(name), 0)
      return {
        gets: groups.flatMap(({ seats }) => seats.map(({ taken }) => taken?.client)),
        waits: waits.map(({ taken }) => taken?.client),
      }
    },
  }
}

const inGroup = (group: string) =>
  aJudge(({ facts }) => {
    if (facts === undefined) return { outcome: 'needs_facts' }
    return facts['group'] === group ? yes : no
  })

describe('the audience of an event', () => {
  it('has those who are sure, and names those who wait; with facts in hand nobody waits', () => {
    const { take, of, knows } = start()
    take(
      'sure',
      aJudge(() => yes),
    )
    take(
      'never',
      aJudge(() => no),
    )
    take('a', inGroup('a'))
    take('b', inGroup('b'))
    expect(of('x')).toEqual({ gets: ['sure'], waits: ['a', 'b'] })
    knows({ group: 'a' })
    expect(of('x')).toEqual({ gets: ['sure', 'a'], waits: [] })
    knows({ group: 'b' })
    expect(of('x')).toEqual({ gets: ['sure', 'b'], waits: [] })
    knows(undefined)
    expect(of('x')).toEqual({ gets: ['sure'], waits: ['a', 'b'] })
  })

  it('takes in who comes, and lets go of who leaves, whatever was remembered', () => {
    const { take, of, knows, roster } = start()
    const sure = take(
      'sure',
      aJudge(() => yes),
    )
    const a = take('a', inGroup('a'))
    knows({ group: 'a' })
    of('x')
    take('late', inGroup('a'))
    take(
      'later',
      aJudge(() => yes),
    )
    expect(of('x')).toEqual({ gets: ['sure', 'later', 'a', 'late'], waits: [] })
    roster.leave(sure)
    roster.leave(a)
    expect(of('x')).toEqual({ gets: ['later', 'late'], waits: [] })
    knows(undefined)
    expect(of('x')).toEqual({ gets: ['later'], waits: ['late'] })
  })

  it('puts together those for whom it is cut alike', () => {
    const { roster } = start()
    const memory = new LRUCache<string, Found<string>>({ max: 10 })
    const audiences = new Audiences({
      ...{ roster, memory, name: '1' },
      directory: { cached: () => undefined },
    })
    const cut = (keys: string[]) =>
      aJudge(() => ({ outcome: 'allow', obligations: { ...keepsAll, answer: new Set(keys) } }))
    for (const judge of [cut(['a', 'b']), cut(['b', 'a']), cut(['a']), aJudge(() => yes)]) {
      roster.take('client', judge, anything, undefined)
    }
    const { groups } = audiences.of(anEvent('x'), 0)
    expect(groups.map(({ seats }) => seats.length)).toEqual([2, 1, 1])
  })
})

describe('R12 what is remembered', () => {
  it('weighs more with every listener, and less when they leave', () => {
    const { take, of, memory, roster } = start()
    of('x')
    const alone = memory.calculatedSize
    const seats = Array.from({ length: 100 }, (_, n) =>
      take(
        `client ${n}`,
        aJudge(() => yes),
      ),
    )
    of('x')
    const many = memory.calculatedSize
    expect(many).toBeGreaterThanOrEqual(alone + 800)
    for (const seat of seats) roster.leave(seat)
    of('x')
    expect(memory.calculatedSize).toBe(alone)
  })

  it('is bounded, however many names devices make up', () => {
    const { take, of, memory } = start(100_000)
    for (let n = 0; n < 100; n += 1)
      take(
        `client ${n}`,
        aJudge(() => yes),
      )
    for (let n = 0; n < 2000; n += 1) expect(of(`telemetry/${n}`).gets).toHaveLength(100)
    expect(memory.calculatedSize).toBeLessThanOrEqual(100_000)
    expect(memory.size).toBeGreaterThan(10)
  })

  it('is right also where one kind is too heavy to be remembered', () => {
    const { take, of, memory } = start(1000)
    for (let n = 0; n < 500; n += 1)
      take(
        `client ${n}`,
        aJudge(() => yes),
      )
    expect(of('x').gets).toHaveLength(500)
    expect(of('x').gets).toHaveLength(500)
    expect(memory.size).toBe(0)
  })

  it('holds nothing of a client that has gone', () => {
    const { take, of, roster } = start()
    const seat = take(
      'client',
      aJudge(() => yes),
    )
    of('x')
    roster.leave(seat)
    expect(seat).toEqual({ taken: undefined, order: 1 })
    expect(roster.empty).toBe(true)
  })
})
