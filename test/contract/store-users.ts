/** API users in any store: definitions with versions, suspensions by name, pages. */

import { describe, expect, it } from 'vitest'
import { TokenConflict } from '../../src/store/token-store.ts'
import { UserConflict } from '../../src/store/user-store.ts'
import { aNewUser, aToken, by, kept, outcomes, start, type Bench } from './store-kit.ts'

export function usersAreKept(bench: () => Bench): void {
  describe('API users', () => {
    const users = () => bench().store.users
    const tokens = () => bench().store.tokens

    it('are created with their first token, and come back as they were given', async () => {
      const user = aNewUser('anna', {
        place: { products: ['2', '1'], organization: undefined },
        description: 'Ännas',
      })
      const row = {
        name: 'anna',
        stored: { definition: user.definition, version: 1 },
        place: { products: ['2', '1'], organization: undefined },
        description: 'Ännas',
        createdAtMs: start,
        createdBy: by,
        updatedAtMs: start,
        updatedBy: by,
        suspended: undefined,
        displacedAtMs: undefined,
      }
      expect(await users().create(user, kept(aToken('a1', 'anna')), by)).toEqual(row)
      expect(await users().get('anna')).toEqual(row)
      expect(await users().get('Anna')).toBeUndefined()
      expect(await tokens().find('a1')).toMatchObject({ stored: row.stored, suspended: false })
    })

    it('are created once: of two with the same name the late one is a conflict and leaves nothing', async () => {
      await using other = await bench().under.open()
      const race = await Promise.allSettled([
        users().create(aNewUser('anna'), kept(aToken('a1', 'anna')), by),
        other.users.create(aNewUser('anna'), kept(aToken('a2', 'anna')), by),
        users().create(aNewUser('anna'), undefined, by),
      ])
      expect(outcomes(race)).toEqual({ won: 1, lost: ['UserConflict', 'UserConflict'] })
      const winner = race.findIndex(({ status }) => status === 'fulfilled')
      expect((await tokens().list()).map(({ id }) => id)).toEqual([['a1'], ['a2'], []][winner])
    })

    it('do not come alive with a token that outlived a namesake', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await users().create(aNewUser('anna', { atMs: start + 7 }), undefined, by)
      expect((await tokens().find('a1'))?.row.revokedAtMs).toBe(start + 7)
    })

    it('are updated from the version that was read; the token in its place comes with it', async () => {
      await users().create(aNewUser('anna'), kept(aToken('a1', 'anna')), by)
      const next = aNewUser('anna', {
        definition: '{"v":2}',
        place: { products: [], organization: 'acme' },
        description: 'new',
        atMs: start + 3,
      })
      const renewed = kept(aToken('a2', 'anna', { createdAtMs: start + 3 }), 'a1')
      expect(await users().update(next, 1, renewed, 'operator:olga')).toMatchObject({
        stored: { definition: '{"v":2}', version: 2 },
        place: { products: [], organization: 'acme' },
        description: 'new',
        createdAtMs: start,
        createdBy: by,
        updatedAtMs: start + 3,
        updatedBy: 'operator:olga',
      })
      expect((await tokens().live('anna'))?.id).toBe('a2')
      expect((await users().page({ product: '12345', offset: 0, limit: 9 })).total).toBe(0)
      expect((await users().page({ organization: 'acme', offset: 0, limit: 9 })).total).toBe(1)
      await users().update(aNewUser('anna'), 2, undefined, by)
      expect((await tokens().live('anna'))?.id).toBe('a2')
    })

    it('refuse an update from a stale version, of nobody, or beside a rotation, and keep all as it was', async () => {
      await users().create(aNewUser('anna'), kept(aToken('a1', 'anna')), by)
      await users().update(aNewUser('anna', { description: 'two' }), 1, undefined, by)
      const late = aNewUser('anna', { description: 'late' })
      await expect(users().update(late, 1, undefined, by)).rejects.toThrow(UserConflict)
      await expect(users().update(aNewUser('ben'), 1, undefined, by)).rejects.toThrow(UserConflict)
      await tokens().replace(kept(aToken('a2', 'anna'), 'a1'), by)
      const renewed = kept(aToken('a3', 'anna'), 'a1')
      await expect(users().update(late, 2, renewed, by)).rejects.toThrow(TokenConflict)
      expect(await users().get('anna')).toMatchObject({
        description: 'two',
        stored: { version: 2 },
      })
      expect((await tokens().live('anna'))?.id).toBe('a2')
    })

    it('let one of many updates from the same version through', async () => {
      await users().create(aNewUser('anna'), undefined, by)
      await using other = await bench().under.open()
      const race = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) =>
          (n % 2 === 0 ? bench().store : other).users.update(aNewUser('anna'), 1, undefined, by),
        ),
      )
      const { won, lost } = outcomes(race)
      expect(won).toBe(1)
      expect(new Set(lost)).toEqual(new Set(['UserConflict']))
    })

    it('are deleted with their token and suspension, from the version that was read', async () => {
      await users().create(aNewUser('anna'), kept(aToken('a1', 'anna')), by)
      await users().suspend('anna', 'odd', start, by)
      await expect(users().delete('anna', 2, start, by)).rejects.toThrow(UserConflict)
      expect((await tokens().find('a1'))?.row.revokedAtMs).toBeUndefined()
      expect((await users().page({ product: '12345', offset: 0, limit: 9 })).total).toBe(1)
      await users().delete('anna', 1, start + 4, by)
      expect(await users().get('anna')).toBeUndefined()
      expect((await tokens().find('a1'))?.row.revokedAtMs).toBe(start + 4)
      expect((await users().suspensions()).size).toBe(0)
      await expect(users().delete('anna', 1, start, by)).rejects.toThrow(UserConflict)
      expect((await users().create(aNewUser('anna'), undefined, by)).stored?.version).toBe(1)
    })

    it('are suspended and resumed by name, wherever they are defined', async () => {
      await users().create(aNewUser('anna'), kept(aToken('a1', 'anna')), by)
      await tokens().replace(kept(aToken('g1', 'of-git')), by)
      await users().suspend('anna', 'odd calls', start + 1, by)
      await users().suspend('of-git', 'leaked', start + 2, 'operator:olga')
      expect(await tokens().find('a1')).toMatchObject({ suspended: true })
      expect(await tokens().find('g1')).toMatchObject({ suspended: true, stored: undefined })
      expect(await users().get('anna')).toMatchObject({
        suspended: { atMs: start + 1, by, because: 'odd calls' },
      })
      const ofGit = { atMs: start + 2, by: 'operator:olga', because: 'leaked' }
      expect(await users().get('of-git')).toMatchObject({ stored: undefined, suspended: ofGit })
      expect([...(await users().suspensions()).keys()]).toEqual(['anna', 'of-git'])
      expect((await users().page({ offset: 0, limit: 9 })).rows.map(({ name }) => name)).toEqual([
        'anna',
      ])
      expect(await users().resume('of-git', start + 3, by)).toBe(true)
      expect(await users().resume('of-git', start + 3, by)).toBe(false)
      expect(await users().get('of-git')).toBeUndefined()
      expect(await tokens().find('g1')).toMatchObject({ suspended: false })
      expect(await tokens().find('a1')).toMatchObject({ suspended: true })
    })

    it('give way to namesakes in the policy files, until they are updated', async () => {
      await users().create(aNewUser('anna'), kept(aToken('a1', 'anna')), by)
      await users().create(aNewUser('ben'), kept(aToken('b1', 'ben')), by)
      const names = [...Array.from({ length: 450 }, (_, n) => `git${n}`), 'anna']
      expect(await users().clashes(names)).toEqual(['anna'])
      expect((await tokens().find('a1'))?.row.revokedAtMs).toBeUndefined()
      expect(await users().displace(names, start + 5, 'gate:g1')).toEqual(['anna'])
      expect(await users().clashes(names)).toEqual([])
      expect(await users().displace(names, start + 6, 'gate:g1')).toEqual([])
      expect((await tokens().find('a1'))?.row.revokedAtMs).toBe(start + 5)
      expect((await tokens().find('b1'))?.row.revokedAtMs).toBeUndefined()
      await tokens().replace(kept(aToken('a2', 'anna')), by)
      expect((await tokens().find('a2'))?.stored).toBeUndefined()
      expect(await users().get('anna')).toMatchObject({
        displacedAtMs: start + 5,
        stored: { version: 1 },
      })
      await users().update(aNewUser('anna'), 1, undefined, by)
      expect((await tokens().find('a2'))?.stored?.version).toBe(2)
      expect((await users().get('anna'))?.displacedAtMs).toBeUndefined()
    })

    it('when displaced are deleted without harm to the namesake of the policy files', async () => {
      await users().create(aNewUser('anna'), undefined, by)
      await users().displace(['anna'], start, by)
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await users().suspend('anna', 'odd', start, by)
      await users().delete('anna', 1, start, by)
      expect((await tokens().live('anna'))?.id).toBe('a1')
      expect([...(await users().suspensions()).keys()]).toEqual(['anna'])
    })

    it('are listed by pages in the order of names, with the number of all', async () => {
      for (const name of ['b', 'a', 'C', 'ä', 'a-1', 'a_1']) {
        await users().create(aNewUser(name), undefined, by)
      }
      const names = async (offset: number, limit: number) => {
        const page = await users().page({ offset, limit })
        expect(page.total).toBe(6)
        return page.rows.map(({ name }) => name)
      }
      expect(await names(0, 10)).toEqual(['C', 'a', 'a-1', 'a_1', 'b', 'ä'])
      expect(await names(2, 2)).toEqual(['a-1', 'a_1'])
      expect(await names(6, 2)).toEqual([])
    })

    it('are searched by part of name or description without case, and by place', async () => {
      const at = (products: string[], organization?: string) => ({ products, organization })
      await users().create(
        aNewUser('Anna', { description: '50% Öl', place: at(['1', '2']) }),
        undefined,
        by,
      )
      await users().create(
        aNewUser('ben_x', { description: 'anna’s', place: at(['2']) }),
        undefined,
        by,
      )
      await users().create(
        aNewUser('carl', { description: '', place: at([], 'acme') }),
        undefined,
        by,
      )
      const names = async (query: { search?: string; product?: string; organization?: string }) => {
        const page = await users().page({ ...query, offset: 0, limit: 10 })
        expect(page.total).toBe(page.rows.length)
        return page.rows.map(({ name }) => name)
      }
      expect(await names({ search: 'ANN' })).toEqual(['Anna', 'ben_x'])
      expect(await names({ search: 'öL' })).toEqual(['Anna'])
      expect(await names({ search: '%' })).toEqual(['Anna'])
      expect(await names({ search: 'N_X' })).toEqual(['ben_x'])
      expect(await names({ search: 'n!x' })).toEqual([])
      expect(await names({ product: '2' })).toEqual(['Anna', 'ben_x'])
      expect(await names({ product: '1' })).toEqual(['Anna'])
      expect(await names({ product: '2', search: 'ben' })).toEqual(['ben_x'])
      expect(await names({ organization: 'acme' })).toEqual(['carl'])
      expect(await names({ organization: 'acme', product: '1' })).toEqual([])
      expect(await names({ product: '3' })).toEqual([])
    })
  })
}
