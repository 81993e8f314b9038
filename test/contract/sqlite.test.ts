import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrations } from '../../src/store/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { aRow, start, temporaryFolder } from '../kit/tokens.ts'
import { testTokenStore } from './token-store.ts'

const run = promisify(execFile)

testTokenStore({
  name: 'SQLite',
  openPair() {
    const folder = temporaryFolder()
    const path = join(folder, 'store.db')
    const one = openSqliteStore({ path })
    const other = openSqliteStore({ path })
    return {
      one,
      other,
      dispose() {
        one[Symbol.dispose]()
        other[Symbol.dispose]()
        rmSync(folder, { recursive: true })
      },
    }
  },
})

describe('openSqliteStore', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = temporaryFolder()
    path = join(folder, 'deep', 'store.db')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('creates a private file, side files too, and keeps what was written', () => {
    const first = openSqliteStore({ path })
    first.replace(aRow('a1', 'anna'), '{}', undefined)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) {
      expect(existsSync(file)).toBe(true)
      expect(statSync(file).mode & 0o777).toBe(0o600)
    }
    first[Symbol.dispose]()
    using second = openSqliteStore({ path })
    expect(second.live('anna')?.id).toBe('a1')
  })

  it('looks once a turn where it is told of turns, and sees its own changes at once', () => {
    const ends: (() => void)[] = []
    using one = openSqliteStore({ path, onTurnEnd: (callback) => void ends.push(callback) })
    using other = openSqliteStore({ path })
    const before = one.epoch()
    one.replace(aRow('a1', 'anna'), '{}', undefined)
    const own = one.epoch()
    expect(own).not.toBe(before)
    other.revoke('a1', start)
    expect(one.epoch()).toBe(own)
    for (const end of ends) end()
    expect(one.epoch()).not.toBe(own)
  })

  it('narrows a file that others could read', () => {
    openSqliteStore({ path })[Symbol.dispose]()
    rmSync(path)
    writeFileSync(path, '', { mode: 0o644 })
    openSqliteStore({ path })[Symbol.dispose]()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('writes ahead to a log', () => {
    using _store = openSqliteStore({ path })
    using db = new DatabaseSync(path)
    expect(db.prepare('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' })
  })

  it('migrates forward and keeps the rows', () => {
    {
      using old = openSqliteStore({ path })
      old.replace(aRow('a1', 'anna'), '{}', undefined)
    }
    const next = { version: 2, sql: 'alter table tokens add column note text' }
    using newer = openSqliteStore({ path, migrations: [...migrations, next] })
    expect(newer.live('anna')?.id).toBe('a1')
  })

  it('refuses a database of a newer gate and says what to do', () => {
    const next = { version: 2, sql: 'create table more (id text) strict' }
    openSqliteStore({ path, migrations: [...migrations, next] })[Symbol.dispose]()
    expect(() => openSqliteStore({ path })).toThrow(/version 2.*newer fleetgate.*restore/)
  })

  it('undoes a migration that fails half-way', () => {
    const broken = { version: 2, sql: 'create table more (id text) strict; create nonsense' }
    openSqliteStore({ path })[Symbol.dispose]()
    expect(() => openSqliteStore({ path, migrations: [...migrations, broken] })).toThrow()
    using db = new DatabaseSync(path)
    expect(db.prepare("select count(*) as n from sqlite_schema where name = 'more'").get()).toEqual(
      { n: 0 },
    )
    openSqliteStore({ path })[Symbol.dispose]()
  })

  it("refuses another program's database and leaves it alone", () => {
    mkdirSync(join(folder, 'deep'))
    using db = new DatabaseSync(path)
    db.exec('create table theirs (id text)')
    expect(() => openSqliteStore({ path })).toThrow(/another program.*store\.path/)
    expect(db.prepare('select count(*) as n from sqlite_schema').get()).toEqual({ n: 1 })
  })

  it('refuses a file that is no database', () => {
    mkdirSync(join(folder, 'deep'))
    writeFileSync(path, 'not a database, but long enough to be looked at'.repeat(40))
    expect(() => openSqliteStore({ path })).toThrow()
  })

  it('lets the database itself refuse a second valid token and a valid token without its grant', () => {
    using store = openSqliteStore({ path })
    store.replace(aRow('a1', 'anna'), '{}', undefined)
    using db = new DatabaseSync(path)
    const insert = (id: string, user: string, issued: string | null) =>
      db
        .prepare(
          'insert into tokens (id, user, hash, grant_hash, issued_grant, created_at_ms) values (?, ?, ?, ?, ?, ?)',
        )
        .run(id, user, new Uint8Array(32), 'anna-a', issued, start)
    expect(() => insert('a2', 'anna', 'anna-a')).toThrow(/UNIQUE/)
    expect(() => insert('b1', 'ben', null)).toThrow(/CHECK/)
    expect(() => insert('b1', 'ben', 'missing')).toThrow(/CHECK|FOREIGN/)
    insert('b1', 'ben', 'anna-a')
  })

  it('lets several processes create it and race for one token: exactly one wins', async () => {
    const script = join(import.meta.dirname, '..', 'kit', 'issue-once.ts')
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => run(process.execPath, [script, path])),
    )
    const said = runs.map(({ stdout }) => stdout.trim()).toSorted()
    expect(said).toEqual(['TokenConflict', 'TokenConflict', 'TokenConflict', 'issued'])
    using store = openSqliteStore({ path })
    expect(store.list()).toHaveLength(1)
  })
})
