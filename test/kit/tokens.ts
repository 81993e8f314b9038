/** API users, clocks and stores for the tests of `store/`. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTokens, type TokensOptions } from '../../src/store/create-tokens.ts'
import type { ApiUser, Expiry } from '../../src/domain/grant.ts'
import type { Store } from '../../src/store/store.ts'
import type { TokenRow } from '../../src/store/token-store.ts'
import type { Tokens } from '../../src/store/tokens.ts'

export const day = 86_400_000
export const start = Date.UTC(2026, 5, 1)

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'fleetgate-test-'))
}

/** A token of the right shape whose checksum never fits, whatever its last letter happens to be. */
export function withWrongChecksum(token: string): string {
  return `${token.slice(0, -1)}${token.endsWith('x') ? 'y' : 'x'}`
}

/** A wall clock that stands still until it is moved. */
export class SettableClock {
  at = start

  now(): number {
    return this.at
  }
}

export function aUser(name: string, expiry: Expiry = { kind: 'never' }, version = 'a'): ApiUser {
  return {
    name,
    home: 'git',
    expiry,
    grant: {
      version: 1,
      user: name,
      boundary: { kind: 'products', products: ['12345'] },
      devices: { '*': { all: true } },
      rules: [
        {
          effect: 'can',
          actions: [`devices:${version}`],
          origin: { file: 'p.yaml', line: 1, text: 'can' },
        },
      ],
    },
    grantHash: `${name}-${version}`,
    origin: { file: 'p.yaml', line: 1 },
  }
}

export function aRow(id: string, user: string, more: Partial<TokenRow> = {}): TokenRow {
  return {
    id,
    user,
    kind: 'minted',
    hash: new Uint8Array(32).fill(7),
    grantHash: `${user}-a`,
    createdAtMs: start,
    expiresAtMs: undefined,
    notBeforeMs: undefined,
    idleMs: undefined,
    lastUsedAtMs: undefined,
    revokedAtMs: undefined,
    ...more,
  }
}

export function tokensOn(
  store: Pick<Store, 'tokens' | 'changes'>,
  more: Partial<TokensOptions> = {},
): Tokens {
  return createTokens({
    store,
    clock: { now: () => start },
    random: randomBytes,
    cacheSize: 100,
    lastUsedFlushMs: 60_000,
    ...more,
  })
}
