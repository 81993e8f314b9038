/** A process of its own for the tests of races: opens the store in argv, issues a token, prints how it went. */

import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { TokenConflict } from '../../src/store/token-store.ts'
import { aUser, tokensOn } from './tokens.ts'

const [, , path] = process.argv
if (path === undefined) throw new Error('usage: issue-once.ts PATH')
await using store = openSqliteStore({ path })
await using tokens = tokensOn(store)
try {
  await tokens.issue(aUser('anna'), 'self')
  process.stdout.write('issued\n')
} catch (error) {
  if (!(error instanceof TokenConflict)) throw error
  process.stdout.write(`${error.name}\n`)
}
