import { describe, expect, it } from 'vitest'
import { StoreUnusable } from '../../../../src/store/sql/rows.ts'
import { StoreUnavailable } from '../../../../src/store/sql/sql.ts'
import { toOpeningError } from '../../../../src/store/sqlite/sqlite-errors.ts'

const coded = (message: string, code: object) => Object.assign(new Error(message), code)
const ofSqlite = (message: string, errcode: number) =>
  new StoreUnavailable(message, { cause: coded(message, { errcode }) })

describe('toOpeningError', () => {
  it.each([
    [
      coded('EACCES: permission denied, open', { code: 'EACCES' }),
      /must be able to write the file/,
    ],
    [coded('EROFS: read-only file system', { code: 'EROFS' }), /must be able to write the file/],
    [ofSqlite('unable to open database file', 14), /must be able to write the file and its folder/],
    [ofSqlite('attempt to write a readonly database', 1032), /must be able to write the file/],
    [ofSqlite('file is not a database', 26), /left as it is; set "store" to a file of its own/],
    [ofSqlite('database or disk is full', 13), /on a local disk with room/],
  ])('names key, path and what to do: %s', (error, says) => {
    const found = toOpeningError(error, '/data/store.db')
    expect(found).toBeInstanceOf(StoreUnusable)
    const { message } = found as Error
    expect(message).toContain(`The store /data/store.db ("store" in the configuration)`)
    expect(message).toContain(error.message)
    expect(message).toMatch(says)
  })

  it('leaves what knows what to do already as it is', () => {
    const known = new StoreUnusable('Run the newer fleetgate.')
    expect(toOpeningError(known, '/data/store.db')).toBe(known)
  })
})
