import { describe, expect, it } from 'vitest'
import type { Relation, Route } from '../../../src/domain/catalog.ts'
import { aRoute } from '../../kit/a-route.ts'
import { aDirectory, id } from '../../kit/a-directory.ts'

const code = (wanted: string) => expect.objectContaining({ code: wanted })
const place = { type: 'product', product: '7' } as const
const sim: Relation = {
  parameter: 'iccid',
  lookup: '/v1/products/:product/sims/:iccid',
  device: ['device_id', 'last_device_id'],
  absent: [403, 404],
}
const simPath = '/v1/products/7/sims/89'
const ofSim = { product: 'thermo', iccid: '89' }
const json = (body: unknown) => ({ status: 200, json: body })

describe('whose something is', () => {
  it('is asked of the cloud with the ids that were decided, and folded', async () => {
    const answers = { [simPath]: json({ last_device_id: id.toUpperCase() }) }
    const { directory, asked } = aDirectory(answers)
    expect(await directory.related(sim, ofSim, place, 'u')).toBe(id)
    expect(await directory.related(sim, ofSim, place, 'u')).toBe(id)
    expect(asked).toEqual([simPath])
  })

  it.each([
    ['the first that is there', { device_id: id, last_device_id: 'f'.repeat(24) }, id],
    ['none, where the first that is there is no id', { device_id: 'x', last_device_id: id }],
    ['the second, where the first is null', { device_id: null, last_device_id: id }, id],
    ['the second, where the first is empty', { device_id: '', last_device_id: id }, id],
    ['none, where none is there', {}],
    ['none, where it is no text', { device_id: { id } }],
  ])('is %s', async (_, body, wanted?: string) => {
    const { directory } = aDirectory({ [simPath]: json(body) })
    expect(await directory.related(sim, ofSim, place, 'u')).toBe(wanted)
  })

  it('is told from an answer only where that speaks of devices', async () => {
    const when = { at: 'sim.kind', is: 'Device' }
    const answer = (kind: string) => ({
      [simPath]: json({ sim: { kind }, last_device_id: id }),
    })
    const { directory } = aDirectory(answer('Device'))
    expect(await directory.related({ ...sim, when }, ofSim, place, 'u')).toBe(id)
    for (const kind of ['device', 'Product', '']) {
      expect(
        await aDirectory(answer(kind)).directory.related({ ...sim, when }, ofSim, place, 'u'),
      ).toBeUndefined()
    }
  })

  it('is the parameter itself where the catalog says so, under its condition', async () => {
    const own: Relation = {
      ...{ parameter: 'instance', lookup: '/v1/products/:product/ledgers/:ledger', device: [] },
      ...{ when: { at: 'ledger.scope', is: 'Device' }, absent: [404] },
    }
    const { directory, asked } = aDirectory({
      '/v1/products/7/ledgers/a': json({ ledger: { scope: 'Device' } }),
      '/v1/products/7/ledgers/b': json({ ledger: { scope: 'Product' } }),
    })
    const of = (ledger: string, instance: string) =>
      directory.related(own, { product: '7', ledger, instance }, place, 'u')
    expect(await of('a', id)).toBe(id)
    expect(await of('a', 'f'.repeat(24))).toBe('f'.repeat(24))
    expect(asked).toHaveLength(1)
    expect(await of('b', id)).toBeUndefined()
    expect(await of('c', id)).toBeUndefined()
    for (const odd of ['default', id.toUpperCase(), '']) expect(await of('a', odd)).toBeUndefined()
    const { when: _, ...plain } = own
    const params = { product: '7', ledger: 'x', instance: id }
    expect(await directory.related(plain, params, place, 'u')).toBe(id)
    expect(asked).toHaveLength(3)
  })

  it('is unknown in the way of unknown things: it costs, and is asked for again soon', async () => {
    const { directory, asked, pass } = aDirectory({}, { perMinute: 2 })
    const of = (iccid: string) => directory.related(sim, { iccid }, place, 'u')
    expect(await of('89')).toBeUndefined()
    expect(await of('89')).toBeUndefined()
    expect(asked).toHaveLength(1)
    expect(await of('90')).toBeUndefined()
    await expect(of('91')).rejects.toThrow(code('rationed'))
    pass(30_000)
    expect(await of('89')).toBeUndefined()
    expect(asked).toHaveLength(3)
  })

  it('is asked for once for many at once, and again after a write to the device or the product', async () => {
    const { directory, asked, hold } = aDirectory({ [simPath]: json({ device_id: id }) })
    const release = hold()
    const all = Array.from({ length: 20 }, () => directory.related(sim, ofSim, place, 'u'))
    release()
    expect(new Set(await Promise.all(all))).toEqual(new Set([id]))
    expect(asked).toHaveLength(1)
    directory.forget({ type: 'device', product: '7', device: id })
    await directory.related(sim, ofSim, place, 'u')
    directory.forget(place)
    await directory.related(sim, ofSim, place, 'u')
    expect(asked).toHaveLength(3)
  })

  it('is believed no longer than is asked for, nor than is configured', async () => {
    const { directory, answers, asked, pass } = aDirectory({ [simPath]: json({ device_id: id }) })
    const of = (maxAgeMs?: number) => directory.related(sim, ofSim, place, 'u', maxAgeMs)
    await of()
    answers[simPath] = json({ device_id: 'f'.repeat(24) })
    pass(1000)
    expect(await of(1001)).toBe(id)
    expect(asked).toHaveLength(1)
    expect(await of(1000)).toBe('f'.repeat(24))
    pass(60_000)
    await of(1_000_000)
    expect(asked).toHaveLength(3)
  })

  it('is asked for anew at age zero, found or not, and once for those who ask at once', async () => {
    const { directory, answers, asked, pass, hold } = aDirectory({})
    const now = () => directory.related(sim, ofSim, place, 'u', 0)
    expect(await now()).toBeUndefined()
    answers[simPath] = json({ device_id: id })
    expect(await now()).toBe(id)
    expect(await now()).toBe(id)
    expect(asked).toHaveLength(3)
    const release = hold()
    const early = [now(), now()]
    pass(1)
    const late = now()
    release()
    expect(await Promise.all([...early, late])).toEqual([id, id, id])
    expect(asked).toHaveLength(5)
  })

  it('is in the product that a device is in now, where that is asked for', async () => {
    const bare = `/v1/devices/${id}`
    const { directory, answers, asked, pass } = aDirectory({ [bare]: json({ id, product_id: 1 }) })
    await directory.device(id, 'u')
    answers[bare] = json({ id, product_id: 2 })
    pass(1000)
    expect(await directory.device(id, 'u')).toEqual({ id, product: '1' })
    expect(await directory.device(id, 'u', 1001)).toEqual({ id, product: '1' })
    expect(asked).toHaveLength(1)
    expect(await directory.device(id, 'u', 0)).toEqual({ id, product: '2' })
  })

  it('is not known where the cloud fails', async () => {
    const { directory } = aDirectory({ [simPath]: { status: 500, json: {} } })
    await expect(directory.related(sim, ofSim, place, 'u')).rejects.toThrow(
      code('attribute_unavailable'),
    )
  })
})

