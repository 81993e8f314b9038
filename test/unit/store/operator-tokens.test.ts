import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OperatorConflict } from '../../../src/store/operator-store.ts'
import { createOperatorTokens, type OperatorTokens } from '../../../src/store/operator-tokens.ts'
import { mintToken } from '../../../src/store/token-format.ts'
import { TokenRefused } from '../../../src/store/tokens.ts'
import { codeOf, startStoreRig, type StoreRig } from '../../kit/store-rig.ts'
import { aUser, day, start } from '../../kit/tokens.ts'

let rig: StoreRig
let operators: OperatorTokens
beforeEach(() => {
  rig = startStoreRig()
  operators = createOperatorTokens({ store: rig.real, clock: rig.clock, random: randomBytes })
})
afterEach(() => rig[Symbol.asyncDispose]())

const use = (plain: string | undefined) => codeOf(() => operators.authenticate(plain))
const alice = { name: 'alice', role: 'editor', product: '12345', via: 'token' } as const

describe('operators’ tokens', () => {
  it('are recognised as their operator, with role and product', async () => {
    const { token, row } = await operators.create(alice, 'cli:root')
    expect(token.reveal()).toMatch(/^fg_o_/)
    expect(await operators.authenticate(token.reveal())).toMatchObject({
      id: row.id,
      name: 'alice',
      role: 'editor',
      product: '12345',
      via: 'token',
      createdBy: 'cli:root',
      createdAtMs: start,
    })
  })

  it('T12 are shown once and kept as a hash', async () => {
    const created = await operators.create(alice, 'self')
    const secret = created.token.reveal().slice(18, 50)
    const prints = [inspect(created, { depth: 9 }), inspect(await operators.list(), { depth: 9 })]
    for (const print of prints) expect(print).not.toContain(secret)
  })

  it('are refused where nothing, nonsense, an unknown one or a wrong secret is given', async () => {
    const { token } = await operators.create(alice, 'self')
    const plain = token.reveal()
    for (const nothing of [undefined, '']) expect(await use(nothing)).toBe('missing_token')
    for (const wrong of ['x', `${plain}x`, mintToken('o', randomBytes).token]) {
      expect(await use(wrong)).toBe('invalid_token')
    }
    expect(await use(plain)).toBe('none')
  })

  it("T14 are not taken for an API user's, nor those for theirs, though the ids are the same", async () => {
    const tokens = rig.tokens()
    const { token } = await operators.create(alice, 'self')
    const issued = await tokens.issue(aUser('anna'), 'self')
    expect(await use(issued.token.reveal())).toBe('invalid_token')
    expect(await codeOf(() => tokens.authenticate(token.reveal()))).toBe('invalid_token')
    expect(await use('c10d'.repeat(10))).toBe('invalid_token')
  })

  it('T07 end at their end, and not before', async () => {
    const { token } = await operators.create({ ...alice, expiresAtMs: start + day }, 'self')
    rig.clock.at = start + day - 1
    expect(await use(token.reveal())).toBe('none')
    rig.clock.at = start + day
    expect(await use(token.reveal())).toBe('expired_token')
  })

  it('T08 die at once where they are revoked, here or by another process', async () => {
    const { token, row } = await operators.create(alice, 'self')
    await rig.elsewhere((_, store) => store.operators.revoke(row.id, start, 'self'))
    expect(await use(token.reveal())).toBe('invalid_token')
    expect(await operators.revoke(row.id, 'self')).toBe(false)
    const again = await operators.create(alice, 'self')
    expect(await use(again.token.reveal())).toBe('none')
    expect(await operators.revoke(again.row.id, 'self')).toBe(true)
    expect(await use(again.token.reveal())).toBe('invalid_token')
  })

  it('are one valid one a name, but for sign-ins', async () => {
    const { token } = await operators.create(alice, 'self')
    await expect(operators.create(alice, 'self')).rejects.toThrow(OperatorConflict)
    const signIn = { ...alice, via: 'oidc', expiresAtMs: Date.now() + day } as const
    await operators.create(signIn, 'self')
    await operators.create(signIn, 'self')
    expect(await use(token.reveal())).toBe('none')
    expect(await operators.list()).toHaveLength(3)
  })

  it('are not made where they would be dead, or their name could forge a record', async () => {
    const refused = [
      { ...alice, expiresAtMs: start },
      ...['', ' alice', 'alice\nbob', 'a\u0000', 'x'.repeat(101)].map((name) => ({
        ...alice,
        name,
      })),
    ]
    for (const each of refused) {
      await expect(operators.create(each, 'self')).rejects.toThrow(TokenRefused)
    }
    expect(await operators.list()).toEqual([])
    await operators.create({ ...alice, name: 'Zoë O’Neil'.replace('’', "'") }, 'self')
    await operators.create({ ...alice, name: 'ops+fleet@acme.example' }, 'self')
  })

  it('A13 are refused while the store does not answer', async () => {
    const { token } = await operators.create(alice, 'self')
    const down = createOperatorTokens({
      store: {
        operators: {
          ...rig.real.operators,
          find: () => Promise.reject(new Error('connection terminated')),
        },
      },
      clock: rig.clock,
      random: randomBytes,
    })
    expect(await codeOf(() => down.authenticate(token.reveal()))).toBe('store_unavailable')
  })
})
