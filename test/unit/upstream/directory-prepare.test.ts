import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../src/domain/access-request.ts'
import { Problem } from '../../../src/domain/problem.ts'
import type { Sweep } from '../../../src/upstream/directory.ts'
import { aDirectory, found, type Answer } from '../../kit/a-directory.ts'

const code = (wanted: string) => expect.objectContaining({ code: wanted })
const idOf = (i: number) => i.toString(16).padStart(24, '0')
const pathOf = (i: number, product = '1') => `/v1/products/${product}/devices/${idOf(i)}`
const deviceOf = (i: number, product = '1'): Resource => ({
  ...{ type: 'device', product, device: idOf(i) },
})
const many = (count: number, product?: string) =>
  Array.from({ length: count }, (_, i) => deviceOf(i, product))

function cloudOf(count: number): Record<string, Answer> {
  const ids = Array.from({ length: count }, (_, i) => i)
  return Object.fromEntries(ids.map((i) => [pathOf(i), found({ id: idOf(i), online: true })]))
}

/** The lists of products, each of so many devices, and what was asked of them. */
function sweeping(
  listed: Readonly<Record<string, number>>,
  { calls = 1, atMs = () => 0, failure }: Playing = {},
) {
  const wanted: Parameters<Sweep['read']>[0][] = []
  const sweep: Sweep = {
    calls: () => calls,
    async read(one) {
      wanted.push(one)
      if (failure !== undefined) throw failure
      const texts = Array.from({ length: listed[one.product] ?? 0 }, (_, i) => idOf(i))
        .filter((id) => one.devices.has(id))
        .map((id) => [id, JSON.stringify({ id, online: false })] as const)
      return { items: new Map(texts), atMs: atMs() }
    },
  }
  return { sweep, wanted }
}
type Playing = { calls?: number; atMs?: () => number; failure?: Error }

describe('preparing what a user names', () => {
  it('asks one by one where there is no list to read, and has all in hand then', async () => {
    const { directory, asked } = aDirectory(cloudOf(40))
    const known = await directory.prepare(many(40), 'u')
    expect(asked).toHaveLength(40)
    expect(many(40).map((one) => known(one))).toEqual(many(40).map(() => ({ online: true })))
    expect(known(deviceOf(41))).toBeUndefined()
    await directory.prepare(many(40), 'u')
    expect(asked).toHaveLength(40)
  })

  it('reads the list of a product once for many, and asks for nobody by name', async () => {
    const { sweep, wanted } = sweeping({ '1': 40 })
    const { directory, asked } = aDirectory(cloudOf(40), { sweep })
    const known = await directory.prepare(many(40), 'u', 5000)
    expect(asked).toEqual([])
    expect(wanted).toMatchObject([{ product: '1', user: 'u', maxAgeMs: 5000 }])
    expect(wanted[0]?.devices.size).toBe(40)
    expect(known(deviceOf(7))).toEqual({ online: false })
    // The same object, for those who tell by it that nothing has changed.
    expect(directory.cached(deviceOf(7))).toBe(known(deviceOf(7)))
    expect(directory.cached(deviceOf(41))).toBeUndefined()
  })

  it('asks one by one for a few, and where the list is no cheaper', async () => {
    const { sweep, wanted } = sweeping({ '1': 10 }, { calls: 10 })
    const { directory, asked } = aDirectory(cloudOf(11), { sweep })
    await directory.prepare(many(5), 'u')
    expect([asked.length, wanted.length]).toEqual([5, 0])
    await directory.prepare(many(10), 'u')
    expect([asked.length, wanted.length]).toEqual([10, 0])
    const { directory: another, asked: none } = aDirectory(cloudOf(11), { sweep })
    await another.prepare(many(11), 'u')
    expect([none.length, wanted.length]).toEqual([1, 1])
  })

  it('asks one by one where the list of a hundred fails, and fails with it where there are more', async () => {
    const { sweep } = sweeping({}, { failure: new Problem('overloaded') })
    const { directory, asked } = aDirectory(cloudOf(201), { sweep })
    await directory.prepare(many(100), 'u')
    expect(asked).toHaveLength(100)
    const { directory: another } = aDirectory(cloudOf(201), { sweep })
    await expect(another.prepare(many(201), 'u')).rejects.toThrow(code('overloaded'))
  })

  it('asks by itself for what the list lacks, and that costs the ration', async () => {
    const { sweep } = sweeping({ '1': 10 })
    const { directory, asked } = aDirectory({}, { sweep, perMinute: 3 })
    const known = await directory.prepare(many(12), 'u')
    expect(asked).toEqual([pathOf(10), pathOf(11)])
    expect([known(deviceOf(11)), directory.cached(deviceOf(11))]).toEqual([{}, {}])
    await expect(directory.prepare(many(20), 'u')).rejects.toThrow(code('rationed'))
  })

  it('believes nothing of a list that was written to while it was read', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { sweep } = sweeping({ '1': 10 })
    const { directory } = aDirectory(cloudOf(10), {
      sweep: { ...sweep, read: async (wanted) => (await promise, sweep.read(wanted)) },
    })
    const prepared = directory.prepare(many(10), 'u')
    await new Promise((settled) => setImmediate(settled))
    directory.forget(deviceOf(3))
    resolve()
    const known = await prepared
    expect([known(deviceOf(2)), known(deviceOf(3))]).toEqual([{ online: false }, { online: true }])
    expect(directory.cached(deviceOf(3))).toEqual({ online: true })
  })

  it('counts the age of what is listed from when the list was asked for', async () => {
    const { sweep } = sweeping({ '1': 10 })
    const { directory, asked, pass } = aDirectory(cloudOf(10), { sweep })
    pass(4000)
    await directory.prepare(many(10), 'u')
    expect(asked).toEqual([])
    expect(directory.cached(deviceOf(1), 4001)).toEqual({ online: false })
    expect(directory.cached(deviceOf(1), 4000)).toBeUndefined()
  })

  it('refuses to ask one by one for more than a thousand', async () => {
    const { directory, asked } = aDirectory(cloudOf(1))
    await expect(directory.prepare(many(1001), 'u')).rejects.toThrow(code('payload_too_large'))
    expect(asked).toEqual([])
  })
})

