import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/domain/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/postgres.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { testDatabase } from '../kit/test-database.ts'
import { temporaryFolder } from '../kit/tokens.ts'
import { tokenLifeContract } from './token-life.ts'

tokenLifeContract('SQLite', async () => {
  const folder = temporaryFolder()
  return {
    open: async () => openSqliteStore({ path: join(folder, 'store.db') }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
})

tokenLifeContract('PostgreSQL', async () => {
  const own = await testDatabase()
  return {
    open: () => openPostgresStore({ ...own, connections: 6, clock: systemClock, onFault() {} }),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  }
})
