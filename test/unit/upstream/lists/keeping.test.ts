import { describe, expect, it } from 'vitest'
import type { ViewOptions } from '../../../../src/upstream/fleet-lists.ts'
import { UpstreamAborted } from '../../../../src/upstream/pool.ts'
import {
  aDevice,
  aFleet,
  aGate,
  aQuestion,
  deviceItems,
  deviceList,
  FakeCloud,
  idOf,
  json,
  limits,
  names,
  path,
  place,
  problemOf,
  settle,
  theLists,
} from './fake-cloud.ts'

const options: ViewOptions = { user: 'acme' }
const filtered = (value: string) => aQuestion({ query: [{ key: 'groups', value }] })
/** Ten calls: large enough to be shown while it is read again. */
const largeFleet = () => aFleet(951)

describe('a kept list', () => {
  it('answers from memory while it is young, and is read again from then on', async () => {
    const cloud = new FakeCloud(aFleet(3))
    const { lists, time } = theLists(cloud)
    await lists.view(aQuestion(), options)
    cloud.devices = aFleet(4)
    await time.pass(limits.maxAgeMs - 1)
    expect((await lists.view(aQuestion(), options)).items).toHaveLength(3)
    expect(cloud.calls).toBe(1)
    await time.pass(1)
    expect((await lists.view(aQuestion(), options)).items).toHaveLength(4)
    expect(cloud.calls).toBe(2)
  })

  it('is as old as the moment before its first call', async () => {
    const cloud = new FakeCloud(aFleet(3))
    const { lists, time } = theLists(cloud)
    const gate = aGate()
    cloud.before = () => gate.passed
    const reading = lists.view(aQuestion(), options)
    await time.pass(29_000)
    gate.open()
    const view = await reading
    expect(time.ms - view.atMs).toBe(29_000)
    await time.pass(1000)
    await lists.view(aQuestion(), options)
    expect(cloud.calls).toBe(2)
  })

  it('is no older than the one who asks will take', async () => {
    const cloud = new FakeCloud(aFleet(3))
    const { lists, time } = theLists(cloud)
    await lists.view(aQuestion(), options)
    await time.pass(5000)
    await lists.view(aQuestion(), { ...options, maxAgeMs: 5001 })
    expect(cloud.calls).toBe(1)
    await lists.view(aQuestion(), { ...options, maxAgeMs: 5000 })
    expect(cloud.calls).toBe(2)
    await time.pass(1)
    await lists.view(aQuestion(), { ...options, maxAgeMs: 0 })
    expect(cloud.calls).toBe(3)
  })

  it('is one for equal questions, in whatever order their filters stand, and not for others', async () => {
    const cloud = new FakeCloud(aFleet(3))
    const { lists } = theLists(cloud)
    const [a, b] = [
      { key: 'groups', value: 'x' },
      { key: 'name', value: 'y' },
    ]
    await lists.view(aQuestion({ query: [a, b] }), options)
    await lists.view(aQuestion({ query: [b, a] }), { user: 'other' })
    expect(cloud.calls).toBe(1)
    await lists.view(aQuestion({ query: [a] }), options)
    await lists.view(aQuestion({ query: [a, { key: 'name', value: 'z' }] }), options)
    await lists.view(aQuestion({ query: [a, b], path: '/v1/products/124/devices' }), options)
    await lists.view(aQuestion({ query: [{ key: 'groups', value: 'x&name=y' }] }), options)
    expect(cloud.calls).toBe(5)
  })

  it('is read once for all who ask at the same time', async () => {
    const cloud = new FakeCloud(largeFleet())
    const { lists } = theLists(cloud)
    const views = await Promise.all(
      Array.from({ length: 20 }, (_, at) => lists.view(aQuestion(), { user: `u${at}` })),
    )
    expect(cloud.calls).toBe(10)
    expect(new Set(views).size).toBe(1)
  })

  it('is not kept where it could not be read', async () => {
    const cloud = new FakeCloud(aFleet(3))
    const { lists } = theLists(cloud)
    cloud.before = () => json({}, 503)
    await expect(lists.view(aQuestion(), options)).rejects.toMatchObject({ status: 503 })
    cloud.before = () => undefined
    expect((await lists.view(aQuestion(), options)).items).toHaveLength(3)
  })

  it('tells its size when it was read lately, and not otherwise', async () => {
    const cloud = new FakeCloud(aFleet(3))
    const { lists, time } = theLists(cloud)
    expect(lists.size(aQuestion())).toBeUndefined()
    await lists.view(aQuestion(), options)
    expect(lists.size(aQuestion())).toBe(3)
    expect(lists.size(filtered('x'))).toBeUndefined()
    lists.touched(place, path, 'place')
    expect(lists.size(aQuestion())).toBe(3)
    await time.pass(3_600_000)
    expect(lists.size(aQuestion())).toBeUndefined()
  })
})

