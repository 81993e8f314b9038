import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { mintToken } from '../../../src/store/token-format.ts'
import { TokenConflict } from '../../../src/store/token-store.ts'
import { TokenRefused } from '../../../src/store/tokens.ts'
import { codeOf, startStoreRig, type StoreRig } from '../../kit/store-rig.ts'
import { aUser, day, start } from '../../kit/tokens.ts'
import type { ApiUser, Expiry } from '../../../src/domain/grant.ts'
import type { Tokens } from '../../../src/store/tokens.ts'

const cloudToken = 'c10d'.repeat(10)

let rig: StoreRig
let tokens: Tokens
beforeEach(() => {
  rig = startStoreRig()
  tokens = rig.tokens()
})
afterEach(() => rig[Symbol.asyncDispose]())

const alive = (plain: string) => codeOf(() => tokens.authenticate(plain))
const adopt = (user: ApiUser, plain = cloudToken) => tokens.adopt(user, new Secret(plain), 'self')
const whyNot = async (call: Promise<unknown>): Promise<Error> => {
  const refused: unknown = await call.then(() => undefined).catch((error: unknown) => error)
  return refused instanceof Error ? refused : new Error('it was not refused')
}

describe('issue and rotate', () => {
  it('issues a token that authenticates as its API user, with the grant it was issued under', async () => {
    const user = aUser('anna')
    const issued = await tokens.issue(user, 'self')
    expect(await tokens.authenticate(issued.token.reveal())).toEqual({
      user: 'anna',
      tokenId: issued.tokenId,
      tokenKind: 'minted',
      issued: user.grant,
      issuedHash: 'anna-a',
      expiresAtMs: undefined,
      stored: undefined,
    })
  })

  it('T12 shows the plain token to nobody who prints, and keeps only its hash', async () => {
    const issued = await tokens.issue(aUser('anna'), 'self')
    const plain = issued.token.reveal()
    const prints = [
      JSON.stringify(issued),
      inspect(issued, { depth: 9 }),
      JSON.stringify(await tokens.list()),
      inspect(await rig.real.tokens.list()),
    ]
    for (const print of prints) expect(print).not.toContain(plain.slice(18, 50))
    const found = await rig.real.tokens.find(issued.tokenId)
    expect(found?.row.hash).toHaveLength(32)
  })

  it('issues no second token beside a valid one', async () => {
    const user = aUser('anna')
    const first = await tokens.issue(user, 'self')
    await expect(tokens.issue(user, 'self')).rejects.toThrow(TokenConflict)
    expect(await alive(first.token.reveal())).toBe('none')
  })

  it('issues no second one beside one that is not valid yet', async () => {
    const user = aUser('anna', { kind: 'never', notBeforeMs: start + day })
    await tokens.issue(user, 'self')
    await expect(tokens.issue(user, 'self')).rejects.toThrow(TokenConflict)
  })

  it('issues a new one where the old one has expired', async () => {
    const user = aUser('anna', { kind: 'lifetime', lifetimeMs: day })
    const first = await tokens.issue(user, 'self')
    rig.clock.at += day
    const second = await tokens.issue(user, 'self')
    expect(await alive(first.token.reveal())).toBe('invalid_token')
    expect(await alive(second.token.reveal())).toBe('none')
  })

  it('refuses to issue what would be dead at once', async () => {
    const dead = aUser('anna', { kind: 'date', atMs: start })
    await expect(tokens.issue(dead, 'self')).rejects.toThrow(TokenRefused)
    expect(await tokens.list()).toEqual([])
  })

  it('rotates: the old token dies, the new one lives', async () => {
    const user = aUser('anna')
    const first = await tokens.issue(user, 'self')
    const second = await tokens.rotate(user, 'self')
    expect(await alive(first.token.reveal())).toBe('invalid_token')
    expect(await alive(second.token.reveal())).toBe('none')
    await expect(tokens.rotate(aUser('ben'), 'self')).rejects.toThrow(TokenRefused)
  })

  it('loses to another process between its look and its write', async () => {
    await tokens.issue(aUser('anna'), 'self')
    const racing = rig.tokens({
      store: {
        changes: rig.real.changes,
        tokens: {
          ...rig.real.tokens,
          async live(name) {
            const seen = await rig.real.tokens.live(name)
            await rig.elsewhere((other) => other.rotate(aUser('anna'), 'self'))
            return seen
          },
        },
      },
    })
    await expect(racing.rotate(aUser('anna'), 'self')).rejects.toThrow(TokenConflict)
    const live = await tokens.list({ live: true })
    expect(live).toHaveLength(1)
    await tokens.revoke({ user: 'anna' }, 'self')
    await expect(tokens.rotate(aUser('anna'), 'self')).rejects.toThrow(TokenRefused)
  })

  it('writes who did it beside each change', async () => {
    const seen: string[] = []
    using _ = rig.real.changes.onChange((changes) => {
      if (changes === 'unknown') return
      for (const { kind, user, by } of changes) seen.push(`${kind} ${user} ${by}`)
    })
    await tokens.issue(aUser('anna'), 'cli:root')
    await tokens.rotate(aUser('anna'), 'operator:alice')
    await tokens.extend(aUser('anna', { kind: 'never' }, 'b'), 'operator:alice')
    await tokens.revoke({ user: 'anna' }, 'gate:one')
    await adopt(aUser('anna'))
    expect(seen).toEqual([
      'token_issued anna cli:root',
      'token_rotated anna operator:alice',
      'token_extended anna operator:alice',
      'token_revoked anna gate:one',
      'token_adopted anna self',
    ])
  })

  it('prepares one for another transaction, and keeps nothing by itself', async () => {
    const { issued, kept } = tokens.prepare(aUser('anna'), undefined)
    expect(await alive(issued.token.reveal())).toBe('invalid_token')
    expect(await tokens.list()).toEqual([])
    await rig.real.tokens.replace(kept, 'self')
    expect(await alive(issued.token.reveal())).toBe('none')
    expect(() => tokens.prepare(aUser('anna', { kind: 'date', atMs: start }), kept.row.id)).toThrow(
      TokenRefused,
    )
  })
})

