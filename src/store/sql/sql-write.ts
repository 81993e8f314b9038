/** How everything that changes rights is written: one transaction, its changes numbered and kept in it, then taken in here. */

import { integer } from './rows.ts'
import type { ChangeDetail, ChangeFeed, ChangeKind } from '../changes.ts'
import type { Sql, Transaction } from './sql.ts'

export type Writing = Transaction & {
  /** `user`: the API user it is about; of operators' changes the operator. */
  record(kind: ChangeKind, user: string, by: string, detail: ChangeDetail): Promise<void>
}

export type Write = {
  /**
   * Resolves once it is committed and the feed of this process has told of it, or of not knowing: what was made must
   * reach its caller, who may hold the only copy of a new token.
   */
  <T>(work: (tx: Writing) => Promise<T>): Promise<T>
  /** For what changes nobody's rights: takes its turn among the writers, records nothing. */
  quietly<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
}

/** How long changes are kept: a feed that falls further behind is told that it cannot know. */
const keptMs = 86_400_000
/** Old changes are looked for at each so many-th one. */
const pruneEvery = 64

// The first statement of every writer takes the counter's row: numbers become visible in their order, and no two
// writers ever hold rows the other waits for.
const lock = 'update change_counter set seq = seq returning seq'
const next = 'update change_counter set seq = seq + 1 returning seq'

export function createWrite(
  sql: Pick<Sql, 'transaction'>,
  feed: Pick<ChangeFeed, 'refresh'>,
  nowMs: string,
): Write {
  const insert = `insert into changes (seq, at_ms, user_name, kind, by_whom, detail) values ($1, ${nowMs}, $2, $3, $4, $5)`
  const forget = `delete from changes where at_ms < ${nowMs} - ${keptMs} returning seq`
  const forgotten =
    'update change_counter set pruned_seq = $1 where pruned_seq < $1 returning pruned_seq'

  async function prune(tx: Transaction): Promise<void> {
    const gone = await tx.run(forget)
    const last = gone.reduce((most, row) => Math.max(most, integer(row['seq'])), 0)
    if (last > 0) await tx.run(forgotten, [last])
  }

  async function quietly<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return sql.transaction(async (tx) => {
      await tx.run(lock)
      return work(tx)
    })
  }

  async function write<T>(work: (tx: Writing) => Promise<T>): Promise<T> {
    const result = await quietly((tx) =>
      work({
        run: (text, values) => tx.run(text, values),
        async record(kind, user, by, detail) {
          const seq = integer((await tx.run(next))[0]?.['seq'])
          await tx.run(insert, [seq, user, kind, by, JSON.stringify(detail)])
          if (seq % pruneEvery === 0) await prune(tx)
        },
      }),
    )
    await taken(feed)
    return result
  }

  return Object.assign(write, { quietly })
}

/** A feed that cannot look has memory dropped or refuses everybody until it can, and says so itself. */
async function taken(feed: Pick<ChangeFeed, 'refresh'>): Promise<void> {
  await feed.refresh().catch(() => undefined)
}
