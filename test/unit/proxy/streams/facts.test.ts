// Events whose listeners hang on attributes of the device: looked up once, in order, and never passed unseen.

import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../../src/domain/access-request.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import type { ItemJudge } from '../../../../src/policy/policy-engine.ts'
import { maxWaitingBytes } from '../../../../src/proxy/streams/waiting.ts'
import { fakeDirectory } from '../../../kit/fakes.ts'
import {
  aJudge,
  hears,
  limits,
  mine,
  no,
  other,
  settled,
  streamsRig,
  yes,
} from '../../../kit/streams-rig.ts'

type Attributes = Readonly<Record<string, unknown>>

/** Devices in the group; asks for facts where it has none. */
function inGroup(group: string, maxAgeMs?: number): ItemJudge {
  return aJudge(
    ({ facts }) => {
      if (facts === undefined) return { outcome: 'needs_facts' }
      return facts['group'] === group ? yes : no
    },
    { maxAgeMs },
  )
}

/** As `inGroup`, but for one name that needs no facts. */
function freeOr(group: string): ItemJudge {
  const judge = inGroup(group)
  return aJudge((item, atMs) => (item.event?.name === 'free' ? yes : judge.judge(item, atMs)))
}

const long = 'x'.repeat(900_000)

/** A directory whose look-ups end when the test says so. */
function playedDirectory() {
  const known = new Map<string, Attributes>()
  const asked: string[][] = []
  const ages: (number | undefined)[] = []
  const waiting: { ids: string[]; settle: PromiseWithResolvers<void> }[] = []
  const idOf = ({ device, product }: Resource) => device ?? product ?? ''
  const directory = fakeDirectory({
    cached: (resource) => known.get(idOf(resource)),
    named: async (resources, _user, maxAgeMs) => {
      const ids = resources.map(idOf)
      const settle = Promise.withResolvers<void>()
      asked.push(ids)
      ages.push(maxAgeMs)
      waiting.push({ ids, settle })
      await settle.promise
      return (resource) => known.get(idOf(resource))
    },
  })
  return {
    directory,
    known,
    asked,
    ages,
    /** Ends the look-up under way. */
    async answer(id: string, attributes: Attributes | Error) {
      await settled()
      const at = waiting.findIndex(({ ids }) => ids.includes(id))
      const [found] = waiting.splice(at, 1)
      if (attributes instanceof Error) found?.settle.reject(attributes)
      else {
        known.set(id, attributes)
        found?.settle.resolve()
      }
      await settled()
    },
  }
}

function names(text: string): string[] {
  return [...text.matchAll(/^event: (.*)$/gm)].map(([, name = '']) => name)
}