describe('a longest lifetime', () => {
  const within = aUser('anna', { kind: 'lifetime', lifetimeMs: 30 * day })
  const beyond = aUser('anna', { kind: 'lifetime', lifetimeMs: 31 * day })
  const endless = aUser('anna', { kind: 'idle', idleMs: day })

  it('binds issue, rotate, adopt and prepare alike', async () => {
    tokens = rig.tokens({ maxLifetimeMs: 30 * day })
    for (const user of [beyond, endless]) {
      await expect(tokens.issue(user, 'self')).rejects.toThrow(/max_lifetime/)
      await expect(adopt(user)).rejects.toThrow(/max_lifetime/)
      expect(() => tokens.prepare(user, undefined)).toThrow(/max_lifetime/)
    }
    const { token } = await tokens.issue(within, 'self')
    for (const user of [beyond, endless]) {
      await expect(tokens.rotate(user, 'self')).rejects.toThrow(TokenRefused)
    }
    expect(await alive(token.reveal())).toBe('none')
  })
})

describe('extend', () => {
  it('keeps the issued grant over policy edits until then: same secret, new grant', async () => {
    const { token } = await tokens.issue(aUser('anna'), 'self')
    expect((await tokens.authenticate(token.reveal())).issuedHash).toBe('anna-a')
    await tokens.extend(aUser('anna', { kind: 'never' }, 'b'), 'self')
    const after = await tokens.authenticate(token.reveal())
    expect(after.issuedHash).toBe('anna-b')
    expect(after.issued.rules[0]?.actions).toEqual(['devices:b'])
  })

  it('never moves an end out, only in', async () => {
    const until = (atMs: number): ApiUser => aUser('anna', { kind: 'date', atMs })
    await tokens.issue(until(start + 10 * day), 'self')
    const out = await tokens.extend(until(start + 99 * day), 'self')
    expect(out.expiresAtMs).toBe(start + 10 * day)
    expect((await tokens.extend(until(start + 5 * day), 'self')).expiresAtMs).toBe(start + 5 * day)
    rig.clock.at += 5 * day
    await expect(tokens.extend(until(start + 99 * day), 'self')).rejects.toThrow(TokenRefused)
  })
})

