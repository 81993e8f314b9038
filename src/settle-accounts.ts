/** What the policy files take from API users for good: tokens of those that they lack, and names that they hold themselves. */

import type { AuditLog } from './audit/audit-log.ts'
import type { Config } from './config/config.ts'
import type { Clock } from './domain/clock.ts'
import type { Log } from './lib/log.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import type { PolicySet } from './policy/policy-set.ts'
import type { Change } from './store/changes.ts'
import type { Store } from './store/store.ts'
import type { Tokens } from './store/tokens.ts'

export type AccountsParts = {
  config: Pick<Config, 'reload'>
  policy: Pick<PolicyEngine, 'set'>
  store: Pick<Store, 'tokens' | 'users' | 'changes'>
  tokens: Pick<Tokens, 'revoke'>
  audit: Pick<AuditLog, 'event'>
  clock: Pick<Clock, 'now'>
  log: Pick<Log, 'warn'>
  /** Author of what it changes: `gate:REPLICA`. */
  by: string
  /** Whether no other gate that shares the store is, or was lately, under other policies. */
  isAgreed: (revision: string) => Promise<boolean>
}

export type Accounts = Disposable & {
  /** @throws MassRevocation where the set would take too much away at once; nothing is changed */
  assertNoMass(set: PolicySet): Promise<void>
  /**
   * Takes away what the set in force says, once all gates agree; until then those API users are refused here all the
   * same, and a name is the files'. @throws whatever the store throws
   */
  settle(): Promise<void>
  /** The same where something had to wait or has changed since; else nothing. */
  again(): Promise<void>
}

/** A set would take too much from too many API users for good: a wrong checkout looks like that. */
export class MassRevocation extends Error {
  override readonly name = 'MassRevocation'
}

type Losses = {
  /** Tokens of API users that are in neither place. */
  dropped: { id: string; user: string }[]
  /** Names of the store that the files hold as well. */
  taken: string[]
  holders: number
}

export function createAccounts(parts: AccountsParts): Accounts {
  const { policy, store, tokens, audit, clock, by, log } = parts
  let due = false
  let told: string | undefined
  let last: Promise<void> = Promise.resolve()

  const listening = store.changes.onChange((changes) => {
    due ||= changes === 'unknown' || changes.some((change) => concerns(change, policy.set))
  })

  async function lossesOf(set: PolicySet): Promise<Losses> {
    const held = await store.tokens.heldOutsideStore()
    const dropped = held.filter(({ user }) => !set.users.has(user))
    return {
      dropped,
      taken: await store.users.clashes([...set.users.keys()]),
      holders: held.length,
    }
  }

  async function settle(): Promise<void> {
    const { set } = policy
    due = false
    const { dropped, taken } = await lossesOf(set)
    if (dropped.length + taken.length === 0) return
    if (!(await parts.isAgreed(set.revision))) {
      due = true
      if (told !== set.revision) {
        const users = [...dropped.map(({ user }) => user), ...taken]
        log.warn('API users lose tokens or names once all gates have these policy files', { users })
      }
      told = set.revision
      return
    }
    await displace(taken, set)
    for (const { id, user } of dropped) {
      // What another set says, put in force meanwhile, is settled by itself.
      if (policy.set !== set) return
      // oxlint-disable-next-line no-await-in-loop -- one write at a time: there is one writer
      if ((await tokens.revoke({ tokenId: id }, by)) === undefined) continue
      audit.event('token_revoked', { user, token_id: id, because: 'not in the policy files' })
      log.warn('token revoked: its API user is not in the policy files', { user, tokenId: id })
    }
  }

  async function displace(taken: readonly string[], set: PolicySet): Promise<void> {
    if (taken.length === 0 || policy.set !== set) return
    for (const user of await store.users.displace(taken, clock.now(), by)) {
      audit.event('user_displaced', { user, because: 'the policy files hold this name' })
      log.warn('an API user of the store lost its name to the policy files', { user })
    }
  }

  /** One after the other: what one has read, another must not have changed. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const turn = last.then(work)
    last = turn.catch(() => {
      due = true
    })
    return turn
  }

  return {
    async assertNoMass(set) {
      if (parts.config.reload.allowMassRevocation) return
      const { dropped, taken, holders } = await lossesOf(set)
      // One is never a mass: in a small fleet a single API user is more than a tenth. All of them always are.
      const emptied = set.users.size === 0 && dropped.length > 0
      if (emptied || isMass(dropped.length, holders)) {
        throw new MassRevocation(
          `the policy files lack ${dropped.length} of ${holders} API users that hold tokens; ` +
            'their tokens would die for good. Check the folder, or set reload.allow_mass_revocation.',
        )
      }
      if (taken.length <= 1) return
      const { total } = await store.users.page({ offset: 0, limit: 1 })
      if (isMass(taken.length, total)) {
        throw new MassRevocation(
          `the policy files hold ${taken.length} of ${total} names of API users in the store, ` +
            'whose tokens would die for good. Check the folder, or set reload.allow_mass_revocation.',
        )
      }
    },
    settle: () => inTurn(settle),
    again: () => (due ? inTurn(settle) : Promise.resolve()),
    [Symbol.dispose]: () => listening[Symbol.dispose](),
  }
}

function isMass(lost: number, all: number): boolean {
  return lost > Math.max(1, all / 10)
}

/** A name that the files hold has appeared in the store, or a token of somebody they lack. */
function concerns({ kind, user }: Change, set: PolicySet): boolean {
  switch (kind) {
    case 'user_created':
    case 'user_updated':
      return set.users.has(user)
    case 'token_issued':
    case 'token_adopted':
    case 'token_rotated':
      return !set.users.has(user)
    default:
      return false
  }
}
