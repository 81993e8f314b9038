import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { UpstreamRefusal, type ListQuestion } from '../../../src/upstream/fleet-lists.ts'
import { createSweep } from '../../../src/upstream/sweep.ts'
import { particleCatalog } from '../../kit/catalog.ts'

const catalog = particleCatalog()
const ids = Array.from({ length: 100 }, (_, index) => String(index))

function sweeper(size: number | undefined, failure?: Error) {
  const asked: ListQuestion[] = []
  const ages: unknown[] = []
  const rations: unknown[] = []
  const sweep = createSweep({
    catalog,
    credentials: { for: () => new Secret('c') },
    fleetLists: {
      size: () => size,
      view: async (question, { maxAgeMs, ration }) => {
        rations.push(ration)
        if (failure !== undefined) throw failure
        asked.push(question)
        ages.push(maxAgeMs)
        const items = [...ids, 'foreign'].map((id) => ({ id, text: `{"id":"${id}"}` }))
        return {
          items: [...items, { id: undefined, text: '{}' }],
          root: '{}',
          sides: [],
          atMs: 7,
          calls: 2,
        }
      },
    },
  })
  const devices = (count: number) => new Set(ids.slice(0, count))
  return {
    asked,
    ages,
    rations,
    calls: () => sweep?.calls('12345'),
    of: (count: number) =>
      sweep?.read({ product: '12345', devices: devices(count), user: 'u', maxAgeMs: 500 }),
  }
}

describe('createSweep', () => {
  it('reads the list of a product, and keeps of it what is wanted', async () => {
    const { of, asked, ages, rations } = sweeper(450)
    const swept = await of(6)
    expect([...(swept?.items ?? [])]).toEqual(ids.slice(0, 6).map((id) => [id, `{"id":"${id}"}`]))
    expect(swept?.atMs).toBe(7)
    expect([asked[0]?.path, ages]).toEqual(['/v1/products/12345/devices', [500]])
    // The API user did not ask for this list.
    expect(rations).toEqual(['none'])
  })

  it('says how many calls it takes, and guesses where nobody has read it', () => {
    expect(sweeper(450).calls()).toBe(5)
    expect(sweeper(0).calls()).toBe(1)
    expect(sweeper(undefined).calls()).toBe(500)
  })

  it('fails with a problem of ours where the cloud refuses the list, and hides no fault', async () => {
    const refused = new UpstreamRefusal(404, undefined, Buffer.from('who'))
    await expect(sweeper(1, refused).of(6)).rejects.toMatchObject({ code: 'attribute_unavailable' })
    await expect(sweeper(1, new Problem('overloaded')).of(6)).rejects.toMatchObject({
      code: 'overloaded',
    })
    await expect(sweeper(1, new TypeError('bug')).of(6)).rejects.toThrow('bug')
  })

  it('is none where the catalog has no list of devices', () => {
    const credentials = { for: () => new Secret('c') }
    const fleetLists = { size: () => 1, view: () => Promise.reject(new Error('asked')) }
    expect(createSweep({ catalog: { routes: [] }, credentials, fleetLists })).toBeUndefined()
  })
})
