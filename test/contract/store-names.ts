/** Going through all API users of any store: names alone, part after part. */

import { describe, expect, it } from 'vitest'
import { aNewUser, by, start, type Bench } from './store-kit.ts'

export function namesAreFound(bench: () => Bench): void {
  describe('names of API users', () => {
    const users = () => bench().store.users

    it('are gone through by name, and found where they lie wholly inside a product', async () => {
      const at = (...products: string[]) => ({ place: { products, organization: undefined } })
      const acme = { place: { products: [], organization: 'acme' } }
      await users().create(aNewUser('b', at('1')), undefined, by)
      await users().create(
        aNewUser('a', { ...at('1'), definition: '{"observe":"%"}' }),
        undefined,
        by,
      )
      await users().create(aNewUser('both', at('1', '2')), undefined, by)
      await users().create(aNewUser('Z', at('2')), undefined, by)
      await users().create(aNewUser('of-acme', acme), undefined, by)
      await users().displace(['b'], start, by)
      const row = (name: string, displaced = false, mentions = false) => ({
        name,
        displaced,
        mentions,
      })
      expect(await users().names({ limit: 2 })).toEqual([row('Z'), row('a')])
      expect(await users().names({ limit: 2, after: 'a' })).toEqual([row('b', true), row('both')])
      expect(await users().names({ limit: 9, after: 'of-acme' })).toEqual([])
      const names = async (query: { product?: string; within?: string; search?: string }) => {
        const found = (await users().names({ ...query, limit: 9 })).map(({ name }) => name)
        const page = await users().page({ ...query, offset: 0, limit: 9 })
        expect(page.rows.map(({ name }) => name)).toEqual(found)
        expect(page.total).toBe(found.length)
        return found
      }
      expect(await names({ product: '1' })).toEqual(['a', 'b', 'both'])
      expect(await names({ within: '1' })).toEqual(['a', 'b'])
      expect(await names({ within: '1', product: '1' })).toEqual(['a', 'b'])
      expect(await names({ within: '1', product: '2' })).toEqual([])
      expect(await names({ within: '1', search: 'B' })).toEqual(['b'])
      expect(await names({ within: '3' })).toEqual([])
      const mentioning = await users().names({ limit: 9, mentions: '"observe"' })
      expect(mentioning.filter(({ mentions }) => mentions)).toEqual([row('a', false, true)])
    })
  })
}
