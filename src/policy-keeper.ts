/** Keeps the policy files in force: at start, at each change, at a signal; whole or not at all. */

import type { AuditLog } from './audit/audit-log.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { PolicySet } from './domain/grant.ts'
import type { Log } from './lib/log.ts'
import { formatMistake, type Mistake } from './lib/mistake.ts'
import { version } from './lib/version.ts'
import { loadOffThread } from './policy/load-off-thread.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import { watchPolicies } from './policy/watch.ts'
import type { Tokens } from './store/tokens.ts'

export type PolicyKeeper = AsyncDisposable & {
  /** Resolves when the files were read again, whatever came of it. */
  reload(): Promise<void>
}

export type PolicyKeeperParts = {
  config: Pick<Config, 'catalog' | 'policies' | 'reload'>
  catalog: Catalog
  policy: PolicyEngine
  tokens: Tokens
  audit: AuditLog
  clock: Clock
  log: Log
}

/** A set would take the tokens of too many API users away for good: a wrong checkout looks like that. */
export class MassRevocation extends Error {
  override readonly name = 'MassRevocation'
}

/** @throws MassRevocation where the set in force at start lacks too many API users that hold a token */
export function keepPolicies(parts: PolicyKeeperParts): PolicyKeeper {
  const { config, catalog, policy, audit, log } = parts
  settle(policy.set, parts)
  inForce(policy.set)
  return watchPolicies({
    folder: config.policies,
    load: () => loadOffThread(config.policies, catalog, { version }),
    onLoaded(set) {
      if (set.revision === policy.revision) return
      try {
        settle(set, parts)
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

/** An API user that a set lacks loses its token for good. */
function settle(set: PolicySet, { config, tokens, audit, log }: PolicyKeeperParts): void {
  const users = new Set(set.users.keys())
  const holders = tokens.list().filter(({ state }) => state !== 'revoked')
  const dropped = holders.filter(({ user }) => !users.has(user))
  // One is never a mass: in a small fleet a single API user is more than a tenth. All of them always are.
  const emptied = users.size === 0 && dropped.length > 0
  const tooMany = emptied || dropped.length > Math.max(1, holders.length / 10)
  if (tooMany && !config.reload.allowMassRevocation) {
    throw new MassRevocation(
      `the policy files lack ${dropped.length} of ${holders.length} API users that hold tokens; ` +
        'their tokens would die for good. Check the folder, or set reload.allow_mass_revocation.',
    )
  }
  for (const { user, tokenId } of tokens.revokeMissing(users)) {
    audit.event('token_revoked', { user, token_id: tokenId, because: 'not in the policy files' })
    log.warn('token revoked: its API user is not in the policy files', { user, tokenId })
  }
}
