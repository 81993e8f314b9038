/** Operators and replicas in any store. */

import { describe, expect, it } from 'vitest'
import { OperatorConflict } from '../../src/store/operator-store.ts'
import { aBeat, anOperator, by, outcomes, start, type Bench } from './store-kit.ts'

const hour = 3_600_000

export function operatorsAreKept(bench: () => Bench): void {
  describe('operators', () => {
    const operators = () => bench().store.operators

    it('are found by the id of their token with every value they were given', async () => {
      const row = anOperator('o1', 'olga', {
        role: 'owner',
        product: '12345',
        expiresAtMs: start + hour,
      })
      await operators().create(row, by)
      const found = await operators().find('o1')
      expect(found).toEqual({ ...row, hash: expect.any(Uint8Array) })
      expect([...(found?.hash ?? [])]).toEqual([...row.hash])
      expect(await operators().find('O1')).toBeUndefined()
    })

    it('hold one valid token per name, whoever races; the next may come once it is revoked', async () => {
      await using other = await bench().under.open()
      const race = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) =>
          (n % 2 === 0 ? bench().store : other).operators.create(anOperator(`o${n}`, 'olga'), by),
        ),
      )
      const { won, lost } = outcomes(race)
      expect(won).toBe(1)
      expect(new Set(lost)).toEqual(new Set(['OperatorConflict']))
      const [winner] = await operators().list()
      expect(await operators().revoke(winner?.id ?? '', start + 1, by)).toBe(true)
      expect(await operators().revoke(winner?.id ?? '', start + 2, by)).toBe(false)
      expect((await operators().find(winner?.id ?? ''))?.revokedAtMs).toBe(start + 1)
      await operators().create(anOperator('next', 'olga'), by)
    })

    it('whose token has run out may be made anew', async () => {
      await operators().create(anOperator('o1', 'olga', { expiresAtMs: start + hour }), by)
      const early = anOperator('o2', 'olga', { createdAtMs: start + hour - 1 })
      await expect(operators().create(early, by)).rejects.toThrow(OperatorConflict)
      await operators().create(anOperator('o2', 'olga', { createdAtMs: start + hour }), by)
      expect((await operators().find('o1'))?.revokedAtMs).toBe(start + hour)
    })

    it('of whom one owner of everything always stays, whoever revoke each other at the same time', async () => {
      const lasting = { role: 'owner' } as const
      for (const [id, more] of [
        ['a', lasting],
        ['b', { ...lasting, expiresAtMs: start + hour }],
        ['bound', { ...lasting, product: '12345' }],
        ['editor', {}],
        ['over', { ...lasting, expiresAtMs: start }],
        ['signed-in', { ...lasting, via: 'oidc', expiresAtMs: Date.now() + hour }],
      ] as const) {
        await operators().create(anOperator(id, id, more), by)
      }
      await using other = await bench().under.open()
      const race = await Promise.all([
        operators().revokeUnlessLast('a', start + 1, by),
        other.operators.revokeUnlessLast('b', start + 1, by),
      ])
      expect(race.toSorted()).toEqual(['last_owner', 'revoked'])
      const stays = race[0] === 'revoked' ? 'b' : 'a'
      expect((await operators().find(stays))?.revokedAtMs).toBeUndefined()
      expect(await operators().revokeUnlessLast(stays, start + 2, by)).toBe('last_owner')
      for (const id of ['bound', 'editor', 'over', 'signed-in']) {
        expect(await operators().revokeUnlessLast(id, start + 2, by)).toBe('revoked')
        expect(await operators().revokeUnlessLast(id, start + 3, by)).toBe('not_valid')
      }
      expect(await operators().revokeUnlessLast('nobody', start + 2, by)).toBe('not_valid')
      expect(await operators().revoke(stays, start + 2, by)).toBe(true)
    })

    it('may sign in often under one name', async () => {
      const signIn = { via: 'oidc', expiresAtMs: Date.now() + hour } as const
      await operators().create(anOperator('s1', 'olga', signIn), by)
      await operators().create(anOperator('s2', 'olga', signIn), by)
      await operators().create(anOperator('o1', 'olga'), by)
      expect(await operators().list()).toHaveLength(3)
    })

    it('are listed newest first, the revoked too, but no sign-in that is over', async () => {
      const over = { via: 'oidc', expiresAtMs: Date.now() - hour } as const
      const open = { via: 'oidc', expiresAtMs: Date.now() + hour } as const
      await operators().create(anOperator('o1', 'olga'), by)
      await operators().create(anOperator('s1', 'otto', { ...over, createdAtMs: start + 1 }), by)
      await operators().create(anOperator('s2', 'otto', { ...open, createdAtMs: start + 2 }), by)
      await operators().create(anOperator('o2', 'oda', { createdAtMs: start + 3 }), by)
      await operators().revoke('o2', start + 4, by)
      expect((await operators().list()).map(({ id }) => id)).toEqual(['o2', 's2', 'o1'])
    })
  })
}

