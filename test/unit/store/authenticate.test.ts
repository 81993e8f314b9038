import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { mintToken } from '../../../src/store/token-format.ts'
import { codeOf, startStoreRig, type StoreRig } from '../../kit/store-rig.ts'
import { aUser, day, start } from '../../kit/tokens.ts'
import type { ApiUser } from '../../../src/domain/grant.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Tokens } from '../../../src/store/tokens.ts'

const cloudToken = 'c10d'.repeat(10)

let rig: StoreRig
let tokens: Tokens
beforeEach(() => {
  rig = startStoreRig()
  tokens = rig.tokens()
})
afterEach(() => rig[Symbol.asyncDispose]())

const use = (plain: string | undefined) => codeOf(() => tokens.authenticate(plain))
const issue = async (user: ApiUser) => {
  const { token, tokenId } = await tokens.issue(user, 'self')
  return { plain: token.reveal(), tokenId }
}

describe('authenticate', () => {
  it('calls nothing missing, and nonsense invalid without touching the store', async () => {
    const good = mintToken('u', randomBytes).token
    for (const nothing of [undefined, '']) expect(await use(nothing)).toBe('missing_token')
    const nonsense = [
      'x',
      'f'.repeat(8_192),
      good.replace(/.$/, '!'),
      `${good}x`,
      good.replace(/_.{6}$/, '_000000'),
      good.toUpperCase(),
    ]
    for (const text of nonsense) expect(await use(text)).toBe('invalid_token')
    expect(rig.finds).toBe(0)
  })

  it('T14 refuses an operator token', async () => {
    expect(await use(mintToken('o', randomBytes).token)).toBe('invalid_token')
    expect(rig.finds).toBe(0)
  })

  it('refuses unknown ids and wrong secrets of known ids alike', async () => {
    const { plain, tokenId } = await issue(aUser('anna'))
    expect(await use(mintToken('u', randomBytes).token)).toBe('invalid_token')
    expect(await use(withId(tokenId))).toBe('invalid_token')
    expect(await use(plain)).toBe('none')
  })

  it('answers at once, without a turn in between, from memory and from the file', async () => {
    const { plain } = await issue(aUser('anna'))
    for (const _ of ['file', 'memory']) {
      const principal = tokens.authenticate(plain)
      expect(principal).not.toBeInstanceOf(Promise)
      if (principal instanceof Promise) continue
      expect(tokens.confirm(principal)).toBeUndefined()
      expect(tokens.recheck(principal)).toBeUndefined()
    }
  })

  it('reads the store once for many requests, and again after a change of that API user alone', async () => {
    const { plain } = await issue(aUser('anna'))
    for (let n = 0; n < 10; n++) await tokens.authenticate(plain)
    expect(rig.finds).toBe(1)
    await issue(aUser('ben'))
    for (let n = 0; n < 10; n++) await tokens.authenticate(plain)
    expect(rig.finds).toBe(1)
    await tokens.extend(aUser('anna'), 'self')
    for (let n = 0; n < 10; n++) await tokens.authenticate(plain)
    expect(rig.finds).toBe(2)
  })

  it('T11 does a look-up and a compare for unknown, wrong and revoked alike, cached or not', async () => {
    const { plain, tokenId } = await issue(aUser('anna'))
    const gone = await issue(aUser('ben'))
    await tokens.revoke({ user: 'ben' }, 'self')
    await tokens.authenticate(plain)
    for (const refused of [mintToken('u', randomBytes).token, withId(tokenId), gone.plain]) {
      rig.finds = 0
      expect(await use(refused)).toBe('invalid_token')
      expect(rig.finds).toBe(1)
    }
  })

  it('T08 refuses on the next request what this process or another one revoked', async () => {
    const { plain, tokenId } = await issue(aUser('anna'))
    const ben = await issue(aUser('ben'))
    await tokens.authenticate(plain)
    await rig.elsewhere((other) => other.revoke({ tokenId }, 'self'))
    expect(await use(plain)).toBe('invalid_token')
    await tokens.authenticate(ben.plain)
    await tokens.revoke({ user: 'ben' }, 'self')
    expect(await use(ben.plain)).toBe('invalid_token')
  })

  it('T07 tells only the holder of the right secret that a token has expired', async () => {
    const { plain, tokenId } = await issue(aUser('anna', { kind: 'date', atMs: start + day }))
    rig.clock.at = start + day - 1
    expect(await use(plain)).toBe('none')
    rig.clock.at = start + day
    expect(await use(plain)).toBe('expired_token')
    expect(await use(withId(tokenId))).toBe('invalid_token')
    expect(await tokens.list()).toMatchObject([{ tokenId, state: 'expired' }])
  })

  it('T07 tells only the holder of the right secret that a token is not valid yet', async () => {
    const user = aUser('anna', { kind: 'never', notBeforeMs: start + day })
    const { plain, tokenId } = await issue(user)
    rig.clock.at = start + day - 1
    expect(await use(plain)).toBe('token_not_yet_valid')
    expect(await use(withId(tokenId))).toBe('invalid_token')
    rig.clock.at = start + day
    expect(await use(plain)).toBe('none')
  })

  it('counts idle time from uses that are not written yet', async () => {
    const { plain, tokenId } = await issue(aUser('anna', { kind: 'idle', idleMs: 2 * day }))
    const written = async () => (await rig.real.tokens.find(tokenId))?.row.lastUsedAtMs
    for (let n = 0; n < 5; n++) {
      rig.clock.at += day
      await tokens.authenticate(plain)
    }
    expect(await written()).toBeUndefined()
    expect(await tokens.list()).toMatchObject([{ state: 'valid', lastUsedAtMs: start + 5 * day }])
    await tokens.flush()
    expect(await written()).toBe(start + 5 * day)
    rig.clock.at += 2 * day
    expect(await use(plain)).toBe('expired_token')
  })

  it('believes another replica that has seen an idle token used', async () => {
    const { plain } = await issue(aUser('anna', { kind: 'idle', idleMs: 2 * day }))
    await tokens.authenticate(plain)
    rig.clock.at = start + day
    await rig.elsewhere(async (other) => other.authenticate(plain))
    rig.clock.at = start + 3 * day - 1
    expect(await use(plain)).toBe('none')
    rig.clock.at += 2 * day
    expect(await use(plain)).toBe('expired_token')
  })

  it.each([
    ['its own', undefined, aUser('anna', { kind: 'idle', idleMs: 4000 })],
    ["today's", () => aUser('anna', { kind: 'idle', idleMs: 4000 }), aUser('anna')],
  ])('lets other replicas hear of a use within a quarter of %s idle limit', async (...row) => {
    const [, today, user] = row
    const heard: string[] = []
    const store: Store = {
      ...rig.seen,
      tokens: { ...rig.seen.tokens, touch: async (used) => void heard.push(...used.keys()) },
    }
    const more = today === undefined ? {} : { today }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    tokens = rig.tokens({ store, lastUsedFlushMs: 30_000, ...more })
    const { plain, tokenId } = await issue(user)
    await tokens.authenticate(plain)
    await vi.advanceTimersByTimeAsync(999)
    expect(heard).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(heard).toEqual([tokenId])
    vi.useRealTimers()
  })

  it('counts only what is said to be a use', async () => {
    const { plain } = await issue(aUser('anna', { kind: 'idle', idleMs: 2 * day }))
    await tokens.authenticate(plain, () => true)
    rig.clock.at += day
    await tokens.authenticate(plain, () => false)
    expect(await tokens.list()).toMatchObject([{ lastUsedAtMs: start }])
    rig.clock.at += day
    expect(await use(plain)).toBe('expired_token')
  })

  it('does not count refused tries as uses', async () => {
    const { plain, tokenId } = await issue(aUser('anna', { kind: 'idle', idleMs: day }))
    await rig.real.users.suspend('anna', 'lost', start, 'self')
    rig.clock.at += day - 1
    expect(await use(withId(tokenId))).toBe('invalid_token')
    expect(await use(plain)).toBe('suspended')
    rig.clock.at += 1
    expect(await tokens.list()).toMatchObject([{ state: 'expired', lastUsedAtMs: undefined }])
  })

  it("T13 lets today's policy shorten a token's life, and take it away", async () => {
    let today: ApiUser | undefined = aUser('anna')
    tokens = rig.tokens({ today: () => today })
    const { plain } = await issue(aUser('anna'))
    rig.clock.at += day
    expect(await use(plain)).toBe('none')
    today = aUser('anna', { kind: 'lifetime', lifetimeMs: day })
    expect(await use(plain)).toBe('expired_token')
    today = aUser('anna', { kind: 'never', notBeforeMs: start + 2 * day })
    expect(await use(plain)).toBe('token_not_yet_valid')
    today = undefined
    expect(await use(plain)).toBe('invalid_token')
  })

  it('A13 denies while the store cannot be read, also what is in memory', async () => {
    const { plain } = await issue(aUser('anna'))
    const principal = await tokens.authenticate(plain)
    rig.broken = new Error('disk I/O error')
    expect(await use(plain)).toBe('store_unavailable')
    expect(await codeOf(() => tokens.confirm(principal))).toBe('store_unavailable')
    expect(await codeOf(() => tokens.recheck(principal))).toBe('store_unavailable')
    rig.broken = undefined
    expect(await use(plain)).toBe('none')
  })
})

