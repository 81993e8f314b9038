import { describe, expect, it } from 'vitest'
import type { Actor, ApiUserRecord } from '../../../../src/admin/api-users.ts'
import { infoOf, lookAgain } from '../../../../src/admin/users/afterwards.ts'

const actor: Actor = {
  operator: { name: 'bo', role: 'editor', product: '1', tokenId: 't', via: 'token' },
  ...{ requestId: 'r', address: '192.0.2.1', agent: undefined },
}

const aRecord = (etag: string): ApiUserRecord => ({
  ...{ name: 'wall', home: 'store', definition: {}, user: undefined, mistakes: [], version: 1 },
  ...{ etag, suspended: undefined, displacedAtMs: undefined, token: undefined },
  ...{ createdAtMs: 0, updatedAtMs: 0 },
})
const at = (product: string) => ({ products: [product], organization: undefined })

describe('a change that is made', () => {
  const left = aRecord('left')
  it('is answered as it is now', async () => {
    const found = { record: aRecord('now'), place: at('1') }
    const seen = await lookAgain(actor, { find: () => Promise.resolve(found) }, left)
    expect(seen.etag).toBe('now')
  })

  it('is answered as it was left where a look fails, or it is gone or out of reach by then', async () => {
    const foreign = { record: aRecord('now'), place: at('2') }
    const fail = () => Promise.reject(new Error('the disk is gone'))
    for (const find of [fail, async () => undefined, async () => foreign]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await lookAgain(actor, { find }, left)).toBe(left)
    }
  })
})

describe('a token that was just kept', () => {
  const row = {
    ...{ id: 'i', user: 'wall', kind: 'minted' as const, hash: new Uint8Array(32), grantHash: 'g' },
    ...{ createdAtMs: 10, expiresAtMs: 100, notBeforeMs: undefined, idleMs: 20 },
    ...{ lastUsedAtMs: undefined, revokedAtMs: undefined },
  }
  const of = (more: Partial<typeof row> | { notBeforeMs: number }) =>
    infoOf({ row: { ...row, ...more }, grantJson: '{}', previous: undefined }, 10)

  it('is told without its hash, and ends at the earlier of its end and its idle limit', () => {
    expect(of({})).toMatchObject({ tokenId: 'i', state: 'valid', endsAtMs: 30 })
    expect(of({})).not.toHaveProperty('hash')
    expect(of({ expiresAtMs: 20 })).toMatchObject({ endsAtMs: 20 })
    expect(of({ notBeforeMs: 11 })).toMatchObject({ state: 'not_yet_valid' })
  })
})