describe('what the cloud itself has named', () => {
  it('costs no ration, however much of it is gone', async () => {
    const { directory, asked } = aDirectory({}, { perMinute: 3 })
    const known = await directory.named(many(50), 'u')
    expect(many(50).map((one) => known(one))).toEqual(many(50).map(() => ({})))
    expect(asked).toHaveLength(50)
    // The ration is whole for who guesses.
    for (const name of ['a', 'b', 'c']) {
      expect(await directory.device(name, 'u')).toBeUndefined()
    }
    await expect(directory.device('d', 'u')).rejects.toThrow(code('rationed'))
  })

  it('is had by who has no ration left', async () => {
    const { directory } = aDirectory(cloudOf(1), { perMinute: 1 })
    await directory.device('guess', 'u')
    await expect(directory.attributes(deviceOf(0), 'u')).rejects.toThrow(code('rationed'))
    expect((await directory.named(many(1), 'u'))(deviceOf(0))).toEqual({ online: true })
  })

  it('is absent where the whole list lacks it, and nobody asks for it', async () => {
    const { sweep } = sweeping({ '1': 10 })
    const { directory, asked } = aDirectory(cloudOf(60), { sweep })
    const known = await directory.named(many(60), 'u')
    expect([known(deviceOf(9)), known(deviceOf(10))]).toEqual([{ online: false }, {}])
    expect(asked).toEqual([])
    // A list may have shifted while it was read: this is for lists to know, not for decisions about the device.
    expect(directory.cached(deviceOf(10))).toBeUndefined()
  })

  it('is had whole although the cache holds less, and drives nothing else out of it', async () => {
    const { sweep, wanted } = sweeping({ '1': 3000 })
    const { directory, asked } = aDirectory(cloudOf(1), { sweep, maxEntries: 100 })
    await directory.attributes(deviceOf(0, '2'), 'u').catch(() => undefined)
    const known = await directory.named(many(3000), 'u')
    expect(many(3000).every((one) => known(one)?.['online'] === false)).toBe(true)
    expect([wanted.length, asked.length]).toEqual([1, 1])
    expect(directory.cached(deviceOf(0, '2'))).toEqual({})
  })

  it('is young enough for who asked before the list was read, however long that took', async () => {
    let late = () => {}
    const { sweep } = sweeping({ '1': 1500 }, { atMs: () => (late(), 0) })
    const { directory, asked, pass } = aDirectory({}, { sweep })
    late = () => pass(5000)
    const known = await directory.named(many(1500), 'u', 1000)
    expect(known(deviceOf(1499))).toEqual({ online: false })
    expect(asked).toEqual([])
  })

  it('is read by the list where it is many, even where that is more calls', async () => {
    const { sweep, wanted } = sweeping({ '1': 300 }, { calls: 1000 })
    const { directory, asked } = aDirectory(cloudOf(300), { sweep })
    await directory.named(many(200), 'u')
    expect([asked.length, wanted.length]).toEqual([200, 0])
    const { directory: another, asked: none } = aDirectory({}, { sweep })
    await another.named(many(201), 'u')
    expect([none.length, wanted.length]).toEqual([0, 1])
  })

  it('waits for room in the budget with each call, and takes none for what is in hand', async () => {
    const taken: string[] = []
    const admit = async (user: string) => void taken.push(user)
    const { directory } = aDirectory(cloudOf(5), { admit })
    await directory.named([...many(5), ...many(5)], 'u')
    await directory.named(many(5), 'u')
    expect(taken).toEqual(['u', 'u', 'u', 'u', 'u'])
    await directory.attributes(deviceOf(6), 'u')
    expect(taken).toHaveLength(5)
  })

  it('is refused where the budget is, and asks for nothing', async () => {
    const admit = () => Promise.reject(new Problem('overloaded', { retryAfterS: 3 }))
    const { directory, asked } = aDirectory(cloudOf(5), { admit })
    const refused = directory.named(many(5), 'u')
    await expect(refused).rejects.toMatchObject({ code: 'overloaded', retryAfterS: 3 })
    expect(asked).toEqual([])
  })

  it('is never too large a request: beyond the bound the gate is overloaded', async () => {
    const { directory, asked } = aDirectory(cloudOf(1))
    const refused = directory.named(many(1001), 'u')
    await expect(refused).rejects.toMatchObject({ status: 503, retryAfterS: 10 })
    expect(asked).toEqual([])
  })
})

