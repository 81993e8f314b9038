// The second look at a token: right before a request is served, and as long as a stream is open.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { codeOf, startStoreRig, type StoreRig } from '../../kit/store-rig.ts'
import { aUser, day, start } from '../../kit/tokens.ts'
import type { ApiUser, StoredDefinition } from '../../../src/domain/grant.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Tokens } from '../../../src/store/tokens.ts'

let rig: StoreRig
let tokens: Tokens
beforeEach(() => {
  rig = startStoreRig()
  tokens = rig.tokens()
})
afterEach(() => rig[Symbol.asyncDispose]())

const enter = async (user: ApiUser, among = tokens) => {
  const { token } = await among.issue(user, 'self')
  return among.authenticate(token.reveal())
}

const changes: [string, (tokens: Tokens) => Promise<unknown>][] = [
  ['revoked', (other) => other.revoke({ user: 'anna' }, 'self')],
  ['rotated', (other) => other.rotate(aUser('anna'), 'self')],
  ['extended', (other) => other.extend(aUser('anna', { kind: 'never' }, 'b'), 'self')],
  [
    'replaced by one of the cloud',
    async (other) => {
      await other.revoke({ user: 'anna' }, 'self')
      await other.adopt(aUser('anna'), new Secret('c10d'.repeat(10)), 'self')
    },
  ],
]

describe('confirm', () => {
  it('passes when nothing changed, or something else did, without asking the store', async () => {
    const principal = await enter(aUser('anna'))
    rig.finds = 0
    await tokens.confirm(principal)
    await rig.elsewhere((other) => other.issue(aUser('ben'), 'self'))
    await tokens.confirm(principal)
    expect(rig.finds).toBe(0)
  })

  it.each(changes)('T08 refuses what was %s since, by this process', async (_, change) => {
    const principal = await enter(aUser('anna'))
    await change(tokens)
    expect(await codeOf(() => tokens.confirm(principal))).toBe('invalid_token')
  })

  it.each(changes)('T08 refuses what was %s since, by another process', async (_, change) => {
    const principal = await enter(aUser('anna'))
    await rig.elsewhere(change)
    expect(await codeOf(() => tokens.confirm(principal))).toBe('invalid_token')
  })

  it('refuses a stale principal whose token has long left the memory', async () => {
    tokens = rig.tokens({ cacheSize: 2 })
    const anna = await enter(aUser('anna'))
    const zoe = await enter(aUser('zoe'))
    await tokens.revoke({ user: 'anna' }, 'self')
    for (const name of ['ben', 'cleo', 'dora', 'emil']) await enter(aUser(name))
    for (const name of ['ben', 'cleo', 'dora', 'emil']) await tokens.revoke({ user: name }, 'self')
    expect(await codeOf(() => tokens.confirm(anna))).toBe('invalid_token')
    expect(await codeOf(() => tokens.confirm(zoe))).toBe('none')
  })

  it('reads again where it cannot be told what has changed', async () => {
    let tell: (changes: 'unknown') => void = () => undefined
    const blind: Store = {
      ...rig.seen,
      changes: {
        ...rig.seen.changes,
        onChange(listener) {
          tell = listener
          return rig.seen.changes.onChange(() => undefined)
        },
      },
    }
    tokens = rig.tokens({ store: blind })
    const anna = await enter(aUser('anna'))
    const ben = await enter(aUser('ben'))
    await tokens.revoke({ user: 'anna' }, 'self')
    tell('unknown')
    expect(await codeOf(() => tokens.confirm(anna))).toBe('invalid_token')
    expect(await codeOf(() => tokens.confirm(ben))).toBe('none')
  })

  it('refuses a principal that was never let in here', async () => {
    const stranger = await rig.elsewhere((other) => enter(aUser('anna'), other))
    expect(await codeOf(() => tokens.confirm(stranger))).toBe('none')
    await tokens.revoke({ user: 'anna' }, 'self')
    expect(await codeOf(() => tokens.confirm({ ...stranger }))).toBe('invalid_token')
  })

  it('refuses everybody while the memory may not be believed', async () => {
    let stale = false
    const fenced: Store = {
      ...rig.seen,
      changes: {
        ...rig.seen.changes,
        assertFresh() {
          if (stale) throw new Problem('store_unavailable')
        },
      },
    }
    tokens = rig.tokens({ store: fenced })
    const { token } = await tokens.issue(aUser('anna'), 'self')
    const principal = await tokens.authenticate(token.reveal())
    stale = true
    const calls = [
      () => tokens.authenticate(token.reveal()),
      () => tokens.confirm(principal),
      () => tokens.recheck(principal),
    ]
    for (const call of calls) expect(await codeOf(call)).toBe('store_unavailable')
    stale = false
    for (const call of calls) expect(await codeOf(call)).toBe('none')
  })
})

