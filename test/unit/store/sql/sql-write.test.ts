import { describe, expect, it } from 'vitest'
import { createWrite } from '../../../../src/store/sql/sql-write.ts'
import { StoreUnavailable, type Sql } from '../../../../src/store/sql/sql.ts'

/** A database that commits or does not, and a feed that cannot be asked. */
function writing(commits: boolean) {
  const asked: string[] = []
  const sql: Pick<Sql, 'transaction'> = {
    async transaction(work) {
      const result = await work({ run: async () => [{ seq: 1 }] })
      asked.push('commit')
      if (!commits) throw new StoreUnavailable('no answer')
      return result
    },
  }
  const write = createWrite(
    sql,
    {
      async refresh() {
        asked.push('refresh')
        throw new StoreUnavailable('gone')
      },
    },
    '0',
  )
  return { asked, write }
}

const work = async () => 'the new token'

describe('createWrite', () => {
  it('hands over what was committed, though the feed cannot be asked any more', async () => {
    const { asked, write } = writing(true)
    await expect(write(work)).resolves.toBe('the new token')
    expect(asked).toEqual(['commit', 'refresh'])
  })

  it('fails where the commit does', async () => {
    const { asked, write } = writing(false)
    await expect(write(work)).rejects.toThrow(StoreUnavailable)
    expect(asked).toEqual(['commit'])
  })
})