describe('a suspended API user', () => {
  it('is told so where it holds the right secret, until it is resumed', async () => {
    const { plain, tokenId } = await issue(aUser('anna'))
    await tokens.authenticate(plain)
    await rig.elsewhere((_, store) => store.users.suspend('anna', 'lost', start, 'self'))
    expect(await use(plain)).toBe('suspended')
    expect(await use(withId(tokenId))).toBe('invalid_token')
    await rig.elsewhere((_, store) => store.users.resume('anna', start, 'self'))
    expect(await use(plain)).toBe('none')
  })

  it('is refused at confirm and recheck as well', async () => {
    const { plain } = await issue(aUser('anna'))
    const principal = await tokens.authenticate(plain)
    await rig.real.users.suspend('anna', 'lost', start, 'self')
    for (const _ of ['once', 'again']) {
      expect(await codeOf(() => tokens.confirm(principal))).toBe('suspended')
      expect(await codeOf(() => tokens.recheck(principal))).toBe('suspended')
    }
  })

  it('hears of an expired token first', async () => {
    const { plain } = await issue(aUser('anna', { kind: 'lifetime', lifetimeMs: day }))
    await rig.real.users.suspend('anna', 'lost', start, 'self')
    rig.clock.at += day
    expect(await use(plain)).toBe('expired_token')
  })
})