describe('an API user of the store', () => {
  const definition = (words: string, more = '') => ({
    name: 'anna',
    definition: `{"description":"${words}"${more}}`,
    place: { products: ['12345'], organization: undefined },
    description: words,
    atMs: start,
  })
  /** As the policy engine would: `grant` and `observe` in the definition count, its words do not. */
  const today = (user: string, stored: StoredDefinition | undefined): ApiUser | undefined => {
    if (stored === undefined) return undefined
    const version = stored.definition.includes('wide') ? 'b' : 'a'
    const observed = stored.definition.includes('observe')
    return {
      ...aUser(user, { kind: 'never' }, version),
      ...(observed && { observeUntilMs: start }),
    }
  }

  const arrive = async (more = '') => {
    tokens = rig.tokens({ today })
    const { issued, kept } = tokens.prepare(aUser('anna'), undefined)
    await rig.real.users.create(definition('first', more), kept, 'self')
    return { plain: issued.token.reveal(), tokenId: issued.tokenId }
  }

  it('brings its definition along, and keeps its request where only words were edited', async () => {
    const { plain } = await arrive()
    const principal = await tokens.authenticate(plain)
    expect(principal.stored).toMatchObject({ version: 1 })
    await rig.real.users.update(definition('second'), 1, undefined, 'self')
    expect(await codeOf(() => tokens.confirm(principal))).toBe('none')
    expect(await codeOf(() => tokens.recheck(principal))).toBe('none')
    expect((await tokens.authenticate(plain)).stored).toMatchObject({ version: 2 })
  })

  it.each([
    ['its rights', ',"x":"wide"', ''],
    ['the end of its observation', '', ',"observe":"2027-01-01"'],
  ])('refuses what was decided before %s changed', async (_, after, before) => {
    const { plain } = await arrive(before)
    const principal = await tokens.authenticate(plain)
    await rig.real.users.update(definition('first', after), 1, undefined, 'self')
    expect(await codeOf(() => tokens.confirm(principal))).toBe('invalid_token')
    expect(await codeOf(() => tokens.authenticate(plain))).toBe('none')
  })

  it('loses its token with an update that replaces it, and when it is deleted or displaced', async () => {
    const first = await arrive()
    const principal = await tokens.authenticate(first.plain)
    const { issued, kept } = tokens.prepare(aUser('anna', { kind: 'never' }, 'b'), first.tokenId)
    await rig.real.users.update(definition('wide'), 1, kept, 'self')
    expect(await codeOf(() => tokens.confirm(principal))).toBe('invalid_token')
    const second = await tokens.authenticate(issued.token.reveal())
    await rig.elsewhere((_, store) => store.users.displace(['anna'], start, 'self'))
    expect(await codeOf(() => tokens.confirm(second))).toBe('invalid_token')
    expect(await codeOf(() => tokens.authenticate(issued.token.reveal()))).toBe('invalid_token')
  })
})