describe('a kept list of many pages', () => {
  it('is shown old while it is read again, once, and then new', async () => {
    const cloud = new FakeCloud(largeFleet())
    const { lists, time } = theLists(cloud)
    await lists.view(aQuestion(), options)
    await time.pass(limits.maxAgeMs)
    cloud.devices = aFleet(960)
    const gate = aGate()
    cloud.before = () => gate.passed
    for (let turn = 0; turn < 3; turn++) {
      expect((await lists.view(aQuestion(), options)).items).toHaveLength(951)
    }
    expect(cloud.calls).toBe(11)
    gate.open()
    await settle()
    expect(cloud.calls).toBe(20)
    expect((await lists.view(aQuestion(), options)).items).toHaveLength(960)
    expect(cloud.calls).toBe(20)
  })

  it('is awaited where it is too old to be shown', async () => {
    const cloud = new FakeCloud(largeFleet())
    const { lists, time } = theLists(cloud)
    await lists.view(aQuestion(), options)
    cloud.devices = aFleet(960)
    await time.pass(limits.maxStaleMs)
    expect((await lists.view(aQuestion(), options)).items).toHaveLength(960)
    await time.pass(limits.maxAgeMs + 1)
    cloud.devices = aFleet(970)
    const view = await lists.view(aQuestion(), { ...options, maxAgeMs: limits.maxAgeMs })
    expect(view.items).toHaveLength(970)
  })

  it('is not tried again at once after it could not be read, and shown meanwhile', async () => {
    const cloud = new FakeCloud(largeFleet())
    const { lists, time } = theLists(cloud)
    await lists.view(aQuestion(), options)
    await time.pass(limits.maxAgeMs)
    cloud.before = () => json({}, 503)
    for (let turn = 0; turn < 3; turn++) {
      expect((await lists.view(aQuestion(), options)).items).toHaveLength(951)
      await settle()
    }
    expect(cloud.calls).toBe(11)
    await time.pass(5000)
    await lists.view(aQuestion(), options)
    expect(cloud.calls).toBe(12)
  })

  it.each([403, 404, 401])('is not shown any more once the cloud says %i', async (status) => {
    const cloud = new FakeCloud(largeFleet())
    const { lists, time } = theLists(cloud)
    await lists.view(aQuestion(), options)
    await time.pass(limits.maxAgeMs)
    cloud.before = () => json({}, status)
    await lists.view(aQuestion(), options)
    await settle()
    await expect(lists.view(aQuestion(), options)).rejects.toThrow(
      /the cloud answered|upstream_refused/,
    )
  })
})

describe('a list that is being read', () => {
  it('does not answer who will take none so old', async () => {
    const cloud = new FakeCloud(aFleet(3))
    const gate = aGate()
    const old = json({ devices: aFleet(3), meta: { total_pages: 1 } })
    cloud.before = async () => {
      if (cloud.calls > 1) return undefined
      await gate.passed
      return old
    }
    const { lists, time } = theLists(cloud)
    const first = lists.view(aQuestion(), options)
    await time.pass(5000)
    const patient = lists.view(aQuestion(), { ...options, maxAgeMs: 5001 })
    const strict = lists.view(aQuestion(), { ...options, maxAgeMs: 5000 })
    cloud.devices = aFleet(4)
    gate.open()
    expect((await first).items).toHaveLength(3)
    expect((await patient).items).toHaveLength(3)
    expect((await strict).items).toHaveLength(4)
    expect(cloud.calls).toBe(2)
  })
})

