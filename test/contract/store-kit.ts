/** What the contract of the store is run on, and rows for it. */

import type { Change } from '../../src/store/changes.ts'
import type { OperatorRow } from '../../src/store/operator-store.ts'
import type { Beat } from '../../src/store/replica-store.ts'
import type { SqlRow } from '../../src/store/sql/sql.ts'
import type { Store } from '../../src/store/store.ts'
import type { Replacement, TokenRow } from '../../src/store/token-store.ts'
import type { NewUser } from '../../src/store/user-store.ts'

/** An empty database of its own. */
export type StoreUnderTest = AsyncDisposable & {
  /** Opens it once more, as another process would. Closed by the test, or with the whole. */
  open(): Promise<Store>
  /** Runs one statement on it past the store: to look, or to make rows older than a test can wait for. */
  select(text: string): Promise<SqlRow[]>
}

/** The database under test and a store on it, made anew for each test. */
export type Bench = { under: StoreUnderTest; store: Store }

export const start = Date.UTC(2026, 5, 1)
export const by = 'cli:tester'

export function aToken(id: string, user: string, more: Partial<TokenRow> = {}): TokenRow {
  return {
    id,
    user,
    kind: 'minted',
    hash: hashOf(id),
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

export function kept(row: TokenRow, previous?: string): Replacement {
  return { row, grantJson: `{"of":"${row.grantHash}"}`, previous }
}

/** 32 bytes that differ as the words do. */
export function hashOf(words: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, at) => words.charCodeAt(at % words.length) + at)
}

export function aNewUser(name: string, more: Partial<NewUser> = {}): NewUser {
  return {
    name,
    definition: `{"product":12345,"of":"${name}"}`,
    place: { products: ['12345'], organization: undefined },
    description: `The machine of ${name}`,
    atMs: start,
    ...more,
  }
}

export function anOperator(id: string, name: string, more: Partial<OperatorRow> = {}): OperatorRow {
  return {
    id,
    name,
    role: 'editor',
    product: undefined,
    hash: hashOf(id),
    via: 'token',
    createdAtMs: start,
    createdBy: by,
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ...more,
  }
}

export function aBeat(name: string, more: Partial<Beat> = {}): Beat {
  return {
    name,
    boot: 'b1',
    version: '1.2.3',
    revision: 'r1',
    commit: undefined,
    startedAtMs: start,
    nowMs: Date.now(),
    ...more,
  }
}

/** All that its feed tells from now on. */
export function heard(store: Store): { changes: Change[]; unknowns: number } {
  const told: { changes: Change[]; unknowns: number } = { changes: [], unknowns: 0 }
  store.changes.onChange((changes) => {
    if (changes === 'unknown') told.unknowns++
    else told.changes.push(...changes)
  })
  return told
}

/** Names of the errors that lost; `won`: how many did not. */
export function outcomes(settled: readonly PromiseSettledResult<unknown>[]) {
  const lost = settled.flatMap((each) => (each.status === 'rejected' ? [nameOf(each.reason)] : []))
  return { won: settled.length - lost.length, lost }
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : typeof thrown
}
