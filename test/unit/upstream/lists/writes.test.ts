import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../../src/domain/access-request.ts'
import type { ListAnswer } from '../../../../src/domain/catalog.ts'
import type { ViewOptions } from '../../../../src/upstream/fleet-lists.ts'
import { touches, type Reach } from '../../../../src/upstream/lists/journal.ts'
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
  settle,
  theLists,
} from './fake-cloud.ts'

const options: ViewOptions = { user: 'acme' }
const device = (number: number): Resource => ({ ...place, type: 'device', device: idOf(number) })
const devicePath = (number: number) => `${path}/${idOf(number)}`
const large = 951

/** A cloud and lists that have read it once. */
async function warm(count: number, answer: ListAnswer = deviceList) {
  const cloud = new FakeCloud(aFleet(count))
  const { lists, time } = theLists(cloud)
  const question = aQuestion({ answer })
  await lists.view(question, options)
  const calls = cloud.calls
  return {
    cloud,
    lists,
    time,
    question,
    /** Calls since the list was read first. */
    since: () => cloud.calls - calls,
    rename(number: number, name: string) {
      cloud.devices = cloud.devices.map((one) => (one.id === idOf(number) ? { ...one, name } : one))
    },
    touch: (number: number) => lists.touched(device(number), devicePath(number), 'device'),
    nameOf: async (number: number) => {
      const view = await lists.view(question, options)
      const found = view.items.find(({ id }) => id === idOf(number))
      return found && (JSON.parse(found.text) as { name: string }).name
    },
  }
}

describe('a write on a device', () => {
  it('has a list of few pages read again', async () => {
    const { rename, touch, nameOf, since } = await warm(3)
    rename(1, 'new')
    expect(await nameOf(1)).toBe('d1')
    expect(since()).toBe(0)
    touch(1)
    expect(await nameOf(1)).toBe('new')
    expect(since()).toBe(1)
  })

  it('has a list of many pages asked for that device alone, once', async () => {
    const { cloud, rename, touch, nameOf, since, lists, question } = await warm(large)
    const before = await lists.view(question, options)
    rename(500, 'new')
    touch(500)
    expect(await nameOf(500)).toBe('new')
    expect(await nameOf(499)).toBe('d499')
    expect(since()).toBe(1)
    expect(cloud.targets.at(-1)).toBe(`${path}?deviceId=${idOf(500)}&perPage=100&page=1`)
    const after = await lists.view(question, options)
    expect(after.items).toHaveLength(large)
    expect(after.items[500]?.id).toBe(idOf(500))
    expect(after.atMs).toBe(before.atMs)
    expect(after.root).toBe(before.root)
    // Views never change: who holds the earlier one still sees it.
    expect(names(before)[500]).toBe('d500')
  })

  it('takes a device out of a large list that is not listed any more, and puts a new one last', async () => {
    const { cloud, lists, question, touch } = await warm(large)
    cloud.devices = cloud.devices.filter(({ id }) => id !== idOf(7))
    cloud.devices.unshift({ ...aDevice(5000), owner: 'o1' })
    touch(7)
    touch(5000)
    const view = await lists.view(question, options)
    expect(view.items).toHaveLength(large)
    expect(view.items.some(({ id }) => id === idOf(7))).toBe(false)
    expect(view.items.at(-1)?.id).toBe(idOf(5000))
    expect(view.sides[0]?.has('o1')).toBe(true)
  })

  it('believes of a filtered answer only the device asked for', async () => {
    const { cloud, lists, question, touch } = await warm(large)
    cloud.before = (query) =>
      query.has('deviceId')
        ? json({
            devices: [
              { ...aDevice(3), name: 'other' },
              { ...aDevice(4), name: 'new' },
            ],
          })
        : undefined
    touch(4)
    const view = await lists.view(question, options)
    expect(names(view).slice(3, 5)).toEqual(['d3', 'new'])
    expect(view.items).toHaveLength(large)
  })

  it('keeps the filters of the question when it asks for one', async () => {
    const { cloud, lists, touch } = await warm(large)
    const question = aQuestion({ query: [{ key: 'groups', value: 'a' }] })
    await lists.view(question, options)
    touch(1)
    await lists.view(question, options)
    expect(cloud.targets.at(-1)).toBe(`${path}?groups=a&deviceId=${idOf(1)}&perPage=100&page=1`)
  })

  it('reads all again where there are more than 50 such devices', async () => {
    const { touch, nameOf, since, rename } = await warm(large)
    for (let number = 0; number < 50; number++) touch(number)
    await nameOf(1)
    expect(since()).toBe(50)
    rename(50, 'new')
    for (let number = 0; number < 51; number++) touch(number)
    expect(await nameOf(50)).toBe('new')
    expect(since()).toBe(60)
  })

  it('asks one by one for more of a list that costs more to read', async () => {
    const cloud = new FakeCloud(aFleet(large))
    cloud.cap = 5
    const { lists } = theLists(cloud)
    await lists.view(aQuestion(), options)
    expect(cloud.calls).toBe(191)
    for (let number = 0; number < 95; number++) {
      lists.touched(device(number), devicePath(number), 'device')
    }
    await lists.view(aQuestion(), options)
    expect(cloud.calls).toBe(191 + 95)
    for (let number = 0; number < 96; number++) {
      lists.touched(device(number), devicePath(number), 'device')
    }
    await lists.view(aQuestion(), options)
    expect(cloud.calls).toBe(191 + 95 + 191)
  })

  it('reads all again where the list has no filter by id, or the question has used it', async () => {
    const bare = { ...deviceList, items: { ...deviceItems, narrow: [] } }
    const { touch, nameOf, since, rename } = await warm(large, bare)
    rename(50, 'new')
    touch(50)
    expect(await nameOf(50)).toBe('new')
    expect(since()).toBe(10)

    const cloud = new FakeCloud(aFleet(large))
    const { lists } = theLists(cloud)
    const question = aQuestion({ query: [{ key: 'deviceId', value: '0000' }] })
    await lists.view(question, options)
    lists.touched(device(1), devicePath(1), 'device')
    await lists.view(question, options)
    expect(cloud.calls).toBe(20)
  })

  it('leaves lists of other products alone', async () => {
    const { lists, since, question } = await warm(3)
    const other: Resource = { type: 'device', product: '124', device: idOf(1) }
    lists.touched(other, `/v1/products/124/devices/${idOf(1)}`, 'device')
    lists.touched({ type: 'device', device: idOf(1) }, `/v1/devices/${idOf(1)}`, 'device')
    await lists.view(question, options)
    expect(since()).toBe(0)
  })

  it('is asked about once by all who come at the same time', async () => {
    const { lists, question, touch, since } = await warm(large)
    touch(1)
    touch(2)
    const views = await Promise.all(Array.from({ length: 10 }, () => lists.view(question, options)))
    expect(since()).toBe(2)
    expect(new Set(views).size).toBe(1)
  })

  it('that passes while the device is asked about has it asked about again', async () => {
    const { cloud, lists, question, touch, rename, nameOf, since } = await warm(large)
    rename(1, 'first')
    touch(1)
    const gate = aGate()
    const old = json({ devices: [{ ...aDevice(1), name: 'first' }], meta: { total_pages: 1 } })
    cloud.before = async (query) => {
      if (!query.has('deviceId')) return undefined
      await gate.passed
      return old
    }
    const first = lists.view(question, options)
    await settle()
    rename(1, 'second')
    touch(1)
    cloud.before = () => undefined
    const later = nameOf(1)
    gate.open()
    expect(names(await first)[1]).toBe('first')
    expect(await later).toBe('second')
    expect(await nameOf(1)).toBe('second')
    expect(since()).toBe(2)
  })
})

