import { describe, expect, it } from 'vitest'
import type { ItemsSpec, ListAnswer } from '../../../../src/domain/catalog.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { UpstreamRefusal, type ListQuestion } from '../../../../src/upstream/fleet-lists.ts'
import {
  aDevice,
  aFleet,
  aQuestion,
  deviceItems,
  deviceList,
  FakeCloud,
  idOf,
  json,
  names,
  path,
  problemOf,
  settle,
  theLists,
} from './fake-cloud.ts'

const user = 'acme'
const answerOf = (items: Partial<ItemsSpec>, more: Partial<ListAnswer> = {}): ListAnswer => ({
  ...deviceList,
  ...more,
  items: { ...deviceItems, ...items },
})
const paging = (meta: { pages?: string; total?: string }) => ({
  paging: { page: 'page', size: ['perPage'], defaultSize: 25, maxSize: 100, meta },
})

describe('a whole list', () => {
  it('is read page by page in the largest size and keeps the cloud’s order', async () => {
    const cloud = new FakeCloud(aFleet(951))
    const { lists } = theLists(cloud)
    const view = await lists.view(aQuestion(), { user })
    expect(names(view)).toEqual(aFleet(951).map(({ name }) => name))
    expect(view.items[7]?.id).toBe(idOf(7))
    expect(view.calls).toBe(10)
    expect(cloud.targets.toSorted()).toEqual(
      Array.from({ length: 10 }, (_, at) => `${path}?perPage=100&page=${at + 1}`).toSorted(),
    )
  })

  it('asks with its own credential, for JSON', async () => {
    const cloud = new FakeCloud(aFleet(1))
    await theLists(cloud).lists.view(aQuestion(), { user })
    expect(cloud.requests[0]).toMatchObject({
      method: 'GET',
      headers: { accept: 'application/json' },
      body: undefined,
    })
    expect(cloud.requests[0]?.credential.reveal()).toBe('upstream-secret')
  })

  it('sends filters encoded, before the paging', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const query = [{ key: 'groups', value: 'a b&c' }]
    await theLists(cloud).lists.view(aQuestion({ query }), { user })
    expect(cloud.targets).toEqual([`${path}?groups=a%20b%26c&perPage=100&page=1`])
  })

  it('follows the page count of a cloud that caps the size', async () => {
    const cloud = new FakeCloud(aFleet(95))
    cloud.cap = 10
    const view = await theLists(cloud).lists.view(aQuestion(), { user })
    expect(view.items).toHaveLength(95)
    expect(view.calls).toBe(10)
  })

  it('follows the total where there is no page count, also with capped pages', async () => {
    const cloud = new FakeCloud(aFleet(95))
    cloud.cap = 10
    const answer = answerOf(paging({ total: 'meta.count' }))
    const view = await theLists(cloud).lists.view(aQuestion({ answer }), { user })
    expect(view.items).toHaveLength(95)
    expect(cloud.calls).toBe(10)
  })

  it('reads until an empty page where the cloud says nothing', async () => {
    const cloud = new FakeCloud(aFleet(20))
    cloud.cap = 10
    const view = await theLists(cloud).lists.view(aQuestion({ answer: answerOf(paging({})) }), {
      user,
    })
    expect(view.items).toHaveLength(20)
    expect(cloud.calls).toBe(3)
  })

  it('ends where a cloud repeats its page', async () => {
    const cloud = new FakeCloud([])
    cloud.before = () => json({ devices: aFleet(3) })
    const view = await theLists(cloud).lists.view(aQuestion({ answer: answerOf(paging({})) }), {
      user,
    })
    expect(names(view)).toEqual(['d0', 'd1', 'd2'])
    expect(cloud.calls).toBe(2)
  })

  it('reads a list that is not paged with one call and no paging keys', async () => {
    const cloud = new FakeCloud([])
    cloud.before = () => json(aFleet(300))
    const { paging: _, ...items } = deviceItems
    const answer: ListAnswer = { ...deviceList, at: '', items: { ...items, sides: [] } }
    const view = await theLists(cloud).lists.view(aQuestion({ answer, path: '/v1/devices' }), {
      user,
    })
    expect(cloud.targets).toEqual(['/v1/devices'])
    expect(view.items).toHaveLength(300)
    expect(view.root).toBe('[]')
  })

  it('reads pages that came while it was read, and stops at one that is empty now', async () => {
    const grows = new FakeCloud(aFleet(250))
    grows.before = (query) => {
      if (query.get('page') === '3') grows.devices = aFleet(401)
      return undefined
    }
    expect((await theLists(grows).lists.view(aQuestion(), { user })).items).toHaveLength(401)
    const shrinks = new FakeCloud(aFleet(1500))
    shrinks.before = (query) => {
      if (query.get('page') === '2') shrinks.devices = aFleet(200)
      return undefined
    }
    expect((await theLists(shrinks).lists.view(aQuestion(), { user })).items).toHaveLength(200)
    expect(shrinks.calls).toBeLessThan(10)
  })

  it('lists a device once that moved to the next page while it was read', async () => {
    const cloud = new FakeCloud(aFleet(200))
    cloud.before = (query) => {
      if (query.get('page') === '2') cloud.devices.unshift(aDevice(999))
      return undefined
    }
    const view = await theLists(cloud).lists.view(aQuestion(), { user })
    expect(view.items).toHaveLength(200)
    expect(new Set(view.items.map(({ id }) => id)).size).toBe(200)
  })

  it('keeps several items of one device where the list is not of devices', async () => {
    const cloud = new FakeCloud([])
    const at = (time: number) => ({ id: idOf(1), name: 'x', time })
    cloud.before = (query) =>
      json({
        devices: query.get('page') === '1' ? [at(1), at(2)] : [at(2), at(3)],
        meta: { total_pages: 2 },
      })
    const answer = answerOf({ facts: 'directory' })
    const view = await theLists(cloud).lists.view(aQuestion({ answer }), { user })
    expect(view.items.map(({ text }) => (JSON.parse(text) as { time: number }).time)).toEqual([
      1, 2, 3,
    ])
  })

  it('folds ids, takes whole numbers as ids, and knows none where there is none', async () => {
    const cloud = new FakeCloud([
      { id: 'ABCDEFABCDEFABCDEFABCDEF' },
      { id: 'not an id' },
      { id: null },
      { id: undefined, name: 'none' },
    ])
    const { lists } = theLists(cloud)
    const view = await lists.view(aQuestion(), { user })
    expect(view.items.map(({ id }) => id)).toEqual([
      'abcdefabcdefabcdefabcdef',
      undefined,
      undefined,
      undefined,
    ])
    cloud.devices = [{ id: 17 }, { id: 1.5 }]
    const answer = answerOf({}, { item: 'product' })
    const products = await lists.view(aQuestion({ answer, path: '/v1/products' }), { user })
    expect(products.items.map(({ id }) => id)).toEqual(['17', undefined])
  })

  it('tells items apart by `when`, and refuses what it cannot tell', async () => {
    const answer = answerOf({ id: 'scope.value', when: { at: 'scope.type', is: 'Device' } })
    const of = (type: unknown, value: unknown) => ({ id: 'x', scope: { type, value } })
    const cloud = new FakeCloud([of('Device', idOf(1)), of('Product', idOf(2))])
    const { lists } = theLists(cloud)
    const view = await lists.view(aQuestion({ answer }), { user })
    expect(view.items.map(({ id }) => id)).toEqual([idOf(1), undefined])
    for (const odd of [of('Device', 'x'), of('Device', undefined), of(1, idOf(1)), { id: 'x' }]) {
      cloud.devices = [odd]
      lists.touched({ type: 'product', product: '123' }, path, 'place')
      const problem = await problemOf(lists.view(aQuestion({ answer }), { user }))
      expect(problem.code).toBe('unfilterable_answer')
    }
  })

  it('keeps numbers that a double cannot hold', async () => {
    const cloud = new FakeCloud([])
    const text = `{"id":"${idOf(1)}","serial":12345678901234567890,"ratio":0.1}`
    cloud.before = () => json(`{"devices":[${text}],"meta":{"total_pages":1}}`)
    const view = await theLists(cloud).lists.view(aQuestion(), { user })
    expect(view.items[0]?.text).toBe(text)
  })

  it('keeps the root emptied of items and sides, and sides by key over all pages', async () => {
    const cloud = new FakeCloud(
      aFleet(250).map((device, at) => ({ ...device, owner: `o${at % 120}` })),
    )
    const view = await theLists(cloud).lists.view(aQuestion(), { user })
    expect(JSON.parse(view.root)).toEqual({
      devices: [],
      customers: [],
      meta: { total_pages: 3, count: 250 },
      ok: true,
    })
    expect(view.sides).toHaveLength(1)
    expect(view.sides[0]?.size).toBe(120)
    expect(view.sides[0]?.get('o7')).toBe('{"id":"o7","username":"o7@x"}')
  })

  it('lets others have their turn between pages', async () => {
    const cloud = new FakeCloud(aFleet(3000))
    let turns = 0
    let over = false
    const tick = () => {
      turns += 1
      if (!over) setImmediate(tick)
    }
    setImmediate(tick)
    await theLists(cloud).lists.view(aQuestion(), { user })
    over = true
    expect(turns).toBeGreaterThanOrEqual(5)
  })
})

