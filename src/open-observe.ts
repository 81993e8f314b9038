/** Observation put together from the configuration: who is observed, what becomes of their requests, and when their streams end. */

import { openFingerprints } from './audit/fingerprints.ts'
import type { AuditLog } from './audit/audit-log.ts'
import type { Config } from './config/config.ts'
import type { Clock } from './domain/clock.ts'
import { Problem } from './domain/problem.ts'
import { every } from './lib/every.ts'
import type { Log } from './lib/log.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import { createIdentify, createObservedUntil, type Identify } from './proxy/caller.ts'
import { createObserve, type Observe, type ObserveParts } from './proxy/observe.ts'
import { announceObservation } from './proxy/observe-notice.ts'
import { createPassages } from './proxy/passages.ts'
import { createStrangerBudget } from './proxy/stranger-budget.ts'
import { createDescribeStranger } from './proxy/strangers.ts'
import { usersMentioning } from './store/mentioning.ts'
import type { Store } from './store/store.ts'
import type { Tokens } from './store/tokens.ts'
import type { Directory } from './upstream/directory.ts'

export type OpenObserveParts = Omit<
  ObserveParts,
  'describeStranger' | 'strangerBudget' | 'passages' | 'tokens' | 'grantOf'
> & {
  policy: PolicyEngine
  tokens: Tokens
  store: Pick<Store, 'users'>
  directory: Directory
  audit: Pick<AuditLog, 'state'>
  clock: Clock
  log: Log
}

export type Observing = Disposable & { identify: Identify; observe: Observe }

/** Disposing of it breaks off the event streams of those who are observed. @throws Error where the key of fingerprints cannot be kept */
export function openObserve(
  config: Pick<Config, 'audit' | 'observeUntilMs' | 'rations' | 'strangers' | 'streams'>,
  parts: OpenObserveParts,
): Observing {
  const { policy, tokens, catalog, directory, clock, audit } = parts
  const observedUntil = createObservedUntil(policy, config.observeUntilMs)
  const passages = createPassages({
    ...{ tokens, observedUntil, audit, clock, every },
    recheckMs: config.streams.recheckMs,
  })
  const describeStranger = createDescribeStranger({
    ...{ catalog, directory, clock },
    perMinute: config.rations.unknownPerMinute,
  })
  // There are strangers only where everybody is observed.
  const { observeUntilMs } = config
  const everybody = observeUntilMs !== undefined
  if (observeUntilMs !== undefined && observeUntilMs <= clock.now()) {
    const until = new Date(observeUntilMs).toISOString()
    parts.log.warn('observe.until is over: it does nothing any more', { until })
  }
  const fingerprint = everybody ? openFingerprints(config.audit.folder) : noStrangers
  const announced = announceObservation({
    ...{ everybodyUntilMs: config.observeUntilMs, clock, every, log: parts.log },
    users: () => policy.set.users.values(),
    stored: () => usersMentioning(parts.store.users, '"observe"', policy.user),
    onFault: (error) => parts.log.error('the store could not be looked through', { error }),
  })
  return {
    identify: createIdentify({ policy, tokens, observedUntil, fingerprint }),
    observe: createObserve({
      ...{ ...parts, describeStranger, passages },
      strangerBudget: createStrangerBudget({ clock, ...config.strangers }),
      grantOf: (principal) => policy.userOf(principal)?.grant,
    }),
    [Symbol.dispose]() {
      announced[Symbol.dispose]()
      passages[Symbol.dispose]()
    },
  }
}

function noStrangers(): never {
  throw new Problem('internal', { cause: 'a stranger where not everybody is observed' })
}