describe('tokens of the cloud', () => {
  const adopt = (name: string) => tokens.adopt(aUser(name), new Secret(cloudToken), 'self')

  it('are looked up once by one query, and then known', async () => {
    await adopt('anna')
    rig.finds = 0
    for (let n = 0; n < 10; n++) expect(await use(cloudToken)).toBe('none')
    expect(rig.finds).toBe(1)
    await tokens.revoke({ user: 'anna' }, 'self')
    expect(await use(cloudToken)).toBe('invalid_token')
  })

  it("that are nobody's are asked for once, until another one is adopted, here or elsewhere", async () => {
    for (let n = 0; n < 10; n++) expect(await use(cloudToken)).toBe('invalid_token')
    expect(rig.finds).toBe(1)
    await issue(aUser('ben'))
    expect(await use(cloudToken)).toBe('invalid_token')
    expect(rig.finds).toBe(1)
    await rig.elsewhere((other) => other.adopt(aUser('anna'), new Secret(cloudToken), 'self'))
    expect(await use(cloudToken)).toBe('none')
  })

  it("are not remembered as nobody's where they are adopted while they are looked for", async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    rig.network = () => promise
    const asked = use(cloudToken)
    rig.network = undefined
    await adopt('anna')
    resolve()
    expect(await asked).toBe('invalid_token')
    expect(await use(cloudToken)).toBe('none')
  })

  it('never pass for a minted one by its public id', async () => {
    const { tokenId } = await adopt('anna')
    expect(await use(withId(tokenId))).toBe('invalid_token')
    expect(await use(tokenId.repeat(2))).toBe('invalid_token')
  })
})

describe('what is thrown', () => {
  it('T12 repeats no token, whole or in part, whatever was wrong with it', async () => {
    const { plain, tokenId } = await issue(aUser('anna', { kind: 'lifetime', lifetimeMs: day }))
    const principal = await tokens.authenticate(plain)
    await tokens.adopt(aUser('ben'), new Secret(cloudToken), 'self')
    const wrong = [withId(tokenId), mintToken('o', randomBytes).token, `${plain}x`, 'd'.repeat(40)]
    const thrown: unknown[] = []
    const collect = (call: () => unknown) =>
      Promise.resolve()
        .then(call)
        .catch((error: unknown) => thrown.push(error))
    for (const each of wrong) await collect(() => tokens.authenticate(each))
    for (const name of ['anna', 'ben']) await rig.real.users.suspend(name, 'lost', start, 'self')
    for (const each of [plain, cloudToken]) await collect(() => tokens.authenticate(each))
    await collect(() => tokens.confirm(principal))
    await collect(() => tokens.adopt(aUser('cleo'), new Secret(cloudToken), 'self'))
    rig.clock.at += day
    await collect(() => tokens.authenticate(plain))
    rig.broken = new Error('disk I/O error')
    for (const each of [plain, cloudToken]) await collect(() => tokens.authenticate(each))
    expect(thrown).toHaveLength(11)
    const said = thrown.map((error) => inspect(error, { depth: 9 })).join('\n')
    for (const secret of [plain, cloudToken, ...wrong]) {
      expect(said).not.toContain(secret)
      expect(said).not.toContain(secret.slice(18, 50))
    }
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