describe('a client that goes away', () => {
  it('stops waiting; the reading goes on for others', async () => {
    const cloud = new FakeCloud(largeFleet())
    const gate = aGate()
    cloud.before = () => gate.passed
    const { lists } = theLists(cloud)
    const gone = new AbortController()
    const first = lists.view(aQuestion(), { ...options, signal: gone.signal })
    const second = lists.view(aQuestion(), { user: 'other' })
    gone.abort()
    await expect(first).rejects.toBeInstanceOf(UpstreamAborted)
    gate.open()
    expect((await second).items).toHaveLength(951)
    expect(cloud.calls).toBe(10)
  })

  it('ends the reading when nobody else waits, and the next one reads anew', async () => {
    const cloud = new FakeCloud(largeFleet())
    const gate = aGate()
    cloud.before = (query) => (query.get('page') === '1' ? undefined : gate.passed)
    const { lists } = theLists(cloud)
    const gone = new AbortController()
    const reading = lists.view(aQuestion(), { ...options, signal: gone.signal })
    await settle()
    expect(cloud.calls).toBe(7)
    gone.abort()
    await expect(reading).rejects.toBeInstanceOf(UpstreamAborted)
    gate.open()
    await settle()
    expect(cloud.calls).toBe(7)
    expect((await lists.view(aQuestion(), options)).items).toHaveLength(951)
    expect(cloud.calls).toBe(17)
  })

  it('is not asked for at all when it has gone already', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists } = theLists(cloud)
    const signal = AbortSignal.abort()
    await expect(lists.view(aQuestion(), { ...options, signal })).rejects.toBeInstanceOf(
      UpstreamAborted,
    )
    expect(cloud.calls).toBe(0)
  })

  it('does not end a reading in the background', async () => {
    const cloud = new FakeCloud(largeFleet())
    const { lists, time } = theLists(cloud)
    await lists.view(aQuestion(), options)
    await time.pass(limits.maxAgeMs)
    const gate = aGate()
    cloud.before = () => gate.passed
    await lists.view(aQuestion(), options)
    const gone = new AbortController()
    const joined = lists.view(aQuestion(), { ...options, maxAgeMs: 1, signal: gone.signal })
    gone.abort()
    await expect(joined).rejects.toBeInstanceOf(UpstreamAborted)
    gate.open()
    await settle()
    expect(cloud.calls).toBe(20)
  })

  it('is not kept waiting for longer than 45 s, and finds the list when it comes back', async () => {
    const cloud = new FakeCloud(largeFleet())
    const gate = aGate()
    cloud.before = () => gate.passed
    const { lists, time } = theLists(cloud)
    const problem = problemOf(lists.view(aQuestion(), options))
    await time.pass(45_000)
    expect(await problem).toMatchObject({ code: 'overloaded', retryAfterS: 10 })
    gate.open()
    await settle()
    expect(cloud.calls).toBe(10)
    await lists.view(aQuestion(), options)
    await settle()
    expect(cloud.calls).toBe(20)
  })
})

describe('the memory of lists', () => {
  const long = (count: number, tag = '') =>
    aFleet(count).map((device) => ({ ...device, text: `${tag}${'x'.repeat(800)}` }))

  it('lets the least recently used go first', async () => {
    const cloud = new FakeCloud(long(100))
    // Room for two lists of about 110 KB each.
    const { lists } = theLists(cloud, { memoryBytes: 260_000 })
    await lists.view(filtered('a'), options)
    await lists.view(filtered('b'), options)
    await lists.view(filtered('a'), options)
    expect(cloud.calls).toBe(2)
    await lists.view(filtered('c'), options)
    await lists.view(filtered('a'), options)
    expect(cloud.calls).toBe(3)
    await lists.view(filtered('b'), options)
    expect(cloud.calls).toBe(4)
  })

  it('refuses a list that would never fit after its first page', async () => {
    const cloud = new FakeCloud(long(1000))
    const { lists } = theLists(cloud, { memoryBytes: 500_000 })
    const problem = await problemOf(lists.view(aQuestion(), options))
    expect(problem).toMatchObject({ code: 'overloaded' })
    expect(problem.cause).toContain('lists.memory')
    expect(cloud.calls).toBe(1)
    expect(await lists.view(filtered('x'), options).catch(() => 'refused')).toBe('refused')
  })

  it('refuses a list that turns out too large, and gives its room back', async () => {
    const cloud = new FakeCloud([...aFleet(100), ...long(1900)])
    const { lists } = theLists(cloud, { memoryBytes: 500_000 })
    const problem = await problemOf(lists.view(aQuestion(), options))
    expect(problem.code).toBe('overloaded')
    expect(cloud.calls).toBeLessThan(20)
    cloud.devices = long(400)
    expect((await lists.view(filtered('x'), options)).items).toHaveLength(400)
  })

  it('bounds how many empty lists it keeps', async () => {
    const cloud = new FakeCloud([])
    const { lists } = theLists(cloud, { memoryBytes: 20_000 })
    for (let list = 0; list < 30; list++) await lists.view(filtered(`${list}`), options)
    await lists.view(filtered('29'), options)
    expect(cloud.calls).toBe(30)
    await lists.view(filtered('0'), options)
    expect(cloud.calls).toBe(31)
  })

  it('counts text beyond ASCII twice', async () => {
    const cloud = new FakeCloud(long(400, 'ü'))
    const { lists } = theLists(cloud, { memoryBytes: 500_000 })
    expect((await problemOf(lists.view(aQuestion(), options))).code).toBe('overloaded')
  })

  it('has what is the same after a second reading once', async () => {
    const cloud = new FakeCloud(largeFleet())
    const { lists, time } = theLists(cloud)
    const before = await lists.view(aQuestion(), options)
    cloud.devices[5] = { ...aDevice(5), name: 'renamed' }
    await time.pass(limits.maxStaleMs)
    const after = await lists.view(aQuestion(), options)
    expect(after.items[4]).toBe(before.items[4])
    expect(after.items[5]).not.toBe(before.items[5])
    expect(names(after)[5]).toBe('renamed')
  })

  it('forgets what nobody asked for in 10 minutes', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists, time } = theLists(cloud, { maxAgeMs: 3_600_000 })
    await lists.view(filtered('a'), options)
    await lists.view(filtered('b'), options)
    await time.pass(599_000)
    await lists.view(filtered('a'), options)
    await time.pass(2000)
    await lists.view(filtered('a'), options)
    expect(cloud.calls).toBe(2)
    await lists.view(filtered('b'), options)
    expect(cloud.calls).toBe(3)
  })
})