describe('adopt', () => {
  it('takes a token of the cloud as it is, under an id of its own, and keeps only its hash', async () => {
    const user = aUser('anna', { kind: 'lifetime', lifetimeMs: day })
    const adopted = await adopt(user)
    expect(adopted).toMatchObject({ user: 'anna', kind: 'adopted', state: 'valid' })
    const principal = await tokens.authenticate(cloudToken)
    expect(principal).toMatchObject({
      user: 'anna',
      tokenId: adopted.tokenId,
      tokenKind: 'adopted',
      issuedHash: 'anna-a',
    })
    expect(adopted.tokenId).toMatch(/^[0-9A-Za-z]{12}$/)
    expect(inspect(await rig.real.tokens.list(), { depth: 9 })).not.toContain(cloudToken)
    expect(await alive(`${cloudToken}x`)).toBe('invalid_token')
    rig.clock.at += day
    expect(await alive(cloudToken)).toBe('expired_token')
  })

  it('is replaced by the first rotation, revoked and extended as any other', async () => {
    await adopt(aUser('anna'))
    await tokens.extend(aUser('anna', { kind: 'never' }, 'b'), 'self')
    expect(await tokens.authenticate(cloudToken)).toMatchObject({ issuedHash: 'anna-b' })
    const { token } = await tokens.rotate(aUser('anna'), 'self')
    expect(await alive(cloudToken)).toBe('invalid_token')
    expect(await alive(token.reveal())).toBe('none')
    await tokens.revoke({ user: 'anna' }, 'self')
    await adopt(aUser('anna'))
    expect(await alive(cloudToken)).toBe('none')
    await tokens.revoke({ user: 'anna' }, 'self')
    expect(await alive(cloudToken)).toBe('invalid_token')
  })

  it('is a conflict beside a valid token, and where another API user has it', async () => {
    await tokens.issue(aUser('ben'), 'self')
    await expect(adopt(aUser('ben'))).rejects.toThrow(/ben has a valid token already; revoke it/)
    await adopt(aUser('anna'))
    await expect(adopt(aUser('cleo'))).rejects.toThrow(/anna has adopted this token already/)
    await expect(adopt(aUser('anna'))).rejects.toThrow(TokenConflict)
    expect(await tokens.authenticate(cloudToken)).toMatchObject({ user: 'anna' })
  })

  it('may go to another API user once it was revoked', async () => {
    await adopt(aUser('anna'))
    await tokens.revoke({ user: 'anna' }, 'self')
    await adopt(aUser('ben'))
    expect(await tokens.authenticate(cloudToken)).toMatchObject({ user: 'ben' })
  })

  it.each([
    ["T14 one of the gate's own", mintToken('u', randomBytes).token],
    ["T14 an operator's", mintToken('o', randomBytes).token],
    ['one too short to be a secret', 'hunter2-hunter2'],
    ['two lines', `${cloudToken}\n${cloudToken}`],
  ])('T12 refuses %s, and does not repeat it', async (_, plain) => {
    const refused = await whyNot(adopt(aUser('anna'), plain))
    expect(refused).toBeInstanceOf(TokenRefused)
    expect(inspect(refused, { depth: 9 })).not.toContain(plain.slice(0, 12))
    expect(await tokens.list()).toEqual([])
  })

  it('T12 says nothing of a token that two API users would share', async () => {
    await adopt(aUser('anna'))
    const direct = rig.real.tokens.findAdopted
    const racing = rig.tokens({
      store: {
        changes: rig.real.changes,
        // Another operator adopts it between the look and the write: the index is what refuses.
        tokens: { ...rig.real.tokens, findAdopted: () => undefined },
      },
    })
    const refused = await whyNot(racing.adopt(aUser('ben'), new Secret(cloudToken), 'self'))
    expect(refused).toBeInstanceOf(TokenConflict)
    expect(inspect(refused, { depth: 9 })).not.toContain(cloudToken.slice(0, 8))
    expect(await direct(new Uint8Array(32))).toBeUndefined()
  })
})

