import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { mintToken } from '../../../src/store/token-format.ts'
import { TokenConflict } from '../../../src/store/token-store.ts'
import { TokenRefused } from '../../../src/store/tokens.ts'
import { SettableClock, aUser, day, start, temporaryFolder, tokensOn } from '../../kit/tokens.ts'
import type { ApiUser, Expiry } from '../../../src/domain/grant.ts'
import type { TokenStore } from '../../../src/store/token-store.ts'
import type { Tokens } from '../../../src/store/tokens.ts'

let folder: string
let path: string
let real: TokenStore
let finds: number
let broken: Error | undefined
let clock: SettableClock
let tokens: Tokens

/** The real store, counted, and failing when told to. */
function watched(store: TokenStore): TokenStore {
  return {
    ...store,
    [Symbol.dispose]: () => undefined,
    epoch() {
      if (broken !== undefined) throw broken
      return store.epoch()
    },
    find(id) {
      finds++
      return store.find(id)
    },
    touch(used) {
      if (broken !== undefined) throw broken
      store.touch(used)
    },
  }
}

beforeEach(() => {
  folder = temporaryFolder()
  path = join(folder, 'store.db')
  real = openSqliteStore({ path })
  finds = 0
  broken = undefined
  clock = new SettableClock()
  tokens = tokensOn(watched(real), { clock })
})
afterEach(() => {
  broken = undefined
  tokens[Symbol.dispose]()
  real[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

function codeOf(call: () => unknown): string {
  try {
    call()
    return 'none'
  } catch (error) {
    return error instanceof Problem ? error.code : `not a problem: ${String(error)}`
  }
}

/** The same life as a command line on the same file would lead it. */
function elsewhere<T>(work: (tokens: Tokens) => T): T {
  using store = openSqliteStore({ path })
  using other = tokensOn(store, { clock })
  return work(other)
}

describe('issue, rotate, extend', () => {
  it('issues a token that authenticates as its API user, with the grant it was issued under', () => {
    const user = aUser('anna')
    const issued = tokens.issue(user)
    expect(tokens.authenticate(issued.token.reveal())).toEqual({
      user: 'anna',
      tokenId: issued.tokenId,
      issued: user.grant,
      issuedHash: 'anna-a',
      expiresAtMs: undefined,
      epoch: real.epoch(),
    })
  })

  it('T12 shows the plain token to nobody who prints, and keeps only its hash', () => {
    const issued = tokens.issue(aUser('anna'))
    const plain = issued.token.reveal()
    for (const print of [
      JSON.stringify(issued),
      inspect(issued, { depth: 9 }),
      JSON.stringify(tokens.list()),
      inspect(real.list()),
    ]) {
      expect(print).not.toContain(plain.slice(18, 50))
    }
    expect(real.find(issued.tokenId)?.hash).toHaveLength(32)
  })

  it('issues no second token beside a valid one', () => {
    const user = aUser('anna')
    const first = tokens.issue(user)
    expect(() => tokens.issue(user)).toThrow(TokenConflict)
    expect(codeOf(() => tokens.authenticate(first.token.reveal()))).toBe('none')
  })

  it('issues a new one where the old one has expired', () => {
    const user = aUser('anna', { kind: 'lifetime', lifetimeMs: day })
    const first = tokens.issue(user)
    clock.at += day
    const second = tokens.issue(user)
    expect(codeOf(() => tokens.authenticate(first.token.reveal()))).toBe('invalid_token')
    expect(codeOf(() => tokens.authenticate(second.token.reveal()))).toBe('none')
  })

  it('refuses to issue what would be dead at once', () => {
    expect(() => tokens.issue(aUser('anna', { kind: 'date', atMs: start }))).toThrow(TokenRefused)
    expect(tokens.list()).toEqual([])
  })

  it('rotates: the old token dies, the new one lives', () => {
    const user = aUser('anna')
    const first = tokens.issue(user)
    const second = tokens.rotate(user)
    expect(codeOf(() => tokens.authenticate(first.token.reveal()))).toBe('invalid_token')
    expect(codeOf(() => tokens.authenticate(second.token.reveal()))).toBe('none')
    expect(() => tokens.rotate(aUser('ben'))).toThrow(TokenRefused)
  })

  it('loses a race with TokenConflict', () => {
    const user = aUser('anna')
    tokens.issue(user)
    // Another process rotates between this one's look and its write.
    const racing = tokensOn({
      ...real,
      live: (name) => {
        const seen = real.live(name)
        elsewhere((other) => other.rotate(user))
        return seen
      },
    })
    expect(() => racing.rotate(user)).toThrow(TokenConflict)
    racing[Symbol.dispose]()
    expect(real.list().filter((row) => row.revokedAtMs === undefined)).toHaveLength(1)
  })

  it('keeps the issued grant over policy edits until it is extended: same secret, new grant', () => {
    const { token } = tokens.issue(aUser('anna'))
    expect(tokens.authenticate(token.reveal()).issuedHash).toBe('anna-a')
    tokens.extend(aUser('anna', { kind: 'never' }, 'b'))
    const after = tokens.authenticate(token.reveal())
    expect(after.issuedHash).toBe('anna-b')
    expect(after.issued.rules[0]?.actions).toEqual(['devices:b'])
    expect(real.grant('anna-a')).toBeUndefined()
  })

  it('never moves an end out by extending, only in', () => {
    const until = (atMs: number): ApiUser => aUser('anna', { kind: 'date', atMs })
    tokens.issue(until(start + 10 * day))
    expect(tokens.extend(until(start + 99 * day)).expiresAtMs).toBe(start + 10 * day)
    expect(tokens.extend(until(start + 5 * day)).expiresAtMs).toBe(start + 5 * day)
    clock.at += 5 * day
    expect(() => tokens.extend(until(start + 99 * day))).toThrow(TokenRefused)
  })
})

describe('authenticate', () => {
  it('calls nothing missing, and nonsense invalid without touching the store', () => {
    for (const nothing of [undefined, ''])
      expect(codeOf(() => tokens.authenticate(nothing))).toBe('missing_token')
    broken = new Error('must not be asked')
    const good = mintToken('u', randomBytes).token
    const nonsense = [
      'x',
      'f'.repeat(8_192),
      good.replace(/.$/, '!'),
      `${good}x`,
      good.replace(/_.{6}$/, '_000000'),
    ]
    for (const text of nonsense)
      expect(codeOf(() => tokens.authenticate(text))).toBe('invalid_token')
    expect(finds).toBe(0)
  })

  it('T14 refuses an operator token', () => {
    expect(codeOf(() => tokens.authenticate(mintToken('o', randomBytes).token))).toBe(
      'invalid_token',
    )
    expect(finds).toBe(0)
  })

  it('refuses unknown ids and wrong secrets of known ids alike', () => {
    const { token, tokenId } = tokens.issue(aUser('anna'))
    expect(codeOf(() => tokens.authenticate(mintToken('u', randomBytes).token))).toBe(
      'invalid_token',
    )
    expect(codeOf(() => tokens.authenticate(withId(tokenId)))).toBe('invalid_token')
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('none')
  })

  it('reads the store once for many requests, and again after any change', () => {
    const { token } = tokens.issue(aUser('anna'))
    for (let n = 0; n < 10; n++) tokens.authenticate(token.reveal())
    expect(finds).toBe(1)
    tokens.issue(aUser('ben'))
    for (let n = 0; n < 10; n++) tokens.authenticate(token.reveal())
    expect(finds).toBe(2)
  })

  it('T11 does a look-up and a compare for unknown, wrong and revoked alike, cached or not', () => {
    const { token, tokenId } = tokens.issue(aUser('anna'))
    const gone = tokens.issue(aUser('ben'))
    tokens.revoke({ user: 'ben' })
    tokens.authenticate(token.reveal())
    for (const refused of [
      mintToken('u', randomBytes).token,
      withId(tokenId),
      gone.token.reveal(),
    ]) {
      finds = 0
      expect(codeOf(() => tokens.authenticate(refused))).toBe('invalid_token')
      expect(finds).toBe(1)
    }
  })

  it('T08 refuses on the next request what this process or another one revoked', () => {
    const { token, tokenId } = tokens.issue(aUser('anna'))
    const ben = tokens.issue(aUser('ben'))
    tokens.authenticate(token.reveal())
    elsewhere((other) =>
      expect(other.revoke({ tokenId })).toMatchObject({ user: 'anna', state: 'revoked' }),
    )
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('invalid_token')
    tokens.authenticate(ben.token.reveal())
    tokens.revoke({ user: 'ben' })
    expect(codeOf(() => tokens.authenticate(ben.token.reveal()))).toBe('invalid_token')
    expect(tokens.revoke({ user: 'ben' })).toBeUndefined()
  })

  it('T07 tells only the holder of the right secret that a token has expired', () => {
    const { token, tokenId } = tokens.issue(aUser('anna', { kind: 'date', atMs: start + day }))
    clock.at = start + day - 1
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('none')
    clock.at = start + day
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('expired_token')
    expect(codeOf(() => tokens.authenticate(withId(tokenId)))).toBe('invalid_token')
    expect(tokens.list()).toMatchObject([{ tokenId, state: 'expired' }])
  })

  it('counts idle time from uses that are not written yet', () => {
    const { token, tokenId } = tokens.issue(aUser('anna', { kind: 'idle', idleMs: 2 * day }))
    for (let n = 0; n < 5; n++) {
      clock.at += day
      tokens.authenticate(token.reveal())
    }
    expect(real.find(tokenId)?.lastUsedAtMs).toBeUndefined()
    expect(tokens.list()).toMatchObject([{ state: 'valid', lastUsedAtMs: start + 5 * day }])
    tokens.flush()
    expect(real.find(tokenId)?.lastUsedAtMs).toBe(start + 5 * day)
    clock.at += 2 * day
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('expired_token')
  })

  it('does not count refused tries as uses', () => {
    const { tokenId } = tokens.issue(aUser('anna', { kind: 'idle', idleMs: day }))
    clock.at += day - 1
    expect(codeOf(() => tokens.authenticate(withId(tokenId)))).toBe('invalid_token')
    clock.at += 1
    expect(tokens.list()).toMatchObject([{ state: 'expired', lastUsedAtMs: undefined }])
  })

  it("T13 lets today's policy shorten a token's life, and take it away", () => {
    const today = new Map<string, Expiry>([['anna', { kind: 'never' }]])
    tokens[Symbol.dispose]()
    tokens = tokensOn(real, { clock, currentExpiry: (user) => today.get(user) })
    const { token } = tokens.issue(aUser('anna'))
    clock.at += day
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('none')
    today.set('anna', { kind: 'lifetime', lifetimeMs: day })
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('expired_token')
    today.delete('anna')
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('invalid_token')
  })

  it('A13 denies while the store cannot be read, also what is in the cache', () => {
    const { token } = tokens.issue(aUser('anna'))
    const principal = tokens.authenticate(token.reveal())
    broken = new Error('disk I/O error')
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('store_unavailable')
    expect(codeOf(() => tokens.confirm(principal))).toBe('store_unavailable')
    broken = undefined
    expect(codeOf(() => tokens.authenticate(token.reveal()))).toBe('none')
  })
})

describe('confirm', () => {
  it('passes when nothing changed, or something else did', () => {
    const { token } = tokens.issue(aUser('anna'))
    const principal = tokens.authenticate(token.reveal())
    tokens.confirm(principal)
    elsewhere((other) => other.issue(aUser('ben')))
    tokens.confirm(principal)
  })

  it.each([
    ['revoked', (other: Tokens) => other.revoke({ user: 'anna' })],
    ['rotated', (other: Tokens) => other.rotate(aUser('anna'))],
    ['extended', (other: Tokens) => other.extend(aUser('anna', { kind: 'never' }, 'b'))],
  ])('refuses what was %s since, by another process or this one', (_, change) => {
    for (const where of [elsewhere<unknown>, (work: (other: Tokens) => unknown) => work(tokens)]) {
      tokens.revoke({ user: 'anna' })
      const { token } = tokens.issue(aUser('anna'))
      const principal = tokens.authenticate(token.reveal())
      where(change)
      expect(codeOf(() => tokens.confirm(principal))).toBe('invalid_token')
    }
  })
})

describe('recheck', () => {
  const minute = 60_000

  it.each([
    ['revoked', (other: Tokens) => other.revoke({ user: 'anna' })],
    ['rotated', (other: Tokens) => other.rotate(aUser('anna'))],
    ['extended', (other: Tokens) => other.extend(aUser('anna', { kind: 'never' }, 'b'))],
  ])('refuses what was %s since, again and again', (_, change) => {
    const { token } = tokens.issue(aUser('anna'))
    const principal = tokens.authenticate(token.reveal())
    tokens.recheck(principal)
    elsewhere<unknown>(change)
    for (const _ of [1, 2]) expect(codeOf(() => tokens.recheck(principal))).toBe('invalid_token')
  })

  it('refuses at the moment of expiry, and not before', () => {
    const { token } = tokens.issue(aUser('anna', { kind: 'lifetime', lifetimeMs: day }))
    const principal = tokens.authenticate(token.reveal())
    clock.at = start + day - 1
    tokens.recheck(principal)
    clock.at = start + day
    expect(codeOf(() => tokens.recheck(principal))).toBe('expired_token')
  })

  it('refuses an API user that is gone today, and obeys a shorter expiry of today', () => {
    let today: Expiry | undefined = { kind: 'never' }
    using other = tokensOn(watched(real), { clock, currentExpiry: () => today })
    const { token } = other.issue(aUser('anna'))
    const principal = other.authenticate(token.reveal())
    other.recheck(principal)
    today = { kind: 'date', atMs: start }
    expect(codeOf(() => other.recheck(principal))).toBe('expired_token')
    today = undefined
    expect(codeOf(() => other.recheck(principal))).toBe('invalid_token')
  })

  it('refuses where the store cannot be read', () => {
    const { token } = tokens.issue(aUser('anna'))
    const principal = tokens.authenticate(token.reveal())
    broken = new Error('locked')
    expect(codeOf(() => tokens.recheck(principal))).toBe('store_unavailable')
  })

  it('asks the store once for each change of any token', () => {
    const { token } = tokens.issue(aUser('anna'))
    const principal = tokens.authenticate(token.reveal())
    elsewhere((other) => other.issue(aUser('ben')))
    const before = finds
    for (let count = 0; count < 10; count += 1) tokens.recheck(principal)
    expect(finds - before).toBe(1)
  })

  it('T07 counts as a use, noted once a minute', () => {
    const { token, tokenId } = tokens.issue(aUser('anna', { kind: 'idle', idleMs: 10 * minute }))
    const principal = tokens.authenticate(token.reveal())
    const seen = new Set<number | undefined>()
    for (let past = 0; past <= 30 * minute; past += 1000) {
      clock.at = start + past
      tokens.recheck(principal)
      seen.add(tokens.list().find((info) => info.tokenId === tokenId)?.lastUsedAtMs)
    }
    expect(seen.size).toBe(31)
    clock.at += 10 * minute
    expect(codeOf(() => tokens.recheck(principal))).toBe('expired_token')
  })

  it('T07 keeps a token alive whose idle limit is shorter than a minute', () => {
    const { token } = tokens.issue(aUser('anna', { kind: 'idle', idleMs: 3000 }))
    const principal = tokens.authenticate(token.reveal())
    for (let count = 0; count < 100; count += 1) {
      clock.at += 200
      tokens.recheck(principal)
    }
    clock.at += 3000
    expect(codeOf(() => tokens.recheck(principal))).toBe('expired_token')
  })

  it('T07 refuses after a leap of the clock in either direction', () => {
    for (const leap of [400 * day, -400 * day]) {
      clock.at = start
      tokens.revoke({ user: 'anna' })
      const { token } = tokens.issue(aUser('anna', { kind: 'idle', idleMs: day }))
      const principal = tokens.authenticate(token.reveal())
      clock.at = start + leap
      expect(codeOf(() => tokens.recheck(principal))).toBe('expired_token')
    }
  })
})

describe('revokeMissing and flush', () => {
  it('revokes exactly the tokens of API users that are gone', () => {
    for (const name of ['anna', 'ben', 'cleo']) tokens.issue(aUser(name))
    expect(
      tokens
        .revokeMissing(new Set(['ben']))
        .map(({ user }) => user)
        .toSorted(),
    ).toEqual(['anna', 'cleo'])
    expect(tokens.revokeMissing(new Set(['ben']))).toEqual([])
    expect(tokens.list().filter(({ state }) => state === 'valid')).toMatchObject([{ user: 'ben' }])
  })

  it('keeps uses that could not be written for the next try', () => {
    const { token, tokenId } = tokens.issue(aUser('anna'))
    tokens.authenticate(token.reveal())
    broken = new Error('locked')
    expect(() => tokens.flush()).toThrow('locked')
    broken = undefined
    tokens.flush()
    expect(real.find(tokenId)?.lastUsedAtMs).toBe(start)
  })

  it('writes the last uses when it is disposed of', () => {
    const { token, tokenId } = tokens.issue(aUser('anna'))
    tokens.authenticate(token.reveal())
    tokens[Symbol.dispose]()
    expect(real.find(tokenId)?.lastUsedAtMs).toBe(start)
  })

  it('flushing does not empty the cache of this process', () => {
    const { token } = tokens.issue(aUser('anna'))
    tokens.authenticate(token.reveal())
    tokens.flush()
    tokens.authenticate(token.reveal())
    expect(finds).toBe(1)
  })
})

/** A well-formed token with a known public id and a secret of our own. */
function withId(id: string): string {
  let left = id
  const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  return mintToken('u', (count) =>
    Uint8Array.from({ length: count }, () => {
      const [letter = 'a'] = left
      left = left.slice(1)
      return letters.indexOf(letter)
    }),
  ).token
}