describe('a write on a place', () => {
  it.each<[string, Resource, number]>([
    ['its product', place, 1],
    ['another product', { type: 'product', product: '124' }, 0],
    ['an organization that may own it', { type: 'organization', organization: 'a' }, 1],
    ['one of its devices', device(1), 1],
    ['nothing in particular', { type: 'none' }, 1],
  ])('%s', async (_, resource, calls) => {
    const { lists, question, since } = await warm(3)
    lists.touched(resource, '/v1/elsewhere', 'place')
    await lists.view(question, options)
    expect(since()).toBe(calls)
  })

  it('has a large list read again and awaited', async () => {
    const { lists, question, since, cloud } = await warm(large)
    cloud.devices = aFleet(large + 1)
    lists.touched(place, '/v1/products/123/groups/x', 'place')
    expect((await lists.view(question, options)).items).toHaveLength(large + 1)
    expect(since()).toBe(10)
  })
})

describe('a write at a path', () => {
  it.each([
    ['the list', path, 1],
    ['something in it', `${path}/${idOf(1)}`, 1],
    ['what it is in', '/v1/products/123', 1],
    ['a path that only begins alike', `${path}s`, 0],
    ['a sibling', '/v1/products/123/sims', 0],
    ['another product', '/v1/products/1234/devices', 0],
  ])('%s', async (_, to, calls) => {
    const { lists, question, since } = await warm(3)
    lists.touched(place, to, 'path')
    await lists.view(question, options)
    expect(since()).toBe(calls)
  })
})

