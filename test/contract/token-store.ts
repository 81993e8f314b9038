/** What every token store must do: one suite, run by each driver's own test file. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TokenConflict } from '../../src/store/token-store.ts'
import { aRow, start } from '../kit/tokens.ts'
import type { TokenStore } from '../../src/store/token-store.ts'

export type StoreUnderTest = {
  name: string
  /** Two stores on the same data, as two processes would open it. */
  openPair(): { one: TokenStore; other: TokenStore; dispose(): void }
}

export function testTokenStore({ name, openPair }: StoreUnderTest): void {
  describe(`${name} as a token store`, () => {
    let pair: ReturnType<StoreUnderTest['openPair']>
    let store: TokenStore
    beforeEach(() => {
      pair = openPair()
      store = pair.one
    })
    afterEach(() => pair.dispose())

    it('finds a row with every value it was given, and nothing under another id', () => {
      const row = aRow('aaaaaaaaaaaa', 'anna', {
        hash: Uint8Array.from({ length: 32 }, (_, i) => i),
        expiresAtMs: start + 1,
        idleMs: 5,
        lastUsedAtMs: start,
      })
      store.replace(row, '{}', undefined)
      expect(store.find('aaaaaaaaaaaa')).toEqual({ ...row, hash: expect.any(Uint8Array) })
      expect([...(store.find('aaaaaaaaaaaa')?.hash ?? [])]).toEqual([...row.hash])
      expect(store.live('anna')?.id).toBe('aaaaaaaaaaaa')
      expect(store.find('aaaaaaaaaaab')).toBeUndefined()
      expect(store.find('AAAAAAAAAAAA')).toBeUndefined()
      expect(store.live('ben')).toBeUndefined()
    })

    it('holds one valid token per user: a second insert is a conflict, for another user it is none', () => {
      store.replace(aRow('a1', 'anna'), '{}', undefined)
      expect(() => store.replace(aRow('a2', 'anna'), '{}', undefined)).toThrow(TokenConflict)
      expect(store.find('a2')).toBeUndefined()
      store.replace(aRow('b1', 'ben'), '{}', undefined)
      expect(store.list().map((row) => row.id)).toEqual(['a1', 'b1'])
    })

    it('replaces in one step: the one before is revoked, the loser of a race changes nothing', () => {
      store.replace(aRow('a1', 'anna'), '{}', undefined)
      store.replace(aRow('a2', 'anna', { createdAtMs: start + 9 }), '{}', 'a1')
      expect(store.find('a1')?.revokedAtMs).toBe(start + 9)
      expect(() => pair.other.replace(aRow('a3', 'anna'), '{"late":1}', 'a1')).toThrow(
        TokenConflict,
      )
      expect(store.live('anna')?.id).toBe('a2')
      expect(store.find('a3')).toBeUndefined()
    })

    it("does not take another user's token as the one before", () => {
      store.replace(aRow('b1', 'ben'), '{}', undefined)
      expect(() => store.replace(aRow('a1', 'anna'), '{}', 'b1')).toThrow(TokenConflict)
      expect(store.find('b1')?.revokedAtMs).toBeUndefined()
    })

    it('revokes once, for good', () => {
      store.replace(aRow('a1', 'anna'), '{}', undefined)
      expect(store.revoke('a1', start + 1)).toBe(true)
      expect(store.revoke('a1', start + 2)).toBe(false)
      expect(store.revoke('nobody', start)).toBe(false)
      expect(store.find('a1')?.revokedAtMs).toBe(start + 1)
      expect(store.live('anna')).toBeUndefined()
      expect(() => store.extend('a1', 'g2', '{}', undefined)).toThrow(TokenConflict)
    })

    it('keeps grants by hash while a valid token needs them, and no longer', () => {
      store.replace(aRow('a1', 'anna', { grantHash: 'shared' }), '{"n":1}', undefined)
      store.replace(aRow('b1', 'ben', { grantHash: 'shared' }), '{"n":1}', undefined)
      store.revoke('a1', start)
      expect(store.grant('shared')).toBe('{"n":1}')
      store.extend('b1', 'newer', '{"n":2}', start + 5)
      expect(store.grant('shared')).toBeUndefined()
      expect(store.grant('newer')).toBe('{"n":2}')
      expect(store.find('b1')).toMatchObject({ grantHash: 'newer', expiresAtMs: start + 5 })
      expect(store.find('a1')?.grantHash).toBe('shared')
      store.revoke('b1', start)
      expect(store.grant('newer')).toBeUndefined()
    })

    it('moves the epoch for own writes and for those of others, and not without one', () => {
      const seen = [store.epoch()]
      expect(store.epoch()).toBe(seen[0])
      store.replace(aRow('a1', 'anna'), '{}', undefined)
      seen.push(store.epoch())
      pair.other.revoke('a1', start)
      seen.push(store.epoch())
      pair.other.replace(aRow('a2', 'anna'), '{}', undefined)
      store.revoke('a2', start)
      seen.push(store.epoch())
      expect(new Set(seen).size).toBe(4)
      expect(store.epoch()).toBe(seen[3])
    })

    it('writes last uses, and only forward', () => {
      store.replace(aRow('a1', 'anna'), '{}', undefined)
      store.touch(
        new Map([
          ['a1', start + 10],
          ['nobody', 1],
        ]),
      )
      store.touch(new Map([['a1', start + 5]]))
      expect(store.find('a1')?.lastUsedAtMs).toBe(start + 10)
    })
  })
}
