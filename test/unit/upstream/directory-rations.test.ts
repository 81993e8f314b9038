import fc from 'fast-check'
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
    const steps = fc.array(
      fc.oneof(
        fc.record({ name: fc.integer({ min: 0, max: 5 }) }),
        fc.record({ ms: fc.constantFrom(1, 5000, 10_000, 20_000, 60_000) }),
      ),
      { maxLength: 40 },
    )
    /** What the guesser sees: refused by the ration, with which wait, or answered 403. */
    const seen = async (plan: readonly ({ name: number } | { ms: number })[], known: boolean) => {
      const answers = Object.fromEntries(
        Array.from({ length: 6 }, (_, i) => [
          `/v1/devices/dev-${i}`,
          found({ id: i.toString(16).padStart(24, 'e'), product_id: 9 }),
        ]),
      )
      const { directory, pass } = aDirectory(known ? answers : {}, { perMinute: 3 })
      const answered: unknown[] = []
      for (const step of plan) {
        if ('ms' in step) {
          pass(step.ms)
          continue
        }
        try {
          // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
          const facts = await directory.device(`dev-${step.name}`, 'u')
          if (facts !== undefined) directory.deadEnd({ ...foreign, device: facts.id }, 'u')
          answered.push(403)
        } catch (error) {
          answered.push(
            error instanceof Error && 'retryAfterS' in error ? error.retryAfterS : error,
          )
        }
      }
      return answered
    }
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        expect(await seen(plan, true)).toEqual(await seen(plan, false))
      }),
      { numRuns: 150 },
    )
  })
})