describe('revoke and list', () => {
  it('lists newest first, of one API user, or only those alive', async () => {
    const first = await tokens.issue(aUser('anna'), 'self')
    rig.clock.at += 1
    const second = await tokens.rotate(aUser('anna'), 'self')
    rig.clock.at += 1
    const ben = await tokens.issue(aUser('ben'), 'self')
    const ids = async (which?: Parameters<Tokens['list']>[0]) =>
      (await tokens.list(which)).map(({ tokenId }) => tokenId)
    expect(await ids()).toEqual([ben.tokenId, second.tokenId, first.tokenId])
    expect(await ids({ user: 'anna' })).toEqual([second.tokenId, first.tokenId])
    expect(await ids({ live: true })).toEqual([ben.tokenId, second.tokenId])
    expect(await ids({ user: 'anna', live: true })).toEqual([second.tokenId])
  })

  it('tells state, and when it runs out unused', async () => {
    const expiry: Expiry = {
      kind: 'lifetime',
      lifetimeMs: 90 * day,
      idleMs: 30 * day,
      notBeforeMs: start + day,
    }
    await tokens.issue(aUser('anna', expiry), 'self')
    const [waiting] = await tokens.list()
    expect(waiting).toMatchObject({ state: 'not_yet_valid', endsAtMs: start + 31 * day })
    rig.clock.at = start + day
    expect((await tokens.list())[0]).toMatchObject({ state: 'valid' })
    rig.clock.at = start + 31 * day
    expect((await tokens.list())[0]).toMatchObject({ state: 'expired', kind: 'minted' })
  })

  it("shows today's end where it is the earlier", async () => {
    const today = aUser('anna', { kind: 'date', atMs: start + 9 * day })
    tokens = rig.tokens({ today: () => today })
    await tokens.issue(aUser('anna', { kind: 'lifetime', lifetimeMs: 90 * day }), 'self')
    expect(await tokens.list()).toMatchObject([{ expiresAtMs: start + 9 * day }])
  })

  it('revokes by name or id, once', async () => {
    const { tokenId } = await tokens.issue(aUser('anna'), 'self')
    await tokens.issue(aUser('ben'), 'self')
    const revoked = await tokens.revoke({ tokenId }, 'self')
    expect(revoked).toMatchObject({ user: 'anna', state: 'revoked', revokedAtMs: start })
    expect(await tokens.revoke({ tokenId }, 'self')).toBeUndefined()
    expect(await tokens.revoke({ user: 'ben' }, 'self')).toMatchObject({ user: 'ben' })
    expect(await tokens.revoke({ user: 'nobody' }, 'self')).toBeUndefined()
  })
})

describe('last uses', () => {
  const lastUse = async (id: string) =>
    (await rig.real.tokens.find(id))?.row.lastUsedAtMs ?? 'never'

  it('are kept for the next try where they could not be written', async () => {
    const { token, tokenId } = await tokens.issue(aUser('anna'), 'self')
    await tokens.authenticate(token.reveal())
    rig.broken = new Error('locked')
    await expect(tokens.flush()).rejects.toThrow('locked')
    rig.broken = undefined
    await tokens.flush()
    expect(await lastUse(tokenId)).toBe(start)
  })

  it('are written by flushes that overlap, each with what was noted before it', async () => {
    const { token, tokenId } = await tokens.issue(aUser('anna'), 'self')
    await tokens.authenticate(token.reveal())
    const first = tokens.flush()
    rig.clock.at += day
    await tokens.authenticate(token.reveal())
    await Promise.all([first, tokens.flush()])
    expect(await lastUse(tokenId)).toBe(start + day)
  })

  it('are written when it is disposed of', async () => {
    const { token, tokenId } = await tokens.issue(aUser('anna'), 'self')
    await tokens.authenticate(token.reveal())
    expect(await lastUse(tokenId)).toBe('never')
    await tokens[Symbol.asyncDispose]()
    expect(await lastUse(tokenId)).toBe(start)
  })

  it('do not empty the memory of this process', async () => {
    const { token } = await tokens.issue(aUser('anna'), 'self')
    await tokens.authenticate(token.reveal())
    await tokens.flush()
    await tokens.authenticate(token.reveal())
    expect(rig.finds).toBe(1)
  })
})
