/** Keeps the policy files in force: at start, at each change, at a signal; whole or not at all. */

import type { AuditLog } from './audit/audit-log.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { PolicySet } from './policy/policy-set.ts'
import type { Log } from './lib/log.ts'
import { formatMistake, type Mistake } from './lib/mistake.ts'
import { version } from './lib/version.ts'
import { loadOffThread } from './policy/load-off-thread.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import { watchPolicies } from './policy/watch.ts'
import type { Store } from './store/store.ts'
import type { Tokens } from './store/tokens.ts'

export type PolicyKeeper = AsyncDisposable & {
  /** Resolves when the files were read again, whatever came of it. */
  reload(): Promise<void>
  /** Tries again what had to wait for the other gates; nothing where nothing had. @throws whatever the store throws */
  settle(): Promise<void>
}

export type PolicyKeeperParts = {
  config: Pick<Config, 'catalog' | 'policies' | 'reload'>
  catalog: Catalog
  policy: PolicyEngine
  store: Pick<Store, 'tokens' | 'users'>
  tokens: Tokens
  audit: AuditLog
  clock: Clock
  log: Log
  /** Author of what it changes: `gate:REPLICA`. */
  by: string
  /** Whether no other gate that shares the store is under other policies. */
  isAgreed: (revision: string) => Promise<boolean>
}

/** A set would take the tokens of too many API users away for good: a wrong checkout looks like that. */
export class MassRevocation extends Error {
  override readonly name = 'MassRevocation'
}

/** @throws MassRevocation where the set in force at start lacks too many API users that hold a token */
export async function keepPolicies(parts: PolicyKeeperParts): Promise<PolicyKeeper> {
  const { config, catalog, policy, audit, log } = parts
  let waits = !(await settle(policy.set, parts))
  inForce(policy.set)
  const watch = watchPolicies({
    folder: config.policies,
    load: () => loadOffThread(config.policies, catalog, { version }),
    async onLoaded(set) {
      if (set.revision === policy.revision) return
      try {
        waits = !(await settle(set, parts))
      } catch (error) {
        if (!(error instanceof MassRevocation)) throw error
        refuse([error.message])
        return
      }
      policy.use(set)
      inForce(set)
    },
    onBroken: (mistakes: readonly Mistake[]) => refuse(mistakes.map(formatMistake)),
    clock: parts.clock,
  })
  return {
    reload: () => watch.reload(),
    async settle() {
      if (waits) waits = !(await settle(policy.set, parts))
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  }

  /** Each decision names its revision; this says which commit and how many API users that was. */
  function inForce({ revision, commit, users }: PolicySet): void {
    const what = { revision, users: users.size, ...(commit !== undefined && { commit }) }
    audit.event('policies_loaded', what)
    log.info('policies loaded', what)
  }

  function refuse(mistakes: readonly string[]): void {
    audit.event('policies_refused', { revision: policy.revision, mistakes: mistakes.length })
    log.error('policies refused; the ones before stay in force', {
      revision: policy.revision,
      mistakes,
    })
  }
}

/**
 * Names that the files took from the store, and API users that they lack: both lose their token for good. False: some
 * of that has to wait for the other gates.
 */
async function settle(set: PolicySet, parts: PolicyKeeperParts): Promise<boolean> {
  const { config, store, tokens, audit, clock, by, log } = parts
  const holders = await store.tokens.heldOutsideStore()
  const dropped = holders.filter(({ user }) => !set.users.has(user))
  // One is never a mass: in a small fleet a single API user is more than a tenth. All of them always are.
  const emptied = set.users.size === 0 && dropped.length > 0
  const tooMany = emptied || dropped.length > Math.max(1, holders.length / 10)
  if (tooMany && !config.reload.allowMassRevocation) {
    throw new MassRevocation(
      `the policy files lack ${dropped.length} of ${holders.length} API users that hold tokens; ` +
        'their tokens would die for good. Check the folder, or set reload.allow_mass_revocation.',
    )
  }
  const displaced = await store.users.displace([...set.users.keys()], clock.now(), by)
  for (const user of displaced) {
    audit.event('user_displaced', { user, because: 'the policy files hold this name' })
    log.warn('an API user of the store lost its name to the policy files', { user })
  }
  if (dropped.length === 0) return true
  // Until then they are refused here all the same: an old checkout on one gate must not kill tokens of all.
  if (!(await parts.isAgreed(set.revision))) {
    const users = dropped.map(({ user }) => user)
    log.warn('tokens of API users that the policy files lack die once all gates have these files', {
      users,
    })
    return false
  }
  for (const { id, user } of dropped) {
    // oxlint-disable-next-line no-await-in-loop -- one write at a time: there is one writer
    if ((await tokens.revoke({ tokenId: id }, by)) === undefined) continue
    audit.event('token_revoked', { user, token_id: id, because: 'not in the policy files' })
    log.warn('token revoked: its API user is not in the policy files', { user, tokenId: id })
  }
  return true
}
