import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { aDirectory, found, id } from '../../kit/a-directory.ts'

const code = (wanted: string) => expect.objectContaining({ code: wanted })
const foreign = { type: 'device', product: '9', device: id } as const

/** A foreign device under many names, and nothing else. */
const cloud = () =>
  Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`/v1/devices/foreign-${i}`, found({ product_id: 9 })]),
  )

describe('a look-up that ends at somebody else’s device', () => {
  it('F15 costs the ration as an unknown one does', async () => {
    const { directory } = aDirectory(cloud(), { perMinute: 3 })
    expect(await directory.device('foreign-0', 'u')).toEqual({ id, product: '9' })
    directory.deadEnd(foreign, 'u')
    directory.deadEnd(foreign, 'u')
    expect(await directory.device('unknown-1', 'u')).toBeUndefined()
    expect(await directory.device('unknown-2', 'u')).toBeUndefined()
    await expect(directory.device('unknown-3', 'u')).rejects.toThrow(code('rationed'))
    await expect(directory.device('foreign-3', 'u')).rejects.toThrow(code('rationed'))
  })

  it('F15 needs room in the ration again after a while, as an unknown one does', async () => {
    const { directory, pass } = aDirectory(cloud(), { perMinute: 1 })
    await directory.device('foreign-0', 'u')
    directory.deadEnd(foreign, 'u')
    // Paid for a moment ago, and nobody else is held up by it.
    expect(await directory.device('foreign-0', 'u')).toEqual({ id, product: '9' })
    expect(await directory.device('foreign-0', 'owner')).toEqual({ id, product: '9' })
    pass(10_000)
    await expect(directory.device('foreign-0', 'u')).rejects.toThrow(code('rationed'))
    expect(await directory.device('foreign-0', 'owner')).toEqual({ id, product: '9' })
  })

  it('F15 needs room before its first look too, whoever has it in memory already', async () => {
    const { directory } = aDirectory(cloud(), { perMinute: 1 })
    await directory.device('foreign-0', 'owner')
    await directory.device('unknown-0', 'u')
    await expect(directory.device('foreign-0', 'u')).rejects.toThrow(code('rationed'))
    await expect(directory.device('unknown-1', 'u')).rejects.toThrow(code('rationed'))
  })

  it.each([
    ['somebody else’s device', 'foreign-0'],
    ['an unknown one', 'unknown-0'],
  ])(
    'costs each time where %s is asked for anew each time, and once from memory',
    async (_, name) => {
      const { directory, asked, pass } = aDirectory(cloud(), { perMinute: 3 })
      const tryIt = async (maxAgeMs?: number) => {
        if (await directory.device(name, 'u', maxAgeMs)) directory.deadEnd(foreign, 'u')
      }
      for (let time = 0; time < 9; time++) await tryIt()
      expect(asked).toHaveLength(1)
      await tryIt(0)
      pass(1_000)
      await tryIt(1_000)
      expect(asked).toHaveLength(3)
      await expect(tryIt(0)).rejects.toThrow(code('rationed'))
      expect(asked).toHaveLength(3)
      await tryIt()
    },
  )

  it('costs nothing that is found and may be had, however often it is asked for anew', async () => {
    const { directory, asked } = aDirectory(cloud(), { perMinute: 1 })
    for (let time = 0; time < 9; time++) await directory.device('foreign-0', 'owner', 0)
    expect(asked).toHaveLength(9)
  })

  it('costs one, also where its product had to be looked up on the way', async () => {
    const { directory } = aDirectory(
      { ...cloud(), '/v1/products/9': { status: 200, json: { product: { id: 9 } } } },
      { perMinute: 2 },
    )
    await directory.device('foreign-0', 'u')
    await directory.product('9', 'u')
    directory.deadEnd(foreign, 'u')
    expect(await directory.device('unknown-0', 'u')).toBeUndefined()
    await expect(directory.device('unknown-1', 'u')).rejects.toThrow(code('rationed'))
  })

  it('costs by the slug of its product, where that is what was looked up', async () => {
    const { directory } = aDirectory(
      { '/v1/products/theirs': { status: 200, json: { product: { id: 9, slug: 'theirs' } } } },
      { perMinute: 1 },
    )
    await directory.product('theirs', 'u')
    directory.deadEnd(foreign, 'u')
    await expect(directory.product('nobodys', 'u')).rejects.toThrow(code('rationed'))
  })

  it('costs nothing where the user has looked nothing up', async () => {
    const { directory } = aDirectory(cloud(), { perMinute: 1 })
    directory.deadEnd(foreign, 'u')
    expect(await directory.device('unknown-0', 'u')).toBeUndefined()
  })

  it('F15 is told from an unknown one by no sequence of tries', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(aStep(1), { maxLength: 40 }), async (plan) => {
        const [known, unknown] = [aGuesser(3, true), aGuesser(3, false)]
        for (const step of plan) expect(await known.go(step)).toEqual(await unknown.go(step))
      }),
      { numRuns: 150 },
    )
  })

  it('F15 is told from an unknown one by no number of tries at once, nor by what they leave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(aStep(4), { maxLength: 10 }), async (plan) => {
        const [known, unknown] = [aGuesser(50, true), aGuesser(50, false)]
        for (const step of plan) {
          await known.go(step)
          await unknown.go(step)
        }
        expect(await known.left()).toBe(await unknown.left())
      }),
      { numRuns: 150 },
    )
  })
})

type Step = { name: number; times: number; maxAgeMs: number } | { ms: number }

const aStep = (most: number): fc.Arbitrary<Step> =>
  fc.oneof(
    fc.record({
      name: fc.integer({ min: 0, max: 5 }),
      times: fc.integer({ min: 1, max: most }),
      maxAgeMs: fc.constantFrom(0, 5000, 300_000),
    }),
    fc.record({ ms: fc.constantFrom(1, 5000, 10_000, 20_000, 60_000) }),
  )

/** Tries names that are all somebody else's, or all unknown. */
function aGuesser(perMinute: number, known: boolean) {
  const answers = Object.fromEntries(
    Array.from({ length: 6 }, (_, i) => [
      `/v1/devices/dev-${i}`,
      found({ id: i.toString(16).padStart(24, 'e'), product_id: 9 }),
    ]),
  )
  const { directory, pass } = aDirectory(known ? answers : {}, { perMinute })

  /** What he sees: refused by the ration, with which wait, or answered 403. */
  async function guess(name: string, maxAgeMs?: number): Promise<unknown> {
    try {
      const facts = await directory.device(name, 'u', maxAgeMs)
      if (facts !== undefined) directory.deadEnd({ ...foreign, device: facts.id }, 'u')
      return 403
    } catch (error) {
      return error instanceof Error && 'retryAfterS' in error ? error.retryAfterS : error
    }
  }

  return {
    async go(step: Step): Promise<unknown> {
      if ('ms' in step) return pass(step.ms)
      const once = () => guess(`dev-${step.name}`, step.maxAgeMs)
      return Promise.all(Array.from({ length: step.times }, once))
    },
    /** How much of the ration is left. */
    async left(): Promise<number> {
      let count = 0
      while ((await guess(`nothing-${count}`)) === 403) count += 1
      return count
    },
  }
}
