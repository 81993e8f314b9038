/** What the gate and the commands beside it open alike: catalog, policy set, token store. */

import { randomBytes } from 'node:crypto'
import { readCatalog } from './catalog/shipped.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { PolicySet } from './policy/policy-set.ts'
import { Mistakes, type Mistake } from './lib/mistake.ts'
import { version } from './lib/version.ts'
import { loadPolicyFolder } from './policy/load-folder.ts'
import { createTokens, type TokensOptions } from './store/create-tokens.ts'
import { openSqliteStore } from './store/sqlite/sqlite.ts'
import type { Store } from './store/store.ts'
import type { Tokens } from './store/tokens.ts'

export type Parts = { catalog: Catalog; set: PolicySet }

/** @throws Mistakes: all of the catalog, or all of the policy files */
export function openParts(config: Pick<Config, 'catalog' | 'policies'>): Parts {
  const catalog = openCatalog(config)
  return { catalog, set: orThrow(loadPolicyFolder(config.policies, catalog, { version })).set }
}

/** @throws Mistakes */
export function openCatalog({ catalog }: Pick<Config, 'catalog'>): Catalog {
  const loaded = readCatalog(catalog.kind === 'shipped' ? catalog.name : catalog.path)
  return orThrow(loaded).catalog
}

/** A command and a running gate may hold the same store: each sees what the other changed. @throws StoreUnusable, StoreUnavailable */
export async function openStore(
  { store }: Pick<Config, 'store'>,
  clock: Clock,
  onFault: (error: unknown) => void = () => undefined,
): Promise<Store> {
  if (store.kind === 'sqlite') {
    return openSqliteStore({ path: store.path, onTurnEnd: setImmediate })
  }
  // Only now, so that a gate on its own file does not carry the driver in memory.
  const { openPostgresStore } = await import('./store/postgres/postgres.ts')
  return openPostgresStore({ ...store, clock, onFault })
}

export function openTokens(
  { tokens }: Pick<Config, 'tokens'>,
  store: Store,
  clock: Clock,
  hooks: Pick<TokensOptions, 'today' | 'onFlushFailure'> = {},
): Tokens {
  return createTokens({
    store,
    clock,
    random: randomBytes,
    cacheSize: tokens.cacheSize,
    lastUsedFlushMs: tokens.lastUsedFlushMs,
    maxLifetimeMs: tokens.maxLifetimeMs,
    ...hooks,
  })
}

function orThrow<T extends { ok: true }>(loaded: T | { ok: false; mistakes: Mistake[] }): T {
  if (loaded.ok) return loaded
  throw new Mistakes(loaded.mistakes)
}
