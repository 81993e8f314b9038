/** What the life of tokens is held to on every store: many at once, and two gates on one database. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/lib/secret.ts'
import { TokenConflict } from '../../src/store/token-store.ts'
import { codeOf } from '../kit/store-rig.ts'
import { aUser, start, tokensOn, withWrongChecksum } from '../kit/tokens.ts'
import type { Principal } from '../../src/domain/principal.ts'
import type { Store } from '../../src/store/store.ts'
import type { NewUser } from '../../src/store/user-store.ts'
import { DeadToken, type IssuedToken, type Tokens } from '../../src/store/tokens.ts'

export type Place = AsyncDisposable & { open: () => Promise<Store> }

type Gate = { store: Store; tokens: Tokens }

const anna = aUser('anna')
const cloudToken = 'c10d'.repeat(10)

/** `anna` where she lives in the store. */
const stored: NewUser = {
  ...{ name: 'anna', definition: '{}', description: '', atMs: start },
  place: { products: [], organization: undefined },
}

const many = <T>(count: number, make: (n: number) => T) =>
  Array.from({ length: count }, (_, n) => make(n))

function reasons(settled: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
}

function issued(settled: readonly PromiseSettledResult<IssuedToken>[]): string[] {
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value.token.reveal()] : []))
}

export function tokenLifeContract(name: string, openPlace: () => Promise<Place>): void {
  describe(`the life of tokens on ${name}`, () => {
    let stack: AsyncDisposableStack
    let store: Store
    let tokens: Tokens
    /** Another gate on the same database. */
    let other: Gate
    beforeEach(async () => {
      stack = new AsyncDisposableStack()
      const place = stack.use(await openPlace())
      const [one, two] = [stack.use(await place.open()), stack.use(await place.open())]
      store = one
      tokens = stack.use(tokensOn(one))
      other = { store: two, tokens: stack.use(tokensOn(two)) }
    })
    afterEach(() => stack.disposeAsync())

    const use = (plain: string) => codeOf(() => tokens.authenticate(plain))
    const alive = async (plain: readonly string[]) => {
      const codes = await Promise.all(plain.map(use))
      return codes.filter((code) => code === 'none').length
    }

    it('is asked once, and answers at once from then on', async () => {
      const plain = (await tokens.issue(anna, 'self')).token.reveal()
      const principal = await tokens.authenticate(plain)
      expect(tokens.authenticate(plain)).toBe(principal)
      expect(tokens.confirm(principal)).toBeUndefined()
      expect(await use(withWrongChecksum(plain))).toBe('invalid_token')
    })

    it('20 parallel rotations leave exactly one valid token, and every loser gets a conflict', async () => {
      await tokens.issue(anna, 'self')
      const settled = await Promise.allSettled(many(20, () => tokens.rotate(anna, 'self')))
      expect(reasons(settled).every((error) => error instanceof TokenConflict)).toBe(true)
      expect(await alive(issued(settled))).toBe(1)
      expect(await tokens.list({ live: true })).toHaveLength(1)
    })

    it('20 parallel rotations by two gates do the same', async () => {
      await tokens.issue(anna, 'self')
      const settled = await Promise.allSettled(
        many(20, (n) => (n % 2 === 0 ? tokens : other.tokens).rotate(anna, 'self')),
      )
      expect(reasons(settled).every((error) => error instanceof TokenConflict)).toBe(true)
      await store.changes.refresh()
      expect(await alive(issued(settled))).toBe(1)
    })

    it('issue and adopt at once: one of them is the token, the other is told', async () => {
      const settled = await Promise.allSettled([
        tokens.issue(anna, 'self'),
        other.tokens.adopt(anna, new Secret(cloudToken), 'self'),
      ])
      expect(reasons(settled)).toEqual([expect.any(TokenConflict)])
      expect(await tokens.list({ live: true })).toHaveLength(1)
    })

    it('two API users adopt one token of the cloud: exactly one has it', async () => {
      const adopted = new Secret(cloudToken)
      const settled = await Promise.allSettled(
        many(4, (n) => (n < 2 ? tokens : other.tokens).adopt(aUser(`user-${n}`), adopted, 'self')),
      )
      expect(reasons(settled)).toEqual(many(3, () => expect.any(TokenConflict)))
      await store.changes.refresh()
      expect(await use(cloudToken)).toBe('none')
    })

    it("a token of the cloud that was nobody's is let in once another gate has adopted it", async () => {
      expect(await use(cloudToken)).toBe('invalid_token')
      await other.tokens.adopt(anna, new Secret(cloudToken), 'self')
      await store.changes.refresh()
      expect(await use(cloudToken)).toBe('none')
      await other.tokens.rotate(anna, 'self')
      await store.changes.refresh()
      expect(await use(cloudToken)).toBe('invalid_token')
    })

    it.each([
      ['revoked', ({ tokens: by }: Gate) => by.revoke({ user: 'anna' }, 'self')],
      ['replaced by a rotation', ({ tokens: by }: Gate) => by.rotate(anna, 'self')],
      ['deleted with its API user', (by: Gate) => by.store.users.delete('anna', 1, start, 'self')],
      ['displaced with it', (by: Gate) => by.store.users.displace(['anna'], start, 'self')],
    ] satisfies [string, (by: Gate) => Promise<unknown>][])(
      'a token of the cloud that was %s is known as dead at every gate, until it is adopted anew',
      async (_, end) => {
        const refusal = async (at: Tokens) => {
          await Promise.all([store.changes.refresh(), other.store.changes.refresh()])
          return Promise.resolve()
            .then(() => at.authenticate(cloudToken))
            .then(
              () => 'served',
              (thrown: unknown) => (thrown instanceof DeadToken ? 'dead' : 'unknown'),
            )
        }
        await store.users.create(stored, undefined, 'self')
        expect([await refusal(tokens), await refusal(other.tokens)]).toEqual(['unknown', 'unknown'])
        await tokens.adopt(anna, new Secret(cloudToken), 'self')
        expect([await refusal(tokens), await refusal(other.tokens)]).toEqual(['served', 'served'])
        await end(other)
        expect([await refusal(tokens), await refusal(other.tokens)]).toEqual(['dead', 'dead'])
        // Also a gate that has never seen it alive.
        expect(await refusal(stack.use(tokensOn(store)))).toBe('dead')
        await tokens.adopt(aUser('ben'), new Secret(cloudToken), 'self')
        expect([await refusal(tokens), await refusal(other.tokens)]).toEqual(['served', 'served'])
      },
    )

    it('rotate against revoke: at the end at most the rotated one is alive', async () => {
      for (const order of ['rotate first', 'revoke first']) {
        await tokens.revoke({ user: 'anna' }, 'self')
        const first = await tokens.issue(anna, 'self')
        const rotate = () => Promise.allSettled([tokens.rotate(anna, 'self')])
        const revoke = () => other.tokens.revoke({ user: 'anna' }, 'self')
        const [one, two] = order === 'rotate first' ? [rotate, revoke] : [revoke, rotate]
        await Promise.all([one(), two()])
        await store.changes.refresh()
        expect(await use(first.token.reveal())).toBe('invalid_token')
        expect((await tokens.list({ live: true })).length).toBeLessThan(2)
      }
    })

    it.each([
      ['rotate', (by: Tokens) => by.rotate(anna, 'self')],
      ['revoke', (by: Tokens) => by.revoke({ user: 'anna' }, 'self')],
    ] satisfies [string, (by: Tokens) => Promise<unknown>][])(
      'T08 %s against requests: none is confirmed after the change has come in',
      async (_, change) => {
        for (const gate of ['this', 'the other']) {
          await tokens.revoke({ user: 'anna' }, 'self')
          const plain = (await tokens.issue(anna, 'self')).token.reveal()
          const before = await tokens.authenticate(plain)
          const changed = new AbortController()
          const changing = change(gate === 'this' ? tokens : other.tokens)
          const [entered] = await Promise.all([
            enterUntil(changed.signal, plain),
            changing.finally(() => changed.abort()),
          ])
          if (gate !== 'this') await store.changes.refresh()
          for (const principal of new Set([before, ...entered])) {
            expect(await codeOf(() => tokens.confirm(principal))).toBe('invalid_token')
            expect(await codeOf(() => tokens.recheck(principal))).toBe('invalid_token')
          }
          expect(await use(plain)).toBe('invalid_token')
        }
      },
    )

    async function enterUntil(stop: AbortSignal, plain: string): Promise<Principal[]> {
      const entered: Principal[] = []
      do {
        const found = await Promise.resolve()
          .then(() => tokens.authenticate(plain))
          .catch(() => undefined)
        if (found !== undefined) entered.push(found)
        await new Promise<void>((resolve) => setImmediate(resolve))
      } while (!stop.aborted)
      return entered
    }

    it('a suspension by the other gate is heard of at confirm', async () => {
      const plain = (await tokens.issue(anna, 'self')).token.reveal()
      const principal = await tokens.authenticate(plain)
      await other.store.users.suspend('anna', 'lost', start, 'self')
      await store.changes.refresh()
      expect(await codeOf(() => tokens.confirm(principal))).toBe('suspended')
      expect(await use(plain)).toBe('suspended')
      await other.store.users.resume('anna', start, 'self')
      await store.changes.refresh()
      expect(await codeOf(() => tokens.confirm(principal))).toBe('none')
      expect(await use(plain)).toBe('none')
    })
  })
}
