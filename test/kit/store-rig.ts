/** A real SQLite store in a folder of its own, with a second process's view of it, counted, and broken or slow when told to. */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Problem } from '../../src/domain/problem.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts'
import type { TokensOptions } from '../../src/store/create-tokens.ts'
import type { Store } from '../../src/store/store.ts'
import type { Tokens } from '../../src/store/tokens.ts'
import { SettableClock, temporaryFolder, tokensOn } from './tokens.ts'

export type StoreRig = AsyncDisposable & {
  path: string
  real: Store
  clock: SettableClock
  /** The real store, as the tokens under test see it. */
  seen: Store
  /** Queries for a token so far. */
  finds: number
  /** Thrown wherever the store is asked. */
  broken: Error | undefined
  /** Held before an answer is given, as a database over the network would; absent: answers are there at once. */
  network: (() => Promise<void>) | undefined
  tokens(more?: Partial<TokensOptions>): Tokens
  /** So many changes more, as another gate would write them down without a detail. */
  addChanges(count: number, kind?: string): Promise<void>
  /** Forgets the changes up to this number. */
  pruneChanges(until: number): Promise<void>
  /** The same life as a command line on the same file would lead it. */
  elsewhere<T>(work: (tokens: Tokens, store: Store) => Promise<T>): Promise<T>
}

export function startStoreRig(): StoreRig {
  const folder = temporaryFolder()
  const path = join(folder, 'store.db')
  const real = openSqliteStore({ path })
  const clock = new SettableClock()
  const opened: Tokens[] = []
  const answer = <T>(ask: () => T | Promise<T>): T | Promise<T> => {
    if (rig.broken !== undefined) throw rig.broken
    rig.finds++
    const { network } = rig
    // Asked at once, told later: what is changed meanwhile is not in it.
    const found = ask()
    return network === undefined ? found : network().then(() => found)
  }
  const seen: Store = {
    ...real,
    tokens: {
      ...real.tokens,
      find: (id) => answer(() => real.tokens.find(id)),
      findAdopted: (hash) => answer(() => real.tokens.findAdopted(hash)),
      async touch(used) {
        if (rig.broken !== undefined) throw rig.broken
        await real.tokens.touch(used)
      },
    },
    changes: {
      ...real.changes,
      look() {
        if (rig.broken !== undefined) throw rig.broken
        real.changes.look()
      },
    },
  }
  const rig: StoreRig = {
    ...{ path, real, clock, seen, finds: 0, broken: undefined, network: undefined },
    tokens(more = {}) {
      const tokens = tokensOn(seen, { clock, ...more })
      opened.push(tokens)
      return tokens
    },
    async addChanges(count, kind = 'user_suspended') {
      using db = new DatabaseSync(path)
      db.exec(`
        insert into changes (seq, at_ms, user_name, kind, by_whom)
        with recursive counted (n) as (select 1 union all select n + 1 from counted where n < ${count})
        select seq + n, 1, 'anna', '${kind}', 'x' from change_counter, counted;
        update change_counter set seq = seq + ${count}`)
    },
    async pruneChanges(until) {
      using db = new DatabaseSync(path)
      db.exec(`delete from changes where seq <= ${until};
        update change_counter set pruned_seq = ${until}`)
    },
    async elsewhere(work) {
      await using store = openSqliteStore({ path })
      await using other = tokensOn(store, { clock })
      return await work(other, store)
    },
    async [Symbol.asyncDispose]() {
      rig.broken = undefined
      await Promise.all(opened.map((tokens) => tokens[Symbol.asyncDispose]()))
      await real[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
  return rig
}

/** `none`, or the code of the problem, whether it is thrown at once or later. */
export async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'none'
  } catch (error) {
    return error instanceof Problem ? error.code : `not a problem: ${String(error)}`
  }
}
