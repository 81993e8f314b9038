import { describe, expect, it } from 'vitest'
import { createPostgresSql } from '../../../../src/store/postgres/postgres-sql.ts'
import { SqlConflict, StoreUnavailable } from '../../../../src/store/sql/sql.ts'

/** What was said on the connection, and how it was given back. */
function rig(failures: Readonly<Record<string, Error>> = {}) {
  const said: string[] = []
  const ask = async (text: string) => {
    said.push(text.split(' ', 1)[0] ?? '')
    const failure = failures[text]
    if (failure !== undefined) throw failure
    return []
  }
  const sql = createPostgresSql({
    read: ask,
    lookUp: ask,
    borrow: async () => ({ ask, giveBack: (state) => void said.push(`(${state})`) }),
    end: async () => undefined,
  })
  return { sql, said }
}

describe('createPostgresSql', () => {
  it('commits what the work did, and answers with what it returned', async () => {
    const { sql, said } = rig()
    expect(await sql.transaction(async (tx) => (await tx.run('insert')).length)).toBe(0)
    expect(said).toEqual(['begin', 'insert', 'commit', '(whole)'])
  })

  it('rolls back when the work throws', async () => {
    const { sql, said } = rig()
    const lost = sql.transaction(async () => {
      throw new Error('late')
    })
    await expect(lost).rejects.toThrow('late')
    expect(said).toEqual(['begin', 'rollback', '(whole)'])
  })

  it('does not commit after a statement failed, even where the work went on', async () => {
    const { sql, said } = rig({ insert: new SqlConflict('taken') })
    const lost = sql.transaction(async (tx) => {
      await tx.run('insert').catch(() => undefined)
      return 'done'
    })
    await expect(lost).rejects.toThrow(SqlConflict)
    expect(said).toEqual(['begin', 'insert', 'rollback', '(whole)'])
  })

  it('never uses a connection again that did not answer, or could not roll back', async () => {
    const silent = rig({ insert: new StoreUnavailable('no answer') })
    const lost = silent.sql.transaction((tx) => tx.run('insert'))
    await expect(lost).rejects.toThrow(StoreUnavailable)
    expect(silent.said).toEqual(['begin', 'insert', '(broken)'])
    const stuck = rig({ insert: new SqlConflict('taken'), rollback: new Error('no') })
    await expect(stuck.sql.transaction((tx) => tx.run('insert'))).rejects.toThrow(SqlConflict)
    expect(stuck.said.at(-1)).toBe('(broken)')
  })

  it('fails when the commit was not answered', async () => {
    const { sql } = rig({ commit: new StoreUnavailable('no answer') })
    await expect(sql.transaction(async () => 'done')).rejects.toThrow(StoreUnavailable)
  })
})
