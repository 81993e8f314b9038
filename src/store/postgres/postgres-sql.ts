/** `Sql` on connections to PostgreSQL: what a transaction is there, and when a connection is not to be used again. */

import { StoreUnavailable, type Sql, type SqlRow, type SqlValue } from '../sql/sql.ts'

export type Asks = (text: string, values?: readonly SqlValue[]) => Promise<SqlRow[]>

/** One connection, for one transaction. */
export type Borrowed = {
  /** @throws SqlConflict, StoreUnavailable */
  ask: Asks
  /** `broken`: it is closed, and the server rolls back. */
  giveBack(state: 'whole' | 'broken'): void
}

export type PostgresSqlOptions = {
  /** @throws StoreUnavailable */
  read: Asks
  /** @throws StoreUnavailable */
  lookUp: Asks
  /** @throws StoreUnavailable */
  borrow: () => Promise<Borrowed>
  end: () => Promise<void>
}

export function createPostgresSql({ read, lookUp, borrow, end }: PostgresSqlOptions): Sql {
  return {
    read,
    lookUp,
    async transaction(work) {
      const { ask, giveBack } = await borrow()
      let failure: { error: unknown } | undefined
      const run: Asks = async (text, values) => {
        try {
          return await ask(text, values)
        } catch (error) {
          // PostgreSQL has given the transaction up, and would roll it back in silence at the commit.
          failure ??= { error }
          throw error
        }
      }
      try {
        // Read committed: a statement that had to wait for another writer sees what that one wrote.
        await run('begin isolation level read committed read write')
        const result = await work({ run })
        if (failure !== undefined) throw failure.error
        await run('commit')
        giveBack('whole')
        return result
      } catch (error) {
        const lost = failure?.error instanceof StoreUnavailable
        giveBack(!lost && (await rolledBack(ask)) ? 'whole' : 'broken')
        throw error
      }
    },
    [Symbol.asyncDispose]: end,
  }
}

async function rolledBack(ask: Asks): Promise<boolean> {
  return ask('rollback').then(
    () => true,
    () => false,
  )
}