const listRoute = (more: Partial<Extract<Route['answer'], { kind: 'list' }>> = {}): Route =>
  aRoute('GET /v1/orgs/:organization/products', {
    answer: {
      ...{ kind: 'list', at: 'products', secrets: [], item: 'product' },
      items: { id: 'id', facts: 'item', sides: [], keep: [], narrow: [] },
      ...more,
    },
  })

describe('the products of an organization', () => {
  const org = 'a'.repeat(24)
  const path = `/v1/orgs/${org}/products`

  it('are read from the list of them, and kept', async () => {
    const { directory, asked, pass } = aDirectory(
      { [path]: json({ products: [{ id: 1 }, { id: '22' }, { id: 1 }] }) },
      { routes: [aRoute(), listRoute()] },
    )
    expect(await directory.products(org, 'u')).toEqual(['1', '22'])
    expect(await directory.products(org.toUpperCase(), 'v')).toEqual(['1', '22'])
    expect(asked).toEqual([path])
    pass(300_000)
    await directory.products(org, 'u')
    expect(asked).toHaveLength(2)
  })

  it('are read page by page', async () => {
    const paging = {
      ...{ page: 'page', size: ['per_page'], defaultSize: 1, maxSize: 2 },
      meta: { pages: 'meta.pages' },
    }
    const items = { id: 'id', facts: 'item', sides: [], keep: [], narrow: [] } as const
    const page = (number: number, ids: number[]) => ({
      [`${path}?page=${number}&per_page=2`]: json({
        products: ids.map((one) => ({ id: one })),
        meta: { pages: 3 },
      }),
    })
    const { directory } = aDirectory(
      { ...page(1, [1, 2]), ...page(2, [3]), ...page(3, [4]) },
      { routes: [listRoute({ items: { ...items, paging } })] },
    )
    expect(await directory.products(org, 'u')).toEqual(['1', '2', '3', '4'])
  })

  it('are none where there is no such organization, and that costs', async () => {
    const { directory } = aDirectory({}, { routes: [listRoute()], perMinute: 1 })
    expect(await directory.products(org, 'u')).toEqual([])
    await expect(directory.products('b'.repeat(24), 'u')).rejects.toThrow(code('rationed'))
  })

  it.each([
    ['no list', { products: {} }],
    ['an item without an id', { products: [{ id: 1 }, {}] }],
    ['an item with a platform id', { products: [{ id: 0 }] }],
  ])('are not known where the answer has %s', async (_, body) => {
    const { directory } = aDirectory({ [path]: json(body) }, { routes: [listRoute()] })
    await expect(directory.products(org, 'u')).rejects.toThrow(code('attribute_unavailable'))
  })

  it('are not known where the catalog lists none', async () => {
    const { directory, asked } = aDirectory({}, { routes: [aRoute()] })
    await expect(directory.products(org, 'u')).rejects.toThrow(code('attribute_unavailable'))
    expect(asked).toEqual([])
  })
})