export function replicasAreKept(bench: () => Bench): void {
  describe('replicas', () => {
    const replicas = () => bench().store.replicas

    it("live while they beat, by the database's clock, which their own is held against", async () => {
      await replicas().beat(aBeat('r1', { nowMs: Date.now() - hour }))
      await replicas().beat(aBeat('r2', { commit: 'c0ffee', startedAtMs: start + 1 }))
      await replicas().beat(aBeat('r2', { revision: 'r2', startedAtMs: start + 1 }))
      const { live, gone } = await replicas().list()
      expect(gone).toEqual([])
      expect(live).toEqual([
        {
          name: 'r2',
          boot: 'b1',
          version: '1.2.3',
          revision: 'r2',
          commit: undefined,
          startedAtMs: start + 1,
          beatAtMs: expect.any(Number),
          silentMs: expect.any(Number),
          skewMs: expect.any(Number),
        },
        expect.objectContaining({ name: 'r1', commit: undefined }),
      ])
      expect(Math.abs(live[0]?.skewMs ?? hour)).toBeLessThan(60_000)
      expect(Math.abs((live[1]?.skewMs ?? 0) + hour)).toBeLessThan(60_000)
    })

    it('are gone after five silent seconds, and forgotten after a day', async () => {
      await replicas().beat(aBeat('r1'))
      await replicas().beat(aBeat('r2'))
      await replicas().beat(aBeat('r3'))
      const silent = (name: string, ms: number) =>
        bench().under.select(
          `update replicas set beat_at_ms = beat_at_ms - ${ms} where name = '${name}'`,
        )
      await silent('r2', 60_000)
      await silent('r3', 25 * hour)
      await replicas().beat(aBeat('r1'))
      const { live, gone } = await replicas().list()
      expect(live.map(({ name }) => name)).toEqual(['r1'])
      expect(gone.map(({ name }) => name)).toEqual(['r2'])
      expect(live[0]?.silentMs).toBeLessThan(5_000)
      expect(gone[0]?.silentMs).toBeGreaterThanOrEqual(60_000)
      expect(gone[0]?.silentMs).toBeLessThan(90_000)
    })

    it('that start again take the place of their last boot at once, and of nobody else', async () => {
      await replicas().beat(aBeat('r1', { boot: 'b1' }))
      await replicas().beat(aBeat('r2', { boot: 'b1' }))
      await bench().under.select('update replicas set beat_at_ms = beat_at_ms - 2000')
      // Its own clock is an hour behind, which is known of it.
      const nowMs = Date.now() - hour
      await replicas().beat(aBeat('r1', { boot: 'b2', startedAtMs: nowMs - 1_000, nowMs }))
      const { live, gone } = await replicas().list()
      expect(live.map(({ name, boot }) => `${name} ${boot}`).toSorted()).toEqual(['r1 b2', 'r2 b1'])
      expect(gone).toEqual([])
    })

    it('of one name both live while both beat; the one that falls silent is not gone but replaced', async () => {
      await replicas().beat(aBeat('r1', { boot: 'b1' }))
      await replicas().beat(aBeat('r1', { boot: 'b2', startedAtMs: start + 1 }))
      const boots = async () => {
        const { live, gone } = await replicas().list()
        return { live: live.map(({ boot }) => boot), gone: gone.map(({ boot }) => boot) }
      }
      expect(await boots()).toEqual({ live: ['b2', 'b1'], gone: [] })
      await bench().under.select(
        "update replicas set beat_at_ms = beat_at_ms - 6000 where boot = 'b1'",
      )
      expect(await boots()).toEqual({ live: ['b2'], gone: [] })
      await bench().under.select('update replicas set beat_at_ms = beat_at_ms - 6000')
      expect(await boots()).toEqual({ live: [], gone: ['b2'] })
      await replicas().beat(aBeat('r1', { boot: 'b2', startedAtMs: start + 1 }))
      expect(await bench().under.select('select boot from replicas')).toEqual([{ boot: 'b2' }])
    })
  })
}