describe('recheck', () => {
  const minute = 60_000

  it.each(changes)('T08 refuses what was %s since, again and again', async (_, change) => {
    const principal = await enter(aUser('anna'))
    await tokens.recheck(principal)
    await rig.elsewhere(change)
    for (const _ of [1, 2]) {
      expect(await codeOf(() => tokens.recheck(principal))).toBe('invalid_token')
    }
  })

  it('refuses at the moment of expiry, and not before', async () => {
    const principal = await enter(aUser('anna', { kind: 'lifetime', lifetimeMs: day }))
    rig.clock.at = start + day - 1
    await tokens.recheck(principal)
    rig.clock.at = start + day
    expect(await codeOf(() => tokens.recheck(principal))).toBe('expired_token')
  })

  it('refuses an API user that is gone today, and obeys a shorter expiry of today', async () => {
    let today: ApiUser | undefined = aUser('anna')
    tokens = rig.tokens({ today: () => today })
    const principal = await enter(aUser('anna'))
    await tokens.recheck(principal)
    today = aUser('anna', { kind: 'date', atMs: start })
    expect(await codeOf(() => tokens.recheck(principal))).toBe('expired_token')
    today = aUser('anna', { kind: 'never', notBeforeMs: start + 1 })
    expect(await codeOf(() => tokens.recheck(principal))).toBe('token_not_yet_valid')
    today = undefined
    expect(await codeOf(() => tokens.recheck(principal))).toBe('invalid_token')
  })

  it('asks the store once after a change of that API user, and not for others', async () => {
    const principal = await enter(aUser('anna'))
    rig.finds = 0
    await rig.elsewhere((other) => other.issue(aUser('ben'), 'self'))
    for (let count = 0; count < 10; count += 1) await tokens.recheck(principal)
    expect(rig.finds).toBe(0)
    await rig.elsewhere((other) => other.extend(aUser('anna'), 'self'))
    for (let count = 0; count < 10; count += 1) await tokens.recheck(principal)
    expect(rig.finds).toBe(1)
  })

  it('T07 counts as a use, noted once a minute', async () => {
    const principal = await enter(aUser('anna', { kind: 'idle', idleMs: 10 * minute }))
    const seen = new Set<number | undefined>()
    for (let past = 0; past <= 30 * minute; past += 1000) {
      rig.clock.at = start + past
      await tokens.recheck(principal)
      if (past % 15_000 === 0) seen.add((await tokens.list())[0]?.lastUsedAtMs)
    }
    expect(seen.size).toBe(31)
    rig.clock.at += 10 * minute
    expect(await codeOf(() => tokens.recheck(principal))).toBe('expired_token')
  })

  it('T07 keeps a token alive whose idle limit is shorter than a minute', async () => {
    const principal = await enter(aUser('anna', { kind: 'idle', idleMs: 3000 }))
    for (let count = 0; count < 100; count += 1) {
      rig.clock.at += 200
      await tokens.recheck(principal)
    }
    rig.clock.at += 3000
    expect(await codeOf(() => tokens.recheck(principal))).toBe('expired_token')
  })

  it('T07 believes another replica that has seen an idle token used, and so does confirm', async () => {
    const { token } = await tokens.issue(aUser('anna', { kind: 'idle', idleMs: 2 * day }), 'self')
    const principal = await tokens.authenticate(token.reveal())
    for (const look of [tokens.recheck, tokens.confirm]) {
      await tokens.flush()
      rig.clock.at += day
      await rig.elsewhere(async (other) => other.authenticate(token.reveal()))
      rig.clock.at += 2 * day - 1
      expect(await codeOf(() => look(principal))).toBe('none')
      await tokens.authenticate(token.reveal())
    }
    rig.clock.at += 2 * day
    expect(await codeOf(() => tokens.recheck(principal))).toBe('expired_token')
    expect(await codeOf(() => tokens.confirm(principal))).toBe('expired_token')
  })

  it.each([400 * day, -400 * day])(
    'T07 refuses after a leap of the clock by %i ms',
    async (leap) => {
      const principal = await enter(aUser('anna', { kind: 'idle', idleMs: day }))
      rig.clock.at = start + leap
      expect(await codeOf(() => tokens.recheck(principal))).toBe('expired_token')
    },
  )
})

describe('a store over the network', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is asked once by a thousand streams of one principal', async () => {
    const principal = await enter(aUser('anna'))
    await tokens.extend(aUser('anna'), 'self')
    rig.network = async () => undefined
    rig.finds = 0
    await Promise.all(Array.from({ length: 1000 }, async () => tokens.recheck(principal)))
    expect(rig.finds).toBe(1)
  })

  it('is asked again about what was changed while it answered', async () => {
    const principal = await enter(aUser('anna'))
    await tokens.extend(aUser('anna'), 'self')
    const { promise, resolve } = Promise.withResolvers<void>()
    rig.network = () => promise
    const confirmed = codeOf(() => tokens.confirm(principal))
    const joined = codeOf(() => tokens.recheck(principal))
    await tokens.revoke({ user: 'anna' }, 'self')
    resolve()
    expect([await confirmed, await joined]).toEqual(['invalid_token', 'invalid_token'])
  })

  it('lets nobody in on an answer that was out of date when it came', async () => {
    const { token } = await tokens.issue(aUser('anna'), 'self')
    const { promise, resolve } = Promise.withResolvers<void>()
    rig.network = () => promise
    const entering = Promise.resolve(tokens.authenticate(token.reveal()))
    await tokens.revoke({ user: 'anna' }, 'self')
    resolve()
    const principal = await entering
    expect(await codeOf(() => tokens.confirm(principal))).toBe('invalid_token')
    expect(await codeOf(() => tokens.authenticate(token.reveal()))).toBe('invalid_token')
  })

  it('that does not answer within a second refuses, and does not wait for it', async () => {
    const principal = await enter(aUser('anna'))
    const { token } = await tokens.rotate(aUser('anna'), 'self')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    rig.network = () => new Promise(() => undefined)
    const codes = [
      codeOf(() => tokens.authenticate(token.reveal())),
      codeOf(() => tokens.confirm(principal)),
      codeOf(() => tokens.recheck(principal)),
    ]
    await vi.advanceTimersByTimeAsync(999)
    const early = await Promise.race([...codes, Promise.resolve('waiting')])
    await vi.advanceTimersByTimeAsync(1)
    expect([early, ...(await Promise.all(codes))]).toEqual([
      'waiting',
      'store_unavailable',
      'store_unavailable',
      'store_unavailable',
    ])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('A13 that fails later refuses as one that fails at once', async () => {
    const principal = await enter(aUser('anna'))
    await tokens.extend(aUser('anna'), 'self')
    rig.network = () => Promise.reject(new Error('connection terminated'))
    expect(await codeOf(() => tokens.confirm(principal))).toBe('store_unavailable')
    rig.network = undefined
    expect(await codeOf(() => tokens.confirm(principal))).toBe('none')
  })
})