describe('events that hang on attributes', () => {
  it('wait for one look-up, in order, while those of other devices pass', async () => {
    const { directory, asked, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('group', inGroup('a')).set('plain', hears(mine, other))
    const group = await rig.opened({ user: 'group', device: mine })
    const plain = await rig.opened({ user: 'plain' })
    rig.cloud.publish(mine, 'first')
    rig.cloud.publish(mine, 'second')
    rig.cloud.publish(other, 'third')
    expect(group.sink.text).toBe(':ok\n\n')
    expect(names(plain.sink.text)).toEqual(['first', 'second', 'third'])
    await answer(mine, { group: 'a' })
    expect(names(group.sink.text)).toEqual(['first', 'second'])
    expect(names(plain.sink.text)).toEqual(['first', 'second', 'third'])
    rig.cloud.publish(mine, 'fourth')
    expect(names(group.sink.text)).toEqual(['first', 'second', 'fourth'])
    expect(asked).toEqual([[mine]])
  })

  it('hold up what another rule lets pass only behind them, for the same listener and device', async () => {
    const { directory, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('both', freeOr('a')).set('plain', hears(mine, other))
    const both = await rig.opened({ user: 'both' })
    const plain = await rig.opened({ user: 'plain' })
    rig.cloud.publish(mine, 'free', 'before')
    rig.cloud.publish(mine, 'bound', 'bound')
    rig.cloud.publish(mine, 'free', 'behind')
    rig.cloud.publish(other, 'free', 'beside')
    const words = (text: string) => text.match(/(?<=")(before|bound|behind|beside)/g)
    expect(words(both.sink.text)).toEqual(['before', 'beside'])
    expect(words(plain.sink.text)).toEqual(['before', 'bound', 'behind', 'beside'])
    await answer(mine, { group: 'a' })
    expect(words(both.sink.text)).toEqual(['before', 'beside', 'bound', 'behind'])
    expect(words(plain.sink.text)).toHaveLength(4)
  })

  it('do not pass where the facts say no', async () => {
    const { directory, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', inGroup('a'))
    const { sink } = await rig.opened()
    rig.cloud.publish(mine, 'x')
    await answer(mine, { group: 'b' })
    expect(sink.text).toBe(':ok\n\n')
  })

  it('are withheld from those who need a look-up that failed, and from nobody else', async () => {
    const { directory, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('group', inGroup('a')).set('plain', hears(mine))
    const group = await rig.opened({ user: 'group' })
    const plain = await rig.opened({ user: 'plain' })
    rig.cloud.publish(mine, 'x')
    await answer(mine, new Problem('attribute_unavailable'))
    expect(group.sink.text).toBe(':ok\n\n')
    expect(names(plain.sink.text)).toEqual(['x'])
    group.sink.end('client_gone')
    expect(await group.outcome).toMatchObject({ events: { sent: 0, withheld: 1 } })
    rig.cloud.publish(mine, 'y')
    await answer(mine, { group: 'a' })
    expect(names(plain.sink.text)).toEqual(['x', 'y'])
  })

  it('are decided anew when the facts have changed, aged out or were forgotten', async () => {
    const { directory, known, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', inGroup('a'))
    const { sink } = await rig.opened()
    known.set(mine, { group: 'a' })
    rig.cloud.publish(mine, 'x', 'one')
    known.set(mine, { group: 'b' })
    rig.cloud.publish(mine, 'x', 'two')
    known.delete(mine)
    rig.cloud.publish(mine, 'x', 'three')
    await answer(mine, { group: 'a' })
    known.set(mine, { group: 'b' })
    rig.cloud.publish(mine, 'x', 'four')
    expect(sink.text.match(/one|two|three|four/g)).toEqual(['one', 'three'])
  })

  it('are withheld where many were looked up together and could not be', async () => {
    const named = () => Promise.reject(new Problem('attribute_unavailable'))
    const rig = streamsRig({ directory: fakeDirectory({ named }) })
    rig.judges.set('acme', inGroup('a'))
    const { sink } = await rig.opened()
    for (const device of [mine, other]) rig.cloud.publish(device, 'x')
    await settled()
    await settled()
    expect(sink.text).toBe(':ok\n\n')
    expect(sink.open).toBe(true)
  })

  it('wait again where the facts were asked for before the event came, and are too old for it', async () => {
    const { directory, ages, asked, answer } = playedDirectory()
    const rig = streamsRig({ directory: { ...directory, cached: () => undefined } })
    rig.judges.set('acme', inGroup('a', 1000))
    const { sink } = await rig.opened()
    rig.cloud.publish(mine, 'x', 'one')
    await settled()
    rig.cloud.publish(mine, 'x', 'two')
    await answer(mine, { group: 'a' })
    expect(sink.text.match(/one|two/g)).toEqual(['one'])
    await answer(mine, { group: 'a' })
    expect(sink.text.match(/one|two/g)).toEqual(['one', 'two'])
    expect(ages).toEqual([1000, 1000])
    expect(asked).toEqual([[mine], [mine]])
  })

  it('wait again for a listener whose rules have become stricter about their age', async () => {
    const { directory, ages, answer } = playedDirectory()
    const rig = streamsRig({ directory: { ...directory, cached: () => undefined } })
    rig.judges.set('acme', inGroup('a', 5000))
    const { sink } = await rig.opened()
    rig.cloud.publish(mine, 'x')
    await settled()
    rig.judges.set('acme', inGroup('a', 1000))
    rig.policy.revision = 'rev-2'
    rig.pass(200)
    await answer(mine, { group: 'a' })
    expect(sink.text).toBe(':ok\n\n')
    await answer(mine, { group: 'a' })
    expect(names(sink.text)).toEqual(['x'])
    expect(ages).toEqual([5000, 1000])
  })

  it('are looked up no older than the tightest rule among the listeners allows', async () => {
    const { directory, ages, answer } = playedDirectory()
    const rig = streamsRig({ directory: { ...directory, cached: () => undefined } })
    rig.judges
      .set('loose', inGroup('a'))
      .set('five', inGroup('a', 5000))
      .set('one', inGroup('a', 1000))
    const clients = [
      await rig.opened({ user: 'loose' }),
      await rig.opened({ user: 'one' }),
      await rig.opened({ user: 'five' }),
    ]
    for (const name of ['x', 'y']) {
      rig.cloud.publish(mine, name)
      await answer(mine, { group: 'a' })
    }
    for (const { sink } of clients) expect(names(sink.text)).toEqual(['x', 'y'])
    expect(ages).toEqual([1000, 1000])
  })

  it('of many devices are looked up together', async () => {
    const { directory, asked } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', inGroup('a'))
    await rig.opened()
    for (const device of [mine, other, 'c'.repeat(24)]) rig.cloud.publish(device, 'x')
    await settled()
    expect(asked).toEqual([[mine, other, 'c'.repeat(24)]])
  })

  it('are for whoever was there when they came, under the rights that hold when they pass', async () => {
    const { directory, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', inGroup('a')).set('narrowed', inGroup('a'))
    const gone = await rig.opened()
    const narrowed = await rig.opened({ user: 'narrowed' })
    const stays = await rig.opened()
    rig.cloud.publish(mine, 'x')
    const late = await rig.opened()
    gone.sink.end('revoked')
    rig.judges.set('narrowed', hears(other))
    rig.policy.revision = 'rev-2'
    rig.pass(200)
    await answer(mine, { group: 'a' })
    expect(names(stays.sink.text)).toEqual(['x'])
    for (const { sink } of [gone, late, narrowed]) expect(sink.text).toBe(':ok\n\n')
  })
})

describe('R9 a look-up that takes its time', () => {
  it('is waited for five seconds; then the event is withheld and counted', async () => {
    const { directory, asked, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', inGroup('a'))
    const { sink, outcome } = await rig.opened()
    rig.cloud.publish(mine, 'x', 'one')
    rig.pass(2000)
    rig.cloud.publish(mine, 'x', 'two')
    rig.pass(3200)
    await answer(mine, { group: 'a' })
    expect(sink.text.match(/one|two/g)).toEqual(['two'])
    rig.cloud.publish(mine, 'x', 'three')
    expect(sink.text.match(/one|two|three/g)).toEqual(['two', 'three'])
    expect(asked).toEqual([[mine]])
    sink.end('client_gone')
    expect(await outcome).toMatchObject({ events: { sent: 2, withheld: 1 } })
  })

  it('holds up nobody who only was asked about together with it, nor who is asked about later', async () => {
    const third = 'c'.repeat(24)
    const { directory, known, asked, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', inGroup('a'))
    const { sink } = await rig.opened()
    rig.cloud.publish(mine, 'together')
    rig.cloud.publish(other, 'hangs')
    await settled()
    known.set(mine, { group: 'a' })
    rig.pass(200)
    expect(names(sink.text)).toEqual(['together'])
    rig.cloud.publish(third, 'later')
    rig.pass(600)
    await settled()
    expect(asked).toEqual([[mine, other]])
    rig.pass(200)
    await answer(third, { group: 'a' })
    expect(asked).toEqual([[mine, other], [third]])
    expect(names(sink.text)).toEqual(['together', 'later'])
    await answer(other, { group: 'a' })
    expect(names(sink.text)).toEqual(['together', 'later', 'hangs'])
  })

  it('lets go of what stands behind it and needs no facts', async () => {
    const { directory } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', freeOr('a'))
    const { sink } = await rig.opened()
    rig.cloud.publish(mine, 'bound')
    rig.pass(1000)
    rig.cloud.publish(mine, 'free')
    rig.pass(3800)
    expect(sink.text).toBe(':ok\n\n')
    rig.pass(400)
    expect(names(sink.text)).toEqual(['free'])
    rig.cloud.publish(mine, 'free')
    expect(names(sink.text)).toEqual(['free', 'free'])
  })

  it('costs those who wait their streams where too much waits, and never pauses the cloud’s', async () => {
    const { directory, answer } = playedDirectory()
    const large = { ...limits, eventBytes: 1_000_000 }
    const rig = streamsRig({ directory, limits: large })
    rig.judges.set('group', inGroup('a')).set('plain', hears(mine))
    const group = await rig.opened({ user: 'group' })
    const plain = await rig.opened({ user: 'plain' })
    const heard: string[] = []
    plain.sink.write = (piece) => void heard.push(piece.subarray(0, 20).toString())
    const most = Math.floor(maxWaitingBytes / (long.length + 400))
    for (let count = 0; count < most; count += 1) rig.cloud.publish(mine, 'n', long)
    expect(group.sink.open).toBe(true)
    rig.cloud.publish(mine, 'n', long)
    expect(await group.outcome).toMatchObject({ ended: 'attribute_unavailable' })
    expect(group.sink.count).toEqual({ sent: 0, withheld: most + 1 })
    expect(rig.cloud.last.state).toBe('open')
    expect(heard).toHaveLength(most + 1)
    const again = await rig.opened({ user: 'group' })
    rig.cloud.publish(mine, 'next')
    await answer(mine, { group: 'a' })
    expect(names(again.sink.text)).toEqual(['next'])
    expect(names(group.sink.text)).toEqual([])
  })

  it('leaves nothing behind when the stream ends first', async () => {
    const { directory, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set('acme', inGroup('a'))
    const { sink, outcome } = await rig.opened()
    rig.cloud.publish(mine, 'x')
    rig.cloud.last.handler.ended(new Problem('upstream_failed'))
    expect(await outcome).toMatchObject({ ended: 'upstream_reset' })
    await answer(mine, { group: 'a' })
    rig.pass(6000)
    expect(sink.text).toBe(':ok\n\n')
    expect(rig.faults).toEqual([])
  })

  it('breaks the streams that share it where a fault of the gate’s own is behind it', async () => {
    const { directory, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set(
      'acme',
      aJudge(({ facts }) => {
        if (facts === undefined) return { outcome: 'needs_facts' }
        throw new Error('bug')
      }),
    )
    const { outcome } = await rig.opened()
    rig.cloud.publish(mine, 'x')
    await answer(mine, { group: 'a' })
    expect(await outcome).toMatchObject({ ended: 'upstream_reset' })
    expect(rig.faults).toEqual([new Error('bug')])
  })
})

describe('who gets an event', () => {
  it('is remembered, and asked only for those who came since', async () => {
    const rig = streamsRig()
    const asked: string[] = []
    const judge = (name: string) =>
      aJudge(() => {
        asked.push(name)
        return yes
      })
    rig.judges.set('one', judge('one')).set('two', judge('two'))
    const one = await rig.opened({ user: 'one' })
    rig.cloud.publish(mine, 'x')
    rig.cloud.publish(mine, 'x')
    const two = await rig.opened({ user: 'two' })
    rig.cloud.publish(mine, 'x')
    one.sink.end('client_gone')
    rig.cloud.publish(mine, 'x')
    expect(asked).toEqual(['one', 'two'])
    expect(names(one.sink.text)).toHaveLength(3)
    expect(names(two.sink.text)).toHaveLength(2)
  })

  it('is asked once for those who are judged alike', async () => {
    const rig = streamsRig()
    let asked = 0
    rig.judges.set(
      'acme',
      aJudge(() => {
        asked += 1
        return yes
      }),
    )
    for (let count = 0; count < 5; count += 1) await rig.opened()
    rig.cloud.publish(mine, 'x')
    expect(asked).toBe(1)
  })
})