describe('a write while a list is read', () => {
  /** The write is reported, the list is asked for, the write takes place, and is reported again. */
  async function between(count: number, reach: Reach) {
    const cloud = new FakeCloud(aFleet(count))
    const { lists, time } = theLists(cloud)
    const report = () => {
      if (reach === 'device') lists.touched(device(1), devicePath(1), 'device')
      else lists.touched(place, reach === 'path' ? path : '/v1/x', reach)
    }
    report()
    const meanwhile = await lists.view(aQuestion(), options)
    expect(names(meanwhile)[1]).toBe('d1')
    cloud.devices[1] = { ...aDevice(1), name: 'new' }
    expect(names(await lists.view(aQuestion(), options))[1]).toBe('d1')
    report()
    expect(names(await lists.view(aQuestion(), options))[1]).toBe('new')
    return { cloud, lists, time }
  }

  it.each<[number, Reach, number]>([
    [3, 'device', 2],
    [3, 'place', 2],
    [3, 'path', 2],
    [large, 'device', 11],
    [large, 'place', 20],
    [large, 'path', 20],
  ])('%i devices, %s: is not believed afterwards', async (count, reach, calls) => {
    expect((await between(count, reach)).cloud.calls).toBe(calls)
  })

  /** As above, but the reading is still under way when the write has passed. */
  async function during(count: number, reach: Reach) {
    const cloud = new FakeCloud(aFleet(count))
    const { lists } = theLists(cloud)
    const report = () => {
      if (reach === 'device') lists.touched(device(1), devicePath(1), 'device')
      else lists.touched(place, reach === 'path' ? path : '/v1/x', reach)
    }
    const gate = aGate()
    const first = json({ devices: aFleet(100), meta: { total_pages: Math.ceil(count / 100) } })
    let asked = 0
    cloud.before = async () => {
      if (asked++ > 0) return undefined
      await gate.passed
      return first
    }
    report()
    const early = lists.view(aQuestion(), options)
    await settle()
    cloud.devices[1] = { ...aDevice(1), name: 'new' }
    report()
    const late = lists.view(aQuestion(), options)
    await settle()
    gate.open()
    expect(names(await early)[1]).toBe('d1')
    expect(names(await late)[1]).toBe('new')
    expect(names(await lists.view(aQuestion(), options))[1]).toBe('new')
    return cloud
  }

  it.each<[number, Reach, number]>([
    [100, 'device', 2],
    [100, 'place', 2],
    [100, 'path', 2],
    [large, 'device', 11],
    [large, 'place', 20],
    [large, 'path', 20],
  ])('%i devices, %s: does not answer who comes after the write', async (count, reach, calls) => {
    expect((await during(count, reach)).calls).toBe(calls)
  })

  it('has a list that is read in the background patched when it is in', async () => {
    const { cloud, lists, time, question, touch, rename, nameOf, since } = await warm(large)
    await time.pass(limits.maxAgeMs)
    const gate = aGate()
    const old = [...cloud.devices]
    cloud.before = async (query) => {
      if (query.has('deviceId') || query.get('page') !== '1') return undefined
      const answer = json({ devices: old.slice(0, 100), meta: { total_pages: 10 } })
      await gate.passed
      return answer
    }
    await lists.view(question, options)
    rename(1, 'new')
    touch(1)
    expect(await nameOf(1)).toBe('new')
    gate.open()
    await settle()
    expect(since()).toBe(11)
    expect(await nameOf(1)).toBe('new')
    expect(since()).toBe(12)
  })

  it('ends a reading in the background that nobody can use any more', async () => {
    const { cloud, lists, time, question, since } = await warm(large)
    await time.pass(limits.maxAgeMs)
    const gate = aGate()
    cloud.before = () => gate.passed
    await lists.view(question, options)
    lists.touched(place, path, 'place')
    const view = lists.view(question, options)
    await settle()
    expect(since()).toBe(2)
    gate.open()
    await view
    await settle()
    // One call of the first, ten of the second.
    expect(since()).toBe(11)
  })

  it('does not let an earlier patch replace a later reading', async () => {
    const { cloud, lists, time, question, touch, since } = await warm(large)
    await time.pass(limits.maxAgeMs)
    const gate = aGate()
    cloud.before = (query) => (query.has('deviceId') ? gate.passed : undefined)
    touch(1)
    const patched = lists.view(question, options)
    await settle()
    expect(since()).toBe(11)
    const { atMs } = await lists.view(question, options)
    expect(atMs).toBe(time.ms)
    gate.open()
    await patched
    expect((await lists.view(question, options)).atMs).toBe(time.ms)
    expect(since()).toBe(11)
  })

  it('does not stay unseen because too many writes have passed since', async () => {
    const { lists, question, rename, touch, nameOf, since } = await warm(3)
    rename(1, 'new')
    touch(1)
    const other: Resource = { type: 'device', product: '124', device: idOf(1) }
    for (let write = 0; write < 20_000; write++) lists.touched(other, '/v1/x', 'device')
    expect(await nameOf(1)).toBe('new')
    expect(since()).toBe(1)
    await lists.view(question, options)
    expect(since()).toBe(1)
  })
})

