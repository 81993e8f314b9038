/** What the gate and the commands beside it open alike: catalog, policy set, token store. */

import { randomBytes } from 'node:crypto'
import { readCatalog } from './catalog/shipped.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { PolicySet } from './domain/grant.ts'
import { Mistakes, type Mistake } from './lib/mistake.ts'
import { version } from './lib/version.ts'
import { loadPolicyFolder } from './policy/load-folder.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { createTokens, type Tokens, type TokensOptions } from './store/tokens.ts'

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

/** A command and a running gate may hold the same file: each sees what the other changed at its next request. */
export function openTokens(
  config: Pick<Config, 'store' | 'tokens'>,
  clock: Clock,
  hooks: Pick<TokensOptions, 'currentExpiry' | 'onFlushFailure'> = {},
): Tokens {
  const store = openSqliteStore({ path: config.store, onTurnEnd: setImmediate })
  const tokens = createTokens({
    store,
    clock,
    random: randomBytes,
    cacheSize: config.tokens.cacheSize,
    lastUsedFlushMs: config.tokens.lastUsedFlushMs,
    ...hooks,
  })
  return {
    ...tokens,
    [Symbol.dispose]() {
      try {
        tokens[Symbol.dispose]()
      } finally {
        store[Symbol.dispose]()
      }
    },
  }
}

function orThrow<T extends { ok: true }>(loaded: T | { ok: false; mistakes: Mistake[] }): T {
  if (loaded.ok) return loaded
  throw new Mistakes(loaded.mistakes)
}