describe('locating what the cloud itself has named', () => {
  const bare = (i: number) => `/v1/devices/${idOf(i)}`
  const ids = (count: number) => Array.from({ length: count }, (_, i) => idOf(i))
  const inProduct = (product: number) => (i: number) => [
    bare(i),
    found({ id: idOf(i), product_id: product }),
  ]
  const placed = (count: number): Record<string, Answer> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => inProduct(7)(i)))

  it('looks at the lists of the products for many, once for all', async () => {
    const { sweep, wanted } = sweeping({ '7': 40, '8': 0 })
    const { directory, asked } = aDirectory({}, { sweep })
    const where = await directory.locate(ids(50), ['7', '8'], 'u')
    expect([where.size, where.get(idOf(39)), where.get(idOf(40))]).toEqual([40, '7', undefined])
    expect(wanted.map(({ product }) => product)).toEqual(['7', '8'])
    expect(asked).toEqual([])
    expect([directory.placed(idOf(39)), directory.placed(idOf(40))]).toEqual([
      { product: '7' },
      undefined,
    ])
  })

  it('asks one by one for a few, without any ration but within the budget', async () => {
    let taken = 0
    const { directory, asked } = aDirectory(placed(3), { admit: async () => void (taken += 1) })
    const where = await directory.locate(ids(5), ['7'], 'u')
    expect([...where]).toEqual(ids(3).map((id) => [id, '7']))
    await directory.locate(ids(5), ['7'], 'u')
    expect([asked.length, taken]).toEqual([5, 5])
    expect([directory.placed(idOf(0)), directory.placed(idOf(4))]).toEqual([
      { product: '7' },
      { product: undefined },
    ])
  })

  it('leaves out what is in no product of those', async () => {
    const { directory, asked } = aDirectory(placed(3))
    expect([...(await directory.locate(ids(3), ['8'], 'u'))]).toEqual([])
    expect((await directory.locate(ids(3), 'any', 'u')).size).toBe(3)
    expect(asked).toHaveLength(3)
    expect((await directory.locate(ids(9), [], 'u')).size).toBe(0)
    expect(asked).toHaveLength(3)
  })

  it('is overloaded where there are too many and no list', async () => {
    const { directory, asked } = aDirectory({})
    await expect(directory.locate(ids(1001), ['7'], 'u')).rejects.toThrow(code('overloaded'))
    expect(asked).toEqual([])
  })
})