describe('the ration of pages', () => {
  const user = (name: string) => ({ user: name })
  const code = (reading: Promise<unknown>) => problemOf(reading).then((problem) => problem.code)

  it('is spent on what is not in memory, by each user alone, and refills', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists, time } = theLists(cloud, { pagesPerMinute: 2 })
    for (let list = 0; list < 10; list++) await lists.view(filtered(`${list}`), options)
    await lists.view(filtered('9'), options)
    const problem = await problemOf(lists.view(filtered('c'), options))
    expect(problem).toMatchObject({ code: 'rationed', status: 429, retryAfterS: 60 })
    expect(cloud.calls).toBe(10)
    await lists.view(filtered('c'), user('other'))
    await lists.view(filtered('c'), options)
    await time.pass(29_999)
    expect(await code(lists.view(filtered('d'), options))).toBe('rationed')
    await time.pass(1)
    await lists.view(filtered('d'), options)
  })

  it('lets a first sweep of 1,000 pages through, and not three a minute', async () => {
    const cloud = new FakeCloud(aFleet(10_000))
    cloud.cap = 10
    const { lists, time } = theLists(cloud, { callsPerMinute: 100_000 })
    expect((await lists.view(filtered('a'), options)).calls).toBe(1000)
    const problem = await problemOf(lists.view(filtered('b'), options))
    // 499 are left of 1,500 and 1,000 are wanted, at 300 a minute.
    expect(problem).toMatchObject({ code: 'rationed', retryAfterS: 101 })
    expect(cloud.calls).toBe(1001)
    expect((await lists.view(filtered('b'), user('other'))).calls).toBe(1000)
    await time.pass(101_000)
    expect((await lists.view(filtered('c'), options)).calls).toBe(1000)
  })

  it('reads a list that is larger than the ration for whoever has all of it, once', async () => {
    const cloud = new FakeCloud(aFleet(2000))
    const { lists, time } = theLists(cloud, { pagesPerMinute: 2 })
    expect((await lists.view(filtered('a'), options)).calls).toBe(20)
    await time.pass(5 * 60_000 - 1)
    expect(await code(lists.view(filtered('b'), options))).toBe('rationed')
    expect(cloud.calls).toBe(20)
    await time.pass(10 * 60_000)
    expect((await lists.view(filtered('b'), options)).calls).toBe(20)
  })

  it('is overdrawn by a list of which nobody knows the length, and does not break it off', async () => {
    const cloud = new FakeCloud(aFleet(2000))
    const paging = { page: 'page', size: ['perPage'], defaultSize: 25, maxSize: 100, meta: {} }
    const answer = { ...deviceList, items: { ...deviceItems, paging } }
    const { lists } = theLists(cloud, { pagesPerMinute: 2 })
    expect((await lists.view(aQuestion({ answer }), options)).items).toHaveLength(2000)
    expect(await code(lists.view(filtered('b'), options))).toBe('rationed')
    expect(cloud.calls).toBe(21)
  })

  it('is that of whoever waits and has one, where a reading is shared', async () => {
    const cloud = new FakeCloud(aFleet(300))
    const { lists } = theLists(cloud, { pagesPerMinute: 1 })
    await lists.view(filtered('a'), user('bad'))
    const both = [user('bad'), user('good')].map((who) => lists.view(filtered('b'), who))
    const views = await Promise.all(both)
    expect(views.map(({ items }) => items.length)).toEqual([300, 300])
    expect(cloud.calls).toBe(6)
    expect(await code(lists.view(filtered('c'), user('bad')))).toBe('rationed')
  })

  it('is spent on reading again what is not young enough for who asks', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists, time } = theLists(cloud, { pagesPerMinute: 1 })
    for (let turn = 0; turn < 5; turn++) {
      await lists.view(aQuestion(), { ...options, maxAgeMs: 0 })
      await time.pass(1)
    }
    expect(await code(lists.view(aQuestion(), { ...options, maxAgeMs: 0 }))).toBe('rationed')
    await lists.view(aQuestion(), options)
    expect(cloud.calls).toBe(5)
  })

  it('is not spent on what is read again in the background', async () => {
    const cloud = new FakeCloud(aFleet(500))
    const { lists, time } = theLists(cloud, { pagesPerMinute: 1, maxStaleMs: 3_600_000 })
    await lists.view(aQuestion(), options)
    for (let turn = 0; turn < 3; turn++) {
      await time.pass(limits.maxAgeMs)
      await lists.view(aQuestion(), options)
      await settle()
    }
    expect(cloud.calls).toBe(20)
  })

  it('is not spent on what the gate reads to know facts', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists } = theLists(cloud, { pagesPerMinute: 1 })
    for (let list = 0; list < 8; list++) {
      await lists.view(filtered(`${list}`), { ...options, ration: 'none' })
    }
    for (const group of 'abcde') await lists.view(filtered(group), options)
    expect(cloud.calls).toBe(13)
    expect(await code(lists.view(filtered('f'), options))).toBe('rationed')
  })

  it('does not fail what the gate waits for as well', async () => {
    const cloud = new FakeCloud(aFleet(300))
    const { lists } = theLists(cloud, { pagesPerMinute: 1 })
    await lists.view(filtered('a'), options)
    const reading = lists.view(filtered('b'), options)
    const facts = lists.view(filtered('b'), { user: 'gate', ration: 'none' })
    expect((await facts).items).toHaveLength(300)
    expect((await reading).items).toHaveLength(300)
    expect(await code(lists.view(filtered('c'), options))).toBe('rationed')
  })

  it('is not spent on reading again what somebody wrote to', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists } = theLists(cloud, { pagesPerMinute: 1 })
    for (let turn = 0; turn < 8; turn++) {
      await lists.view(aQuestion(), options)
      const { place, path } = aQuestion()
      lists.touched({ ...place, type: 'device', device: idOf(0) }, `${path}/${idOf(0)}`, 'device')
    }
    expect(cloud.calls).toBe(8)
    for (const group of 'abcd') await lists.view(filtered(group), options)
    expect(await code(lists.view(filtered('e'), options))).toBe('rationed')
  })

  it('is spent on each id that is picked', async () => {
    const cloud = new FakeCloud(aFleet(10))
    const { lists } = theLists(cloud, { pagesPerMinute: 2 })
    const pick = (at: number) => lists.pick(aQuestion(), idOf(at), 'deviceId', options)
    for (let at = 0; at < 10; at += 1) expect((await pick(at)).items).toHaveLength(1)
    expect(await code(pick(11))).toBe('rationed')
  })
})

describe('disposing of lists', () => {
  it('ends readings and leaves no timer', async () => {
    const cloud = new FakeCloud(largeFleet())
    const { lists, time } = theLists(cloud, { callsPerMinute: 20 })
    await lists.view(aQuestion(), options)
    await time.pass(limits.maxAgeMs)
    await lists.view(aQuestion(), options)
    await settle()
    const { calls } = cloud
    const waiting = lists.view(filtered('x'), options)
    lists[Symbol.dispose]()
    await expect(waiting).rejects.toBeInstanceOf(UpstreamAborted)
    await time.pass(600_000)
    expect(cloud.calls).toBeLessThanOrEqual(calls + 1)
    expect(time.timers).toBe(0)
  })
})
