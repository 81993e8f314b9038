import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ApiUser } from '../../../src/domain/grant.ts'
import { EMPTY_FRAME } from '../../../src/policy/user-frame.ts'
import type { PolicySet } from '../../../src/policy/policy-set.ts'
import { createAccounts, MassRevocation, type Accounts } from '../../../src/settle-accounts.ts'
import type { Tokens } from '../../../src/store/tokens.ts'
import { startStoreRig, type StoreRig } from '../../kit/store-rig.ts'
import { aUser } from '../../kit/tokens.ts'

let rig: StoreRig
let tokens: Tokens
let policy: { set: PolicySet }
let accounts: Accounts
let events: { name: string; user: unknown }[]
let warnings: string[]
let agreed: () => Promise<boolean>
let allowMassRevocation: boolean

beforeEach(() => {
  rig = startStoreRig()
  tokens = rig.tokens()
  policy = { set: setOf() }
  events = []
  warnings = []
  agreed = async () => true
  allowMassRevocation = false
  accounts = createAccounts({
    config: {
      reload: {
        get allowMassRevocation() {
          return allowMassRevocation
        },
      },
    },
    policy,
    store: rig.real,
    tokens,
    audit: { event: (name, { user }) => events.push({ name, user }) > 0 },
    clock: rig.clock,
    log: { warn: (message) => void warnings.push(message) },
    by: 'gate:here',
    isAgreed: () => agreed(),
  })
})

afterEach(async () => {
  accounts[Symbol.dispose]()
  await rig[Symbol.asyncDispose]()
})

function setOf(...names: string[]): PolicySet {
  const users = new Map<string, ApiUser>(names.map((name) => [name, aUser(name)]))
  return { users, revision: names.join('+'), frame: EMPTY_FRAME }
}

async function hold(...names: string[]): Promise<void> {
  for (const name of names) {
    // oxlint-disable-next-line no-await-in-loop -- one writer
    await tokens.issue(aUser(name), 'cli:test')
  }
}

async function keep(...names: string[]): Promise<void> {
  for (const name of names) {
    const place = { products: ['12345'], organization: undefined }
    const user = { name, definition: '{}', place, description: '', atMs: rig.clock.now() }
    const { kept } = tokens.prepare({ ...aUser(name), home: 'store' }, undefined)
    // oxlint-disable-next-line no-await-in-loop -- one writer
    await rig.real.users.create(user, kept, 'operator:anna')
  }
}

/** Who holds a valid token. */
async function holders(): Promise<string[]> {
  return (await tokens.list({ live: true })).map(({ user }) => user).toSorted()
}

describe('tokens of API users that the policy files lack', () => {
  it('die, and those of the files live', async () => {
    await hold('gone', 'stays')
    policy.set = setOf('stays')
    await accounts.settle()
    expect(await holders()).toEqual(['stays'])
    expect(events).toEqual([{ name: 'token_revoked', user: 'gone' }])
  })

  it('live until all gates agree, which is said once', async () => {
    await hold('gone', 'stays')
    policy.set = setOf('stays')
    agreed = async () => false
    await accounts.settle()
    await accounts.again()
    await accounts.again()
    expect(await holders()).toEqual(['gone', 'stays'])
    expect([events, warnings.length]).toEqual([[], 1])
    agreed = async () => true
    await accounts.again()
    expect(await holders()).toEqual(['stays'])
  })

  it('live where they are in force again by the time all agree', async () => {
    await hold('back', 'stays')
    policy.set = setOf('stays')
    const asked = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<boolean>()
    agreed = () => {
      asked.resolve()
      return answered.promise
    }
    const settling = accounts.settle()
    await asked.promise
    policy.set = setOf('stays', 'back')
    answered.resolve(true)
    await settling
    expect(await holders()).toEqual(['back', 'stays'])
  })

  it('die too where another gate issued one since', async () => {
    policy.set = setOf('stays')
    await accounts.settle()
    await rig.elsewhere((others) => others.issue(aUser('theirs'), 'cli:test'))
    rig.real.changes.look()
    await accounts.again()
    expect(await holders()).toEqual([])
  })
})

describe('names of the store that the policy files hold', () => {
  it('are lost with their tokens, and other names are not', async () => {
    await keep('clash', 'other')
    policy.set = setOf('clash')
    await accounts.settle()
    expect(await holders()).toEqual(['other'])
    expect((await rig.real.users.get('clash'))?.displacedAtMs).toBeDefined()
    expect((await rig.real.users.get('other'))?.displacedAtMs).toBeUndefined()
    expect(events).toEqual([{ name: 'user_displaced', user: 'clash' }])
  })

  it('are not lost to a gate alone with its files', async () => {
    await keep('clash', 'other')
    policy.set = setOf('clash')
    agreed = async () => false
    await accounts.settle()
    expect(await holders()).toEqual(['clash', 'other'])
    expect((await rig.real.users.get('clash'))?.displacedAtMs).toBeUndefined()
  })

  it('are lost where an operator made one since', async () => {
    policy.set = setOf('clash')
    await accounts.settle()
    await keep('clash', 'other')
    await accounts.again()
    expect(await holders()).toEqual(['other'])
  })
})

describe('a set that takes too much at once', () => {
  it.each([
    ['tokens', () => hold('a', 'b', 'c'), setOf('a')],
    ['all tokens there are', () => hold('a'), setOf()],
    ['names', () => keep('a', 'b', 'c'), setOf('a', 'b')],
  ])('is refused: %s', async (_, prepare, set) => {
    await prepare()
    const before = await holders()
    await expect(accounts.assertNoMass(set)).rejects.toThrow(MassRevocation)
    expect(await holders()).toEqual(before)
    allowMassRevocation = true
    await accounts.assertNoMass(set)
  })

  it.each([
    ['one token', () => hold('a', 'b'), setOf('a')],
    ['one name', () => keep('a', 'b'), setOf('a')],
    ['nothing', () => hold('a', 'b'), setOf('a', 'b')],
  ])('is taken: %s', async (_, prepare, set) => {
    await prepare()
    await accounts.assertNoMass(set)
  })
})