describe('touches', () => {
  const question = (resource: Resource) => aQuestion({ place: resource, path: '/v1/x' })
  const org = { type: 'organization', organization: 'o1' } as const

  it.each<[string, Resource, Resource, boolean]>([
    ['a product’s list, a device of it', place, device(1), true],
    ['an organization’s list, a device of an unknown one', org, device(1), true],
    ['an organization’s list, its device', org, { ...device(1), organization: 'o1' }, true],
    ['an organization’s list, another’s', org, { ...device(1), organization: 'o2' }, false],
    ['a device’s list, that device', device(1), device(1), true],
    ['a device’s list, another of its product', device(1), device(2), false],
    ['an account’s list, any device', { type: 'none' }, device(1), true],
    [
      'an account’s list, a device in no product',
      { type: 'none' },
      { type: 'device', device: idOf(1) },
      true,
    ],
  ])('%s', (_, listed, written, is) => {
    expect(touches(question(listed), { resource: written, path: '/v1/y', reach: 'device' })).toBe(
      is,
    )
  })
})

describe('pick', () => {
  const pickFrom = (cloud: FakeCloud) => {
    const made = theLists(cloud)
    const pick = (at: number, question = aQuestion()) =>
      made.lists.pick(question, idOf(at), 'deviceId', options)
    return { ...made, pick }
  }

  it('asks for the id alone, beside the question’s filters', async () => {
    const cloud = new FakeCloud(
      aFleet(10).map((one) => ({ ...one, owner: `o${String(one['name'])}` })),
    )
    const { pick } = pickFrom(cloud)
    const view = await pick(5, aQuestion({ query: [{ key: 'groups', value: 'a' }] }))
    expect(names(view)).toEqual(['d5'])
    expect(cloud.targets).toEqual([`${path}?groups=a&deviceId=${idOf(5)}&perPage=100&page=1`])
    expect([...(view.sides[0]?.keys() ?? [])]).toEqual(['od5'])
    expect(JSON.parse(view.root)).toMatchObject({ devices: [], customers: [], ok: true })
    expect(view.calls).toBe(1)
    expect(names(await pick(4000))).toEqual([])
  })

  it('takes only the item that was asked for', async () => {
    const cloud = new FakeCloud([])
    cloud.before = () => json({ devices: aFleet(10), meta: { total_pages: 1 } })
    const { lists, pick } = pickFrom(cloud)
    expect(names(await pick(5))).toEqual(['d5'])
    expect(names(await pick(4000))).toEqual([])
    // Nor is it taken for the list that a client would ask for with this filter.
    const filtered = aQuestion({ query: [{ key: 'deviceId', value: idOf(5) }] })
    expect((await lists.view(filtered, options)).items).toHaveLength(10)
  })

  it('asks once for all who ask at once', async () => {
    const cloud = new FakeCloud(aFleet(10))
    const { pick } = pickFrom(cloud)
    const views = await Promise.all([pick(1), pick(1), pick(2)])
    expect(views.map((view) => names(view))).toEqual([['d1'], ['d1'], ['d2']])
    expect(cloud.calls).toBe(2)
  })

  it('keeps what it was told, by the same ages', async () => {
    const cloud = new FakeCloud(aFleet(10))
    const { time, pick } = pickFrom(cloud)
    await pick(5)
    await time.pass(10_000)
    const view = await pick(5)
    expect(cloud.calls).toBe(1)
    expect(time.ms - view.atMs).toBe(10_000)
    await time.pass(20_000)
    await pick(5)
    expect(cloud.calls).toBe(2)
  })

  it('asks again for a device that was written, and for no other', async () => {
    const cloud = new FakeCloud(aFleet(10))
    const { lists, pick } = pickFrom(cloud)
    await pick(2)
    await pick(5)
    cloud.devices[2] = { ...aDevice(2), name: 'new' }
    lists.touched(device(2), devicePath(2), 'device')
    expect([names(await pick(2)), names(await pick(5))]).toEqual([['new'], ['d5']])
    expect(cloud.calls).toBe(3)
    lists.touched(place, path, 'place')
    await pick(2)
    await pick(5)
    expect(cloud.calls).toBe(5)
  })

  it('fails where its call does', async () => {
    const cloud = new FakeCloud(aFleet(10))
    cloud.before = () => json({}, 503)
    await expect(pickFrom(cloud).pick(2)).rejects.toMatchObject({ status: 503 })
  })

  it('does not ask twice by one filter', async () => {
    const cloud = new FakeCloud(aFleet(10))
    const question = aQuestion({ query: [{ key: 'deviceId', value: idOf(1) }] })
    await expect(pickFrom(cloud).pick(5, question)).rejects.toMatchObject({ code: 'internal' })
    expect(cloud.calls).toBe(0)
  })
})
