/** API users and their tokens as the commands open them: policy files and store together. */

import { existsSync } from 'node:fs'
import type { OfflineConfig } from '../config/config.ts'
import type { Clock } from '../domain/clock.ts'
import type { ApiUser, StoredDefinition } from '../domain/grant.ts'
import { Mistakes } from '../lib/mistake.ts'
import { didYouMean } from '../lib/nearest.ts'
import { openParts, openStore, openTokens } from '../open-parts.ts'
import { createPolicyEngine } from '../policy/engine.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Store } from '../store/store.ts'
import type { Tokens } from '../store/tokens.ts'
import { UsageError } from './io.ts'

export type Ledger = AsyncDisposable & { store: Store; tokens: Tokens }
export type Accounts = Ledger & { policy: PolicyEngine }

type Named = { user: ApiUser; stored: StoredDefinition | undefined }

/** @throws Mistakes, StoreUnusable, StoreUnavailable */
export async function openAccounts(config: OfflineConfig, clock: Clock): Promise<Accounts> {
  const policy = openPolicy(config)
  const today = (user: string, stored: StoredDefinition | undefined) => policy.user(user, stored)
  return { ...(await openLedger(config, clock, { today })), policy }
}

/** For what must work in whatever state the policy files are. @throws StoreUnusable, StoreUnavailable */
export async function openLedger(
  config: OfflineConfig,
  clock: Clock,
  hooks: Parameters<typeof openTokens>[3] = {},
): Promise<Ledger> {
  await using stack = new AsyncDisposableStack()
  const store = stack.use(await openStore(config, clock))
  const tokens = stack.use(openTokens(config, store, clock, hooks))
  const opened = stack.move()
  return { store, tokens, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** @throws Mistakes */
export function openPolicy(config: OfflineConfig): PolicyEngine {
  const { catalog, set } = openParts(config)
  return createPolicyEngine({ catalog, set, cacheSize: config.tokens.cacheSize })
}

/** Looking at things creates no store where there is none. */
export function isStoreThere({ store }: OfflineConfig): boolean {
  return store.kind === 'postgres' || existsSync(store.path)
}

/**
 * Today's API user of that name: of the policy files, else of the store.
 * @throws UsageError that names the nearest; Mistakes of a definition that does not fit the policy files any more
 */
export async function userNamed(
  name: string,
  policy: PolicyEngine,
  store: Pick<Store, 'users'> | undefined,
): Promise<Named> {
  const inFiles = policy.set.users.get(name)
  if (inFiles !== undefined) return { user: inFiles, stored: undefined }
  const row = await store?.users.get(name)
  if (row?.stored === undefined) {
    const known = policy.set.users.keys()
    throw new UsageError(`there is no API user "${name}"${didYouMean(name, known)}`)
  }
  if (row.displacedAtMs !== undefined) {
    throw new UsageError(
      `"${name}" lost its place to the policy files, and they have it no more; update it by the admin port, or write it into the files`,
    )
  }
  const compiled = policy.compile(name, row.stored.definition)
  if (!compiled.ok) throw new Mistakes(compiled.mistakes)
  return { user: compiled.user, stored: row.stored }
}
