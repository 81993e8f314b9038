import { describe, expect, it } from 'vitest'
import type { ItemsSpec, ResourceSpec } from '../../../../src/domain/catalog.ts'
import { createTextSet } from '../../../../src/lib/text-set.ts'
import { itemsOfAnswer } from '../../../../src/proxy/lists/items.ts'
import { particleCatalog } from '../../../kit/catalog.ts'

const device: ResourceSpec = particleCatalog().resources.device
const spec: ItemsSpec = { id: 'id', facts: 'item', narrow: [], keep: [], sides: [] }
const [mine, other] = ['0123456789abcdef01234567', 'fedcba9876543210fedcba98']

describe('itemsOfAnswer', () => {
  it('says canonical ids, however the cloud spells them, and none for what is no id', () => {
    const list = [{ id: mine.toUpperCase() }, { id: other }, { id: 'x' }, {}]
    const { length, idAt } = itemsOfAnswer(list, spec, device)
    expect(Array.from({ length }, (_, index) => idAt(index))).toEqual([
      ...[mine, other, undefined, undefined],
    ])
    const among = createTextSet([mine])
    expect(Array.from({ length }, (_, index) => idAt(index, among))).toEqual([
      ...[mine, null, undefined, undefined],
    ])
  })

  it('refuses an item that says whose it is and has no id, also among known ids', () => {
    const claimed: ItemsSpec = { ...spec, when: { at: 'kind', is: 'device' } }
    const list = [{ kind: 'device', id: 'x' }, { kind: 'user', id: mine }, { id: mine }]
    const { idAt } = itemsOfAnswer(list, claimed, device)
    for (const among of [undefined, createTextSet([mine])]) {
      expect(() => idAt(0, among)).toThrow('unfilterable_answer')
      expect(idAt(1, among)).toBeUndefined()
      expect(() => idAt(2, among)).toThrow('unfilterable_answer')
    }
  })
})
