/** The change feed of any store: what was written, in order, by whom, to every process. */

import { describe, expect, it } from 'vitest'
import { until } from '../kit/recording-upstream.ts'
import { aNewUser, aToken, anOperator, by, heard, kept, start, type Bench } from './store-kit.ts'

export function changesAreTold(bench: () => Bench): void {
  describe('changes', () => {
    it('are told before the write resolves, in order, each with its kind and author', async () => {
      const { tokens, users, operators } = bench().store
      const { changes } = heard(bench().store)
      const told = () => changes.map(({ kind, user, by: who }) => `${kind} ${user} ${who}`)
      const after = async (write: Promise<unknown>) => {
        changes.length = 0
        await write
        return told()
      }
      expect(await after(tokens.replace(kept(aToken('g1', 'git')), 'cli:a'))).toEqual([
        'token_issued git cli:a',
      ])
      expect(await after(tokens.replace(kept(aToken('g2', 'git'), 'g1'), 'cli:b'))).toEqual([
        'token_rotated git cli:b',
      ])
      const grant = { from: 'git-a', hash: 'git-b', json: '{}', expiresAtMs: undefined }
      expect(await after(tokens.extend('g2', grant, 'cli:c'))).toEqual(['token_extended git cli:c'])
      expect(await after(tokens.revoke('g2', start, 'self'))).toEqual(['token_revoked git self'])
      expect(await after(tokens.revoke('g2', start, 'self'))).toEqual([])
      const cloud = aToken('g3', 'git', { kind: 'adopted' })
      expect(await after(tokens.replace(kept(cloud), 'cli:d'))).toEqual(['token_adopted git cli:d'])

      const first = kept(aToken('a1', 'anna'))
      expect(await after(users.create(aNewUser('anna'), first, 'operator:o'))).toEqual([
        'user_created anna operator:o',
        'token_issued anna operator:o',
      ])
      const second = kept(aToken('a2', 'anna'), 'a1')
      expect(await after(users.update(aNewUser('anna'), 1, second, 'operator:p'))).toEqual([
        'user_updated anna operator:p',
        'token_rotated anna operator:p',
      ])
      expect(await after(users.suspend('anna', 'odd', start, by))).toEqual([
        `user_suspended anna ${by}`,
      ])
      expect(await after(users.resume('anna', start, by))).toEqual([`user_resumed anna ${by}`])
      expect(await after(users.resume('anna', start, by))).toEqual([])
      expect(await after(users.displace(['anna'], start, 'gate:g'))).toEqual([
        'token_revoked anna gate:g',
        'user_displaced anna gate:g',
      ])
      await users.update(aNewUser('anna'), 2, kept(aToken('a3', 'anna')), by)
      expect(await after(users.delete('anna', 3, start, by))).toEqual([
        `token_revoked anna ${by}`,
        `user_deleted anna ${by}`,
      ])

      expect(await after(operators.create(anOperator('o1', 'olga'), by))).toEqual([
        `operator_created olga ${by}`,
      ])
      expect(await after(operators.revoke('o1', start, by))).toEqual([
        `operator_revoked olga ${by}`,
      ])
    })

    it('have rising numbers and the time of the database', async () => {
      const { changes } = heard(bench().store)
      const from = Date.now()
      for (const id of ['a', 'b', 'c']) {
        await bench().store.tokens.replace(kept(aToken(id, id)), by)
      }
      const numbers = changes.map(({ seq }) => seq)
      expect(new Set(numbers).size).toBe(3)
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other))
      expect(bench().store.changes.state().seq).toBe(numbers.at(-1))
      // The database may run on another machine's clock.
      for (const { atMs } of changes) expect(Math.abs(atMs - from)).toBeLessThan(60_000)
    })

    it('of another process are told, all and once, whoever else writes', async () => {
      await using other = await bench().under.open()
      const here = heard(bench().store)
      const there = heard(other)
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 === 0 ? other : bench().store).tokens.replace(
            kept(aToken(`t${n}`, `user${n}`)),
            by,
          ),
        ),
      )
      await until(() => {
        bench().store.changes.look()
        other.changes.look()
        return here.changes.length >= 20 && there.changes.length >= 20
      })
      expect(here.changes).toEqual(there.changes)
      const numbers = here.changes.map(({ seq }) => seq)
      expect(numbers).toEqual(numbers.toSorted((one, other_) => one - other_))
      expect(new Set(here.changes.map(({ user }) => user)).size).toBe(20)
      expect(here.unknowns + there.unknowns).toBe(0)
    })

    it('from before the opening are not told', async () => {
      await bench().store.tokens.replace(kept(aToken('a1', 'anna')), by)
      await using late = await bench().under.open()
      const { changes } = heard(late)
      await late.tokens.replace(kept(aToken('b1', 'ben')), by)
      expect(changes.map(({ user }) => user)).toEqual(['ben'])
    })

    it('of a transaction that failed are told to nobody', async () => {
      await bench().store.users.create(aNewUser('anna'), kept(aToken('a1', 'anna')), by)
      const { changes } = heard(bench().store)
      const stale = kept(aToken('a3', 'anna'), 'a2')
      const update = bench().store.users.update(aNewUser('anna'), 1, stale, by)
      await expect(update).rejects.toThrow()
      await bench().store.changes.refresh()
      expect(changes).toEqual([])
    })

    it('are told no more to who has left', async () => {
      const told: unknown[] = []
      const listening = bench().store.changes.onChange((changes) => told.push(changes))
      await bench().store.tokens.replace(kept(aToken('a1', 'anna')), by)
      listening[Symbol.dispose]()
      await bench().store.tokens.replace(kept(aToken('b1', 'ben')), by)
      expect(told).toHaveLength(1)
    })

    it('older than a day are forgotten; who has not taken them in cannot know what changed', async () => {
      const { under } = bench()
      await bench().store.tokens.replace(kept(aToken('a1', 'anna')), by)
      await under.select('update changes set at_ms = at_ms - 2 * 86400000')
      // One that has not seen it younger: a change that is another one now means a database that fell back.
      await using store = await under.open()
      const here = heard(store)
      for (let n = 0; n < 70; n++) await store.users.suspend('anna', 'again', start + n, by)
      const oldest = await under.select('select seq from changes order by seq limit 1')
      expect(oldest[0]?.['seq']).toBe(here.changes[0]?.seq)
      const counter = await under.select('select pruned_seq from change_counter')
      expect(counter[0]?.['pruned_seq']).toBe((here.changes[0]?.seq ?? 0) - 1)
      expect(here.unknowns).toBe(0)
      await under.select('update change_counter set pruned_seq = seq + 1, seq = seq + 1')
      await store.users.suspend('anna', 'last', start, by)
      const unknowns = here.unknowns
      expect(unknowns).toBeGreaterThan(0)
      const told = here.changes.length
      await store.users.suspend('anna', 'known again', start, by)
      expect(here.changes.slice(told).map(({ kind }) => kind)).toEqual(['user_suspended'])
      expect(here.unknowns).toBe(unknowns)
    })

    it('of kinds this version does not know are unknown', async () => {
      const { store, under } = bench()
      const here = heard(store)
      await under.select(
        "insert into changes (seq, at_ms, user_name, kind, by_whom) select seq + 1, 1, 'anna', 'token_split', 'x' from change_counter",
      )
      await under.select('update change_counter set seq = seq + 1')
      await store.tokens.replace(kept(aToken('a1', 'anna')), by)
      expect(here.unknowns).toBeGreaterThan(0)
    })

    it('that are too many at once are unknown, those after them are not', async () => {
      const { store, under } = bench()
      const here = heard(store)
      await under.select(`
        insert into changes (seq, at_ms, user_name, kind, by_whom)
        with recursive counted (n) as (select 1 union all select n + 1 from counted where n < 10001)
        select seq + n, 1, 'anna', 'user_suspended', 'x' from change_counter, counted`)
      await under.select('update change_counter set seq = seq + 10001')
      await store.tokens.replace(kept(aToken('a1', 'anna')), by)
      expect(here.unknowns).toBeGreaterThan(0)
      const told = here.changes.length
      await store.tokens.replace(kept(aToken('b1', 'ben')), by)
      expect(here.changes.slice(told)).toMatchObject([{ kind: 'token_issued', user: 'ben' }])
    })

    it('stay in the database with what was before and after, and nothing secret', async () => {
      const { tokens, users, operators, history } = bench().store
      await tokens.replace(kept(aToken('g1', 'git', { idleMs: 7 })), 'cli:a')
      const grant = { from: 'git-a', hash: 'git-b', json: '{}', expiresAtMs: start + 5 }
      await tokens.extend('g1', grant, 'cli:b')
      await tokens.revoke('g1', start, 'self')
      const first = kept(aToken('a1', 'anna'))
      await users.create(aNewUser('anna'), first, 'operator:o')
      await users.update(aNewUser('anna'), 1, undefined, 'operator:o')
      await users.suspend('anna', 'odd', start, by)
      await users.suspend('anna', 'odder', start, by)
      await users.resume('anna', start, by)
      await users.delete('anna', 2, start, by)
      await operators.create(anOperator('o1', 'olga', { role: 'owner' }), by)
      await operators.revokeUnlessLast('o1', start, by)
      await operators.revoke('o1', start, by)

      const { changes, lastSeq, prunedSeq } = await history.after(0, 100)
      expect({ lastSeq, prunedSeq }).toEqual({ lastSeq: changes.length, prunedSeq: 0 })
      const until = new Date(start + 5).toISOString()
      const at = new Date(start).toISOString()
      const git = { token_id: 'g1', token_kind: 'minted', grant: 'git-a', idle_ms: 7 }
      const extended = { ...git, grant: 'git-b', expires_at: until }
      const anna = { token_id: 'a1', token_kind: 'minted', grant: 'anna-a' }
      const stopped = { suspended_at: at, suspended_by: by, because: 'odd' }
      const olga = { role: 'owner', via: 'token' }
      expect(changes.map(({ kind, detail }) => [kind, detail])).toEqual([
        ['token_issued', { token_id: 'g1', after: git }],
        ['token_extended', { token_id: 'g1', before: git, after: extended }],
        ['token_revoked', { token_id: 'g1', before: extended }],
        ['user_created', { after: { version: 1, products: '12345' } }],
        ['token_issued', { token_id: 'a1', after: anna }],
        [
          'user_updated',
          {
            before: { version: 1, products: '12345' },
            after: { version: 2, products: '12345' },
          },
        ],
        ['user_suspended', { after: stopped }],
        ['user_suspended', { before: stopped, after: { ...stopped, because: 'odder' } }],
        ['user_resumed', { before: { ...stopped, because: 'odder' } }],
        ['token_revoked', { token_id: 'a1', before: anna }],
        ['user_deleted', { before: { version: 2, products: '12345' } }],
        ['operator_created', { token_id: 'o1', after: olga }],
        ['operator_revoked', { token_id: 'o1', before: olga }],
      ])
    })

    it('are read from a number on, so many at once, and rows of an older gate too', async () => {
      const { store, under } = bench()
      for (let n = 1; n <= 3; n++) await store.users.suspend(`user${n}`, 'odd', start, by)
      await under.select('update changes set detail = null where seq = 3')
      const page = await store.history.after(1, 1)
      expect(page).toMatchObject({ lastSeq: 3, changes: [{ seq: 2, user: 'user2', by }] })
      expect(page.changes).toHaveLength(1)
      expect((await store.history.after(2, 5)).changes).toMatchObject([{ detail: undefined }])
      expect(await store.history.after(3, 5)).toEqual({ lastSeq: 3, prunedSeq: 0, changes: [] })
    })

    it('leave the memory to be believed while the database answers', async () => {
      await bench().store.changes.refresh()
      expect(() => bench().store.changes.assertFresh()).not.toThrow()
      expect(bench().store.changes.state().confirmedAtMs).toBeGreaterThan(Date.now() - 60_000)
    })
  })
}