describe('an answer that is no such list', () => {
  const withType = (contentType: string | undefined, body: string | Buffer) => ({
    status: 200,
    headers: contentType === undefined ? {} : { 'content-type': contentType },
    body: Buffer.from(body),
  })
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  const good = JSON.stringify({ devices: [aDevice(1)] })

  it.each([
    ['F02 HTML', withType('text/html', good)],
    ['F02 no content type', withType(undefined, good)],
    ['F02 NDJSON', withType('application/x-ndjson', `${good}\n${good}`)],
    ['F02 several values', json(`${good}\n${good}`)],
    ['F02 nothing', json('')],
    ['F02 null', json('null')],
    ['F02 a BOM', json(`\uFEFF${good}`)],
    [
      'F02 invalid UTF-8',
      withType('application/json', Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff, 0x22)])),
    ],
    ['F07 a bare array', json([aDevice(1)])],
    ['F07 another key', json({ items: [aDevice(1)] })],
    ['F07 a map by id', json({ devices: { [idOf(1)]: aDevice(1) } })],
    ['F07 items that are ids', json({ devices: [idOf(1)] })],
    ['F07 items that are lists', json({ devices: [[aDevice(1)]] })],
    ['F07 a null among items', json({ devices: [aDevice(1), null] })],
    ['F07 a number with a source among items', json('{"devices":[12345678901234567890]}')],
    ['F07 a side that is no list', json({ devices: [aDevice(1)], customers: { a: 1 } })],
    ['F07 a side’s entry without its key', json({ devices: [aDevice(1)], customers: [{ x: 1 }] })],
    ['an item too deep to read', json(`{"devices":[{"n":12345678901234567890,"a":${deep}}]}`)],
    ['a redirect', json({}, 302)],
    ['another success', json(good, 202)],
    ['no content', { ...json(''), status: 204 }],
  ])('%s is unfilterable_answer', async (_, answer) => {
    const cloud = new FakeCloud([])
    cloud.before = () => answer
    const problem = await problemOf(theLists(cloud).lists.view(aQuestion(), { user }))
    expect(problem.code).toBe('unfilterable_answer')
  })

  it('is refused on any page', async () => {
    const cloud = new FakeCloud(aFleet(300))
    cloud.before = (query) => (query.get('page') === '3' ? json({ devices: 'x' }) : undefined)
    const problem = await problemOf(theLists(cloud).lists.view(aQuestion(), { user }))
    expect(problem.code).toBe('unfilterable_answer')
  })

  it('F07 an item whose id key was renamed has no id', async () => {
    const cloud = new FakeCloud([])
    cloud.before = () => json({ devices: [{ deviceID: idOf(1) }, { device: { id: idOf(1) } }] })
    const view = await theLists(cloud).lists.view(aQuestion(), { user })
    expect(view.items.map(({ id }) => id)).toEqual([undefined, undefined])
  })

  it('an own key named __proto__ is nobody’s id', async () => {
    const cloud = new FakeCloud([])
    cloud.before = () => json(`{"devices":[{"__proto__":{"id":"${idOf(1)}"}}]}`)
    const view = await theLists(cloud).lists.view(aQuestion(), { user })
    expect(view.items[0]?.id).toBeUndefined()
  })
})

