import { describe, expect, it } from 'vitest'
import { createSightings } from '../../../../src/proxy/lists/sightings.ts'
import type { Shown } from '../../../../src/proxy/lists/visible.ts'
import type { ListView } from '../../../../src/upstream/fleet-lists.ts'

const aView = (): ListView => ({ items: [], root: '{}', sides: [], atMs: 0, calls: 1 })
const shown = (holds: Shown['holds'], count = 0): Shown => ({
  ...{ indexes: new Uint32Array(count), kinds: new Uint32Array(count), obligations: [], holds },
})
const lasting = 'as long as the list'

function looking(holds: Shown['holds'], count = 0) {
  const seen = { looks: 0 }
  return {
    seen,
    look: async () => {
      seen.looks += 1
      return shown(holds, count)
    },
  }
}

describe('createSightings', () => {
  it('looks through one list once for all who see the same in it', async () => {
    const { seen, look } = looking(lasting)
    const [sightings, view] = [createSightings(), aView()]
    await Promise.all([1, 2].map(() => sightings.of(view, 'k', 'joined', look)))
    await sightings.of(view, 'k', 'joined', look)
    expect(seen.looks).toBe(1)
    await sightings.of(view, 'other', 'joined', look)
    await sightings.of(aView(), 'k', 'joined', look)
    expect(seen.looks).toBe(3)
  })

  it('keeps nothing that holds for now only, and lets nobody wait for what began before', async () => {
    const { seen, look } = looking('now')
    const [sightings, view] = [createSightings(), aView()]
    await Promise.all([1, 2].map(() => sightings.of(view, 'k', 'apart', look)))
    await sightings.of(view, 'k', 'joined', look)
    expect(seen.looks).toBe(3)
  })

  it('keeps no failure', async () => {
    const { seen, look } = looking(lasting)
    const [sightings, view] = [createSightings(), aView()]
    const failing = () => Promise.reject(new Error('no'))
    await expect(sightings.of(view, 'k', 'joined', failing)).rejects.toThrow('no')
    await sightings.of(view, 'k', 'joined', look)
    expect(seen.looks).toBe(1)
  })

  it('is bounded for one list', async () => {
    const { seen, look } = looking(lasting, 100_000)
    const [sightings, view] = [createSightings(), aView()]
    for (const key of '0123456789') {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await sightings.of(view, key, 'joined', look)
    }
    await sightings.of(view, '9', 'joined', look)
    expect(seen.looks).toBe(10)
    await sightings.of(view, '0', 'joined', look)
    expect(seen.looks).toBe(11)
  })
})
