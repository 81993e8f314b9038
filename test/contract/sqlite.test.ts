import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../src/store/sql/sql.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { findToken } from '../../src/store/sql/token-rows.ts'
import { temporaryFolder } from '../kit/tokens.ts'
import { aNewUser, aToken, by, hashOf, heard, kept, start } from './store-kit.ts'
import { storeContract } from './store.ts'

storeContract('SQLite', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'store.db')
  return {
    open: async () => openSqliteStore({ path }),
    async select(text) {
      using db = new DatabaseSync(path, { timeout: 1_000 })
      return db.prepare(text).all()
    },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true })
    },
  }
})

describe('openSqliteStore', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = temporaryFolder()
    path = join(folder, 'deep', 'store.db')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const openAndClose = async (more: Partial<Parameters<typeof openSqliteStore>[0]> = {}) =>
    openSqliteStore({ path, ...more })[Symbol.asyncDispose]()

  it('looks once a turn where it is told of turns, and sees its own changes at once', async () => {
    const ends: (() => void)[] = []
    const onTurnEnd = (callback: () => void) => void ends.push(callback)
    await using one = openSqliteStore({ path, onTurnEnd })
    await using other = openSqliteStore({ path })
    const { changes } = heard(one)
    one.changes.look()
    await one.tokens.replace(kept(aToken('a1', 'anna')), by)
    expect(changes).toHaveLength(1)
    await other.tokens.revoke('a1', start, by)
    one.changes.look()
    expect(changes).toHaveLength(1)
    for (const end of ends.splice(0)) end()
    one.changes.look()
    expect(changes.map(({ kind }) => kind)).toEqual(['token_issued', 'token_revoked'])
  })

  it("sees another process's change at the very next look where it is not told of turns", async () => {
    await using one = openSqliteStore({ path })
    await using other = openSqliteStore({ path })
    const { changes } = heard(one)
    one.changes.look()
    await other.users.suspend('anna', 'odd', start, by)
    expect(changes).toHaveLength(0)
    one.changes.look()
    expect(changes.map(({ kind }) => kind)).toEqual(['user_suspended'])
  })

  it('answers reads in the same turn', async () => {
    await using store = openSqliteStore({ path })
    await store.tokens.replace(kept(aToken('a1', 'anna')), by)
    expect(store.tokens.find('a1')).toMatchObject({ row: { id: 'a1' } })
    expect(store.tokens.findAdopted(hashOf('a1'))).toBeUndefined()
  })

  it('finds a token among many by one query of look-ups by key', async () => {
    await openAndClose()
    using db = new DatabaseSync(path)
    for (const where of ["tokens.id = 'a'", "tokens.hash = x'00' and tokens.kind = 'adopted'"]) {
      const plan = db.prepare(`explain query plan ${findToken} where ${where}`).all()
      expect(plan).toHaveLength(4)
      for (const step of plan) expect(step['detail']).toMatch(/^SEARCH .* USING .*INDEX/)
    }
  })

  it('lets the database itself refuse a second valid token and a valid token without its grant', async () => {
    await using store = openSqliteStore({ path })
    await store.tokens.replace(kept(aToken('a1', 'anna')), by)
    using db = new DatabaseSync(path)
    const insert = (id: string, user: string, issued: string | null) =>
      db
        .prepare(
          'insert into tokens (id, user_name, hash, grant_hash, issued_grant, created_at_ms) values (?, ?, ?, ?, ?, ?)',
        )
        .run(id, user, new Uint8Array(32), 'anna-a', issued, start)
    expect(() => insert('a2', 'anna', 'anna-a')).toThrow(/UNIQUE/)
    expect(() => insert('b1', 'ben', null)).toThrow(/CHECK/)
    expect(() => insert('b1', 'ben', 'missing')).toThrow(/CHECK|FOREIGN/)
    insert('b1', 'ben', 'anna-a')
  })

  it('refuses rows that other hands have broken', async () => {
    await using store = openSqliteStore({ path })
    await store.users.create(aNewUser('anna'), kept(aToken('a1', 'anna')), by)
    using db = new DatabaseSync(path)
    db.exec('pragma ignore_check_constraints = on')
    db.exec("update tokens set kind = 'golden'")
    db.exec("update api_users set products = '{}'")
    expect(() => store.tokens.find('a1')).toThrow(/minted, adopted/)
    await expect(store.users.get('anna')).rejects.toThrow(/not a list/)
  })

  it('waits for a write of another process without standing still, then gives up and has done nothing (A13)', async () => {
    await using store = openSqliteStore({ path, busyTimeoutMs: 60 })
    await store.tokens.replace(kept(aToken('a1', 'anna')), by)
    using db = new DatabaseSync(path)
    db.exec('begin immediate')
    let turns = 0
    const turning = setInterval(() => turns++, 5)
    await expect(store.tokens.revoke('a1', start, by)).rejects.toThrow(StoreUnavailable)
    clearInterval(turning)
    expect(turns).toBeGreaterThan(3)
    expect((await store.tokens.live('anna'))?.id).toBe('a1')
    const waiting = store.tokens.revoke('a1', start, by)
    db.exec('commit')
    expect(await waiting).toBe(true)
  })

  it('believes nothing any more when the file cannot be read (A13)', async () => {
    await using store = openSqliteStore({ path })
    await store.tokens.replace(kept(aToken('a1', 'anna')), by)
    using db = new DatabaseSync(path)
    db.exec('alter table changes rename to gone')
    for (const ask of [() => store.changes.look(), () => store.changes.assertFresh()]) {
      expect(ask).toThrow(expect.objectContaining({ code: 'store_unavailable', status: 503 }))
    }
    db.exec('alter table gone rename to changes')
    store.changes.look()
    store.changes.assertFresh()
  })

  it('believes nothing for the rest of a turn in which a look has failed', async () => {
    await using store = openSqliteStore({ path, onTurnEnd: () => undefined })
    store.changes.look()
    using db = new DatabaseSync(path)
    db.exec('alter table changes rename to gone')
    await expect(store.changes.refresh()).rejects.toThrow(/store/)
    expect(() => store.changes.look()).toThrow(/store/)
    db.exec('alter table gone rename to changes')
    store.changes.look()
    store.changes.assertFresh()
  })

  it('says so when it is asked after its end', async () => {
    const store = openSqliteStore({ path })
    await store[Symbol.asyncDispose]()
    expect(() => store.tokens.find('a1')).toThrow(StoreUnavailable)
    await expect(store.tokens.revoke('a1', start, by)).rejects.toThrow(StoreUnavailable)
  })

  it('tells a listener again what it failed to take in', async () => {
    await using store = openSqliteStore({ path })
    const told: unknown[] = []
    let broken = true
    store.changes.onChange((changes) => {
      if (broken) throw new Error('full')
      told.push(changes)
    })
    await store.users.suspend('anna', 'odd', start, by)
    expect(() => store.changes.assertFresh()).toThrow(/store/)
    broken = false
    store.changes.look()
    expect(told).toMatchObject([[{ kind: 'user_suspended' }]])
    store.changes.assertFresh()
  })
})