describe('a cloud that refuses', () => {
  const refused = async (status: number, question: ListQuestion = aQuestion()) => {
    const cloud = new FakeCloud([])
    cloud.before = () => json({ error: 'no' }, status)
    const thrown: unknown = await theLists(cloud)
      .lists.view(question, { user })
      .catch((error: unknown) => error)
    return { thrown, calls: cloud.calls }
  }

  it.each([400, 403, 404, 429, 500])('hands on its %i', async (status) => {
    const { thrown, calls } = await refused(status)
    expect(thrown).toBeInstanceOf(UpstreamRefusal)
    expect(thrown).toMatchObject({
      status,
      contentType: 'application/json; charset=utf-8',
      body: Buffer.from('{"error":"no"}'),
    })
    expect(calls).toBe(1)
  })

  it.each([401, 407])('says upstream_refused for %i', async (status) => {
    expect((await refused(status)).thrown).toMatchObject({ code: 'upstream_refused' })
  })

  it('hands on failures of the way', async () => {
    const cloud = new FakeCloud([])
    cloud.before = () => Promise.reject(new Problem('upstream_timeout'))
    const problem = await problemOf(theLists(cloud).lists.view(aQuestion(), { user }))
    expect(problem.code).toBe('upstream_timeout')
  })

  it('is asked again for a later page, after a while and no more than twice', async () => {
    const cloud = new FakeCloud(aFleet(200))
    let failures = 2
    cloud.before = (query) =>
      query.get('page') === '2' && failures-- > 0 ? json({}, 503) : undefined
    const { lists, time } = theLists(cloud)
    const reading = lists.view(aQuestion(), { user })
    await settle()
    expect(cloud.calls).toBe(2)
    await time.pass(3000)
    expect((await reading).items).toHaveLength(200)
    expect(cloud.calls).toBe(4)

    cloud.before = (query) => (query.get('page') === '2' ? json({}, 503) : undefined)
    const failing = lists.view(aQuestion({ query: [{ key: 'groups', value: 'x' }] }), { user })
    failing.catch(() => undefined)
    await time.pass(3000)
    await expect(failing).rejects.toBeInstanceOf(UpstreamRefusal)
    expect(cloud.calls).toBe(8)
  })

  it('ends the other calls of a list that has failed', async () => {
    const cloud = new FakeCloud(aFleet(900))
    const aborted: string[] = []
    const send: typeof cloud.send = (request, signal) => {
      signal?.addEventListener('abort', () => aborted.push(request.target))
      return cloud.send(request, signal)
    }
    cloud.before = (query) =>
      query.get('page') === '1'
        ? undefined
        : query.get('page') === '4'
          ? json({}, 404)
          : new Promise<undefined>(() => undefined)
    const { lists } = theLists({ send })
    await expect(lists.view(aQuestion(), { user })).rejects.toBeInstanceOf(UpstreamRefusal)
    expect(aborted.some((target) => target.endsWith('page=2'))).toBe(true)
    expect(cloud.calls).toBe(7)
  })
})
