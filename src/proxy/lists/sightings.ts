/** What was found visible in a kept list, kept as long as that list: paging through it judges it once. */

import { LRUCache } from 'lru-cache'
import type { ListView } from '../../upstream/fleet-lists.ts'
import type { Shown } from './visible.ts'

export type Sightings = {
  /**
   * @param key equal for all to whom this list shows the same
   * @param join whether whoever asks meanwhile waits for the same work
   */
  of(
    view: ListView,
    key: string,
    join: 'joined' | 'apart',
    look: () => Promise<Shown>,
  ): Promise<Shown>
}

/** Of one list: enough for a few who see all of a hundred thousand, or for many who see little. */
const maxBytes = 4 * 1024 * 1024
const maxKeys = 256
const overheadBytes = 256

export function createSightings(): Sightings {
  // They go when the list goes.
  const kept = new WeakMap<ListView, LRUCache<string, Shown>>()
  const underWay = new WeakMap<ListView, Map<string, Promise<Shown>>>()

  function keptOf(view: ListView): LRUCache<string, Shown> {
    let cache = kept.get(view)
    if (cache === undefined) {
      cache = new LRUCache({
        max: maxKeys,
        maxSize: maxBytes,
        sizeCalculation: ({ indexes, kinds }) =>
          indexes.byteLength + kinds.byteLength + overheadBytes,
      })
      kept.set(view, cache)
    }
    return cache
  }

  async function work(view: ListView, key: string, look: () => Promise<Shown>): Promise<Shown> {
    const shown = await look()
    if (shown.holds === 'as long as the list') keptOf(view).set(key, shown)
    return shown
  }

  return {
    async of(view, key, join, look) {
      const known = keptOf(view).get(key)
      if (known !== undefined) return known
      if (join === 'apart') return work(view, key, look)
      const running = underWay.get(view) ?? new Map<string, Promise<Shown>>()
      underWay.set(view, running)
      const joined = running.get(key)
      if (joined !== undefined) return joined
      const started = work(view, key, look)
      running.set(key, started)
      try {
        return await started
      } finally {
        running.delete(key)
      }
    },
  }
}
