/** Keeps the policy files in force: at start, at each change, at a signal; whole or not at all. */

import type { AuditLog } from './audit/audit-log.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { Log } from './lib/log.ts'
import { formatMistake, type Mistake } from './lib/mistake.ts'
import { version } from './lib/version.ts'
import { loadOffThread } from './policy/load-off-thread.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import type { PolicySet } from './policy/policy-set.ts'
import { watchPolicies } from './policy/watch.ts'
import { MassRevocation, type Accounts } from './settle-accounts.ts'

export type PolicyKeeper = AsyncDisposable & {
  /** Resolves when the files were read again, whatever came of it. */
  reload(): Promise<void>
}

export type PolicyKeeperParts = {
  config: Pick<Config, 'catalog' | 'policies'>
  catalog: Catalog
  policy: PolicyEngine
  accounts: Accounts
  audit: AuditLog
  clock: Clock
  log: Log
}

/** @throws MassRevocation where the set in force at start lacks too many API users that hold a token */
export async function keepPolicies(parts: PolicyKeeperParts): Promise<PolicyKeeper> {
  const { config, catalog, policy, accounts, audit, log } = parts
  await accounts.assertNoMass(policy.set)
  await accounts.settle()
  inForce(policy.set)
  return watchPolicies({
    folder: config.policies,
    load: () => loadOffThread(config.policies, catalog, { version }),
    async onLoaded(set) {
      if (set.revision === policy.revision) return
      try {
        await accounts.assertNoMass(set)
      } catch (error) {
        if (!(error instanceof MassRevocation)) throw error
        refuse([error.message])
        return
      }
      policy.use(set)
      inForce(set)
      // Who is not in the files is refused from here on; what is taken away for good can wait for the next beat.
      await accounts.settle().catch((error: unknown) => {
        log.error('tokens of API users that the policy files lack could not be revoked yet', {
          error,
        })
      })
    },
    onBroken: (mistakes: readonly Mistake[]) => refuse(mistakes.map(formatMistake)),
    clock: parts.clock,
  })

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
