import { describe, expect, it } from 'vitest'
import type { Relation } from '../../../src/domain/catalog.ts'
import { createOfflineDirectory } from '../../../src/cli/offline-directory.ts'
import { aCatalog, mine } from '../../kit/a-route.ts'

const place = { type: 'product', product: '1' } as const
const sim: Relation = { parameter: 'iccid', lookup: '/x', device: ['device'], absent: [] }
const own: Relation = { parameter: 'instance', lookup: '/x', device: [], absent: [] }

describe('the offline directory', () => {
  it('knows whose something is where that was stated, and says what it lacks elsewhere', async () => {
    const told = createOfflineDirectory(aCatalog(), [['device', mine.toUpperCase()]])
    expect(await told.related(sim, { iccid: '89' }, place, 'u')).toBe(mine)
    expect([...told.missing]).toEqual([])
    const untold = createOfflineDirectory(aCatalog(), [])
    expect(await untold.related(sim, { iccid: '89' }, place, 'u')).toBeUndefined()
    expect([...untold.missing]).toEqual(['which device iccid "89" belongs to: --fact device=ID'])
  })

  it('takes an id for the device that it is, where no look-up could say otherwise', async () => {
    const directory = createOfflineDirectory(aCatalog(), [])
    expect(await directory.related(own, { instance: mine }, place, 'u')).toBe(mine)
    expect(await directory.related(own, { instance: 'default' }, place, 'u')).toBeUndefined()
    expect([...directory.missing]).toEqual([])
    const when = { at: 'scope', is: 'Device' }
    const params = { instance: mine }
    expect(await directory.related({ ...own, when }, params, place, 'u')).toBeUndefined()
    expect(directory.missing.size).toBe(1)
  })

  it('knows the one product that was stated of an organization', async () => {
    const told = createOfflineDirectory(aCatalog(), [['product', '7']])
    expect(await told.products('o', 'u')).toEqual(['7'])
    const untold = createOfflineDirectory(aCatalog(), [])
    expect(await untold.products('o', 'u')).toEqual([])
    expect(untold.missing.size).toBe(1)
  })
})
