/** Tokens in any store: one valid one per API user, whoever races. */

import { describe, expect, it } from 'vitest'
import { TokenConflict } from '../../src/store/token-store.ts'
import { aNewUser, aToken, by, hashOf, kept, outcomes, start, type Bench } from './store-kit.ts'

export function tokensAreKept(bench: () => Bench): void {
  describe('tokens', () => {
    const tokens = () => bench().store.tokens

    it('are found with every value they were given, and nothing under another id', async () => {
      const row = aToken('aaaaaaaaaaaa', 'anna', {
        hash: Uint8Array.from({ length: 32 }, (_, at) => 255 - at),
        expiresAtMs: start + 1,
        notBeforeMs: start - 1,
        idleMs: 5,
        lastUsedAtMs: start,
      })
      await tokens().replace(kept(row), by)
      const found = await tokens().find('aaaaaaaaaaaa')
      expect(found).toEqual({
        row: { ...row, hash: expect.any(Uint8Array) },
        grantJson: '{"of":"anna-a"}',
        stored: undefined,
        suspended: false,
      })
      expect([...(found?.row.hash ?? [])]).toEqual([...row.hash])
      expect((await tokens().live('anna'))?.id).toBe('aaaaaaaaaaaa')
      expect(await tokens().find('aaaaaaaaaaab')).toBeUndefined()
      expect(await tokens().find('AAAAAAAAAAAA')).toBeUndefined()
      expect(await tokens().live('ben')).toBeUndefined()
    })

    it('are one per API user: a second is a conflict, of another API user it is none', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await expect(tokens().replace(kept(aToken('a2', 'anna')), by)).rejects.toThrow(TokenConflict)
      expect(await tokens().find('a2')).toBeUndefined()
      await tokens().replace(kept(aToken('b1', 'ben')), by)
      expect((await tokens().list()).map(({ id }) => id).toSorted()).toEqual(['a1', 'b1'])
    })

    it('are replaced in one step: the one before is revoked, the late one changes nothing', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await tokens().replace(kept(aToken('a2', 'anna', { createdAtMs: start + 9 }), 'a1'), by)
      const before = await tokens().find('a1')
      expect(before).toMatchObject({ row: { revokedAtMs: start + 9 }, grantJson: undefined })
      await using other = await bench().under.open()
      const late = kept(aToken('a3', 'anna', { grantHash: 'late' }), 'a1')
      await expect(other.tokens.replace(late, by)).rejects.toThrow(TokenConflict)
      expect((await tokens().live('anna'))?.id).toBe('a2')
      expect(await tokens().find('a3')).toBeUndefined()
    })

    it("never replace another API user's token", async () => {
      await tokens().replace(kept(aToken('b1', 'ben')), by)
      const wrong = kept(aToken('a1', 'anna'), 'b1')
      await expect(tokens().replace(wrong, by)).rejects.toThrow(TokenConflict)
      expect((await tokens().find('b1'))?.row.revokedAtMs).toBeUndefined()
    })

    it('are revoked once, for good', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      expect(await tokens().revoke('a1', start + 1, by)).toBe(true)
      expect(await tokens().revoke('a1', start + 2, by)).toBe(false)
      expect(await tokens().revoke('nobody', start, by)).toBe(false)
      expect((await tokens().find('a1'))?.row.revokedAtMs).toBe(start + 1)
      expect(await tokens().live('anna')).toBeUndefined()
      const grant = { from: 'anna-a', hash: 'anna-b', json: '{}', expiresAtMs: undefined }
      await expect(tokens().extend('a1', grant, by)).rejects.toThrow(TokenConflict)
    })

    it('are extended from the grant they hold, and from no other', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      const grant = { from: 'anna-a', hash: 'anna-b', json: '{"n":2}', expiresAtMs: start + 5 }
      await tokens().extend('a1', grant, by)
      expect(await tokens().find('a1')).toMatchObject({
        row: { grantHash: 'anna-b', expiresAtMs: start + 5 },
        grantJson: '{"n":2}',
      })
      const late = { from: 'anna-a', hash: 'anna-c', json: '{}', expiresAtMs: undefined }
      await expect(tokens().extend('a1', late, by)).rejects.toThrow(TokenConflict)
      expect((await tokens().find('a1'))?.row.grantHash).toBe('anna-b')
    })

    it('share a grant, which is kept while a valid one needs it and no longer', async () => {
      const shared = { grantHash: 'shared' }
      const left = async () => {
        const rows = await bench().under.select('select hash from grants order by hash')
        return rows.map((row) => row['hash'])
      }
      await tokens().replace(kept(aToken('a1', 'anna', shared)), by)
      await tokens().replace(kept(aToken('b1', 'ben', shared)), by)
      await tokens().revoke('a1', start, by)
      expect(await tokens().find('b1')).toMatchObject({ grantJson: '{"of":"shared"}' })
      const grant = { from: 'shared', hash: 'newer', json: '{}', expiresAtMs: undefined }
      await tokens().extend('b1', grant, by)
      expect(await left()).toEqual(['newer'])
      expect((await tokens().find('a1'))?.row.grantHash).toBe('shared')
      await tokens().replace(kept(aToken('b2', 'ben'), 'b1'), by)
      expect(await left()).toEqual(['ben-a'])
      await tokens().revoke('b2', start, by)
      expect(await left()).toEqual([])
    })

    it('of the cloud are found by their hash; those of the gate are not', async () => {
      const row = aToken('a1', 'anna', { kind: 'adopted', hash: hashOf('cloud') })
      await tokens().replace(kept(row), by)
      await tokens().replace(kept(aToken('b1', 'ben')), by)
      expect((await tokens().findAdopted(hashOf('cloud')))?.row).toMatchObject({
        id: 'a1',
        kind: 'adopted',
      })
      expect(await tokens().findAdopted(hashOf('b1'))).toBeUndefined()
    })

    it('of the cloud belong to one API user; revoked, they may be adopted anew', async () => {
      const adopted = { kind: 'adopted', hash: hashOf('cloud') } as const
      await tokens().replace(kept(aToken('a1', 'anna', adopted)), by)
      const second = kept(aToken('b1', 'ben', adopted))
      await expect(tokens().replace(second, by)).rejects.toThrow(TokenConflict)
      await tokens().revoke('a1', start + 1, by)
      expect((await tokens().findAdopted(hashOf('cloud')))?.row.revokedAtMs).toBe(start + 1)
      await tokens().replace(second, by)
      expect((await tokens().findAdopted(hashOf('cloud')))?.row.id).toBe('b1')
    })

    it('note last uses, only forward, however many at once, and record no change', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      const before = bench().store.changes.state().seq
      const many = Array.from({ length: 300 }, (_, n): [string, number] => [`nobody${n}`, n])
      await tokens().touch(new Map([...many, ['a1', start + 10]]))
      await tokens().touch(new Map([['a1', start + 5]]))
      await tokens().touch(new Map())
      expect((await tokens().find('a1'))?.row.lastUsedAtMs).toBe(start + 10)
      bench().store.changes.look()
      expect(bench().store.changes.state().seq).toBe(before)
    })

    it('are told newest of an API user: the valid one before any other, else the last it had', async () => {
      const newest = async (user: string) => (await tokens().newest(user))?.id
      expect(await newest('anna')).toBeUndefined()
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await tokens().replace(kept(aToken('a3', 'anna', { createdAtMs: start + 9 }), 'a1'), by)
      // A clock that was set back.
      await tokens().replace(kept(aToken('a2', 'anna', { createdAtMs: start + 5 }), 'a3'), by)
      await tokens().replace(kept(aToken('b1', 'ben', { createdAtMs: start + 99 })), by)
      expect(await newest('anna')).toBe('a2')
      await tokens().revoke('a2', start + 10, by)
      expect(await newest('anna')).toBe('a3')
    })

    it('are listed newest first, by API user, and without the revoked', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await tokens().replace(kept(aToken('a2', 'anna', { createdAtMs: start + 1 }), 'a1'), by)
      await tokens().replace(kept(aToken('b1', 'ben', { createdAtMs: start + 2 })), by)
      const ids = async (which?: { user?: string; live?: true }) =>
        (await tokens().list(which)).map(({ id }) => id)
      expect(await ids()).toEqual(['b1', 'a2', 'a1'])
      expect(await ids({ live: true })).toEqual(['b1', 'a2'])
      expect(await ids({ user: 'anna' })).toEqual(['a2', 'a1'])
      expect(await ids({ user: 'anna', live: true })).toEqual(['a2'])
    })

    it('are listed whole and in order however many there are', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await bench().under.select(`
        insert into tokens (id, user_name, hash, grant_hash, created_at_ms, revoked_at_ms)
        with recursive counted (n) as (select 1 union all select n + 1 from counted where n < 2500)
        select 'x' || n, 'anna', hash, grant_hash, created_at_ms + n / 700, 1 from tokens, counted`)
      const rows = await tokens().list()
      expect(new Set(rows.map(({ id }) => id)).size).toBe(2501)
      const times = rows.map(({ createdAtMs }) => createdAtMs)
      expect(times).toEqual(times.toSorted((one, other) => other - one))
      expect(await tokens().list({ user: 'anna' })).toHaveLength(2501)
      expect(await tokens().list({ live: true })).toHaveLength(1)
    })

    it('without a definition in the store are told apart: those the policy files must know', async () => {
      await tokens().replace(kept(aToken('a1', 'anna')), by)
      await bench().store.users.create(aNewUser('ben'), kept(aToken('b1', 'ben')), by)
      await bench().store.users.create(aNewUser('carl'), undefined, by)
      await bench().store.users.displace(['carl'], start, by)
      await tokens().replace(kept(aToken('c1', 'carl')), by)
      await tokens().replace(kept(aToken('d1', 'dora')), by)
      await tokens().revoke('d1', start, by)
      expect(await tokens().heldOutsideStore()).toEqual([
        { id: 'a1', user: 'anna' },
        { id: 'c1', user: 'carl' },
      ])
      await bench().store.users.update(aNewUser('carl'), 1, undefined, by)
      expect(await tokens().heldOutsideStore()).toEqual([{ id: 'a1', user: 'anna' }])
    })

    it('leave exactly one valid of 20 parallel rotations; the other 19 are conflicts', async () => {
      await tokens().replace(kept(aToken('first', 'anna')), by)
      await using other = await bench().under.open()
      const ids = Array.from({ length: 20 }, (_, n) => `a${n}`)
      const { won, lost } = outcomes(
        await Promise.allSettled(
          ids.map((id, n) =>
            (n % 2 === 0 ? bench().store : other).tokens.replace(
              kept(aToken(id, 'anna'), 'first'),
              by,
            ),
          ),
        ),
      )
      expect(won).toBe(1)
      expect(lost).toEqual(Array.from({ length: 19 }, () => 'TokenConflict'))
      const live = await tokens().list({ user: 'anna', live: true })
      expect(live).toHaveLength(1)
      expect(ids).toContain(live[0]?.id)
    })

    it('are rotated or revoked, never both, when the two race', async () => {
      await using other = await bench().under.open()
      for (let round = 0; round < 10; round++) {
        const user = `user${round}`
        await tokens().replace(kept(aToken(`${user}-1`, user)), by)
        const [rotated, revoked] = await Promise.allSettled([
          other.tokens.replace(kept(aToken(`${user}-2`, user), `${user}-1`), by),
          tokens().revoke(`${user}-1`, start, by),
        ])
        const won = rotated.status === 'fulfilled'
        expect(revoked).toEqual({ status: 'fulfilled', value: !won })
        expect((await tokens().live(user))?.id).toBe(won ? `${user}-2` : undefined)
        expect((await tokens().find(`${user}-1`))?.grantJson).toBeUndefined()
      }
    })
  })
}
