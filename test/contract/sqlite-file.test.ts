import { execFile, execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrations } from '../../src/store/sqlite/migrations.ts'
import { StoreUnusable } from '../../src/store/sql/rows.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { temporaryFolder } from '../kit/tokens.ts'
import { aToken, by, hashOf, kept, start } from './store-kit.ts'

const run = promisify(execFile)

describe('the SQLite file', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = temporaryFolder()
    path = join(folder, 'deep', 'store.db')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const openAndClose = async (more: Partial<Parameters<typeof openSqliteStore>[0]> = {}) =>
    openSqliteStore({ path, ...more })[Symbol.asyncDispose]()

  it('creates a private file, side files too, and keeps what was written', async () => {
    {
      await using first = openSqliteStore({ path })
      await first.tokens.replace(kept(aToken('a1', 'anna')), by)
      for (const file of [path, `${path}-wal`, `${path}-shm`]) {
        expect(existsSync(file)).toBe(true)
        expect(statSync(file).mode & 0o777).toBe(0o600)
      }
    }
    await using second = openSqliteStore({ path })
    expect((await second.tokens.live('anna'))?.id).toBe('a1')
  })

  it.each(['an empty one', 'one of ours'])(
    'narrows a file that others could read: %s',
    async (which) => {
      mkdirSync(join(folder, 'deep'))
      if (which === 'one of ours') await openAndClose()
      else writeFileSync(path, '')
      chmodSync(path, 0o644)
      {
        await using store = openSqliteStore({ path })
        await store.tokens.replace(kept(aToken('a1', 'anna')), by)
        for (const file of [path, `${path}-wal`, `${path}-shm`]) {
          expect(statSync(file).mode & 0o777).toBe(0o600)
        }
      }
      expect(statSync(path).mode & 0o777).toBe(0o600)
    },
  )

  const anotherDatabase = () => {
    using db = new DatabaseSync(path)
    db.exec('create table theirs (id text)')
  }
  it.each([
    ['a folder', () => mkdirSync(path), /it is a folder; name a file in it, such as .*sqlite/],
    ['a text', () => writeFileSync(path, 'words '.repeat(100)), /not a database.*of its own/],
    ['a short text', () => writeFileSync(path, 'words'), /not a database.*of its own/],
    ['another database', anotherDatabase, /another program/],
    ['a FIFO', () => execFileSync('mkfifo', [path]), /no plain file/],
  ])('leaves %s as it is, its mode too, and says what to do', (_name, make, says) => {
    mkdirSync(join(folder, 'deep'))
    make()
    chmodSync(path, 0o755)
    expect(() => openSqliteStore({ path })).toThrow(StoreUnusable)
    expect(() => openSqliteStore({ path })).toThrow(says)
    expect(() => openSqliteStore({ path })).toThrow(/"store"/)
    expect(() => openSqliteStore({ path })).toThrow(path)
    expect(statSync(path).mode & 0o777).toBe(0o755)
  })

  it('says which folder cannot be made, at once, where none can be', () => {
    expect(() => openSqliteStore({ path: '/proc/nope/store.db' })).toThrow(
      /"store" in the configuration.*the folder \/proc\/nope cannot be made \(ENOENT\)/,
    )
    expect(() => openSqliteStore({ path: `${process.execPath}/x/store.db` })).toThrow(
      /cannot be looked at \(ENOTDIR\)/,
    )
  })

  it('says what the user of the gate must be able to do', () => {
    // Root may do anything: a folder that takes no files stands for one that others own.
    expect(() => openSqliteStore({ path: '/proc/store.db' })).toThrow(
      /The store \/proc\/store\.db \("store" in the configuration\) cannot be opened: .*Set "store"/,
    )
  })

  it('writes ahead to a log', async () => {
    await using _store = openSqliteStore({ path })
    using db = new DatabaseSync(path)
    expect(db.prepare('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' })
  })

  it('never edits a step that shipped', () => {
    const [first] = migrations
    expect(hash('sha256', first?.sql ?? '')).toBe(
      'f6e74dfee906454ad73ff3bec35f7e3a07d329e039a3baf07c3439995cd0198c',
    )
  })

  it('upgrades a file of version 1 with its tokens, valid and revoked', async () => {
    mkdirSync(join(folder, 'deep'))
    {
      using old = new DatabaseSync(path)
      old.exec('pragma application_id = 0x666c6774; pragma journal_mode = wal')
      old.exec('create table migrations (version integer primary key) strict')
      old.exec(migrations[0]?.sql ?? '')
      old.exec('insert into migrations values (1)')
      old.exec(`insert into grants values ('anna-a', '{"version":1}')`)
      const insert = old.prepare(
        `insert into tokens (id, user, hash, grant_hash, issued_grant, created_at_ms, expires_at_ms, idle_ms,
          last_used_at_ms, revoked_at_ms) values (?, 'anna', ?, 'anna-a', ?, ?, ?, ?, ?, ?)`,
      )
      insert.run('a1', hashOf('a1'), null, start, null, null, null, start + 1)
      insert.run('a2', hashOf('a2'), 'anna-a', start + 1, start + 99, 7, start + 2, null)
    }
    await using store = openSqliteStore({ path })
    const live = { createdAtMs: start + 1, expiresAtMs: start + 99, idleMs: 7 }
    expect(await store.tokens.find('a2')).toEqual({
      row: aToken('a2', 'anna', { ...live, lastUsedAtMs: start + 2 }),
      grantJson: '{"version":1}',
      stored: undefined,
      suspended: false,
    })
    expect((await store.tokens.find('a1'))?.row).toMatchObject({
      kind: 'minted',
      revokedAtMs: start + 1,
    })
    await expect(store.tokens.replace(kept(aToken('a3', 'anna')), by)).rejects.toThrow(/valid/)
    await store.tokens.replace(kept(aToken('a3', 'anna'), 'a2'), by)
    expect((await store.tokens.live('anna'))?.id).toBe('a3')
  })

  it('refuses a database of a newer gate and says what to do', async () => {
    const next = { version: 99, sql: 'create table more (id text) strict' }
    await openAndClose({ migrations: [...migrations, next] })
    expect(() => openSqliteStore({ path })).toThrow(/version 99.*newer fleetgate.*restore/)
  })

  it('undoes a migration that fails half-way', async () => {
    const broken = { version: 99, sql: 'create table more (id text) strict; create nonsense' }
    await openAndClose()
    expect(() => openSqliteStore({ path, migrations: [...migrations, broken] })).toThrow()
    using db = new DatabaseSync(path)
    expect(db.prepare("select count(*) as n from sqlite_schema where name = 'more'").get()).toEqual(
      { n: 0 },
    )
    await openAndClose()
  })

  it("refuses another program's database and leaves it alone", () => {
    mkdirSync(join(folder, 'deep'))
    using db = new DatabaseSync(path)
    db.exec('create table theirs (id text)')
    expect(() => openSqliteStore({ path })).toThrow(/another program.*set "store" to/)
    expect(db.prepare('select count(*) as n from sqlite_schema').get()).toEqual({ n: 1 })
  })

  it('lets several processes create it and race for one token: exactly one wins', async () => {
    const script = join(import.meta.dirname, '..', 'kit', 'issue-once.ts')
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => run(process.execPath, [script, path])),
    )
    const said = runs.map(({ stdout }) => stdout.trim()).toSorted()
    expect(said).toEqual(['TokenConflict', 'TokenConflict', 'TokenConflict', 'issued'])
    await using store = openSqliteStore({ path })
    expect(await store.tokens.list()).toHaveLength(1)
  })
})
