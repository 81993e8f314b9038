import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMarkFile } from '../../../src/audit/mark.ts'
import type { OpenedAuditLog } from '../../../src/audit/log.ts'
import { recordChanges, type ChangeRecorder } from '../../../src/record-changes.ts'
import { anOperator, aToken, kept, start } from '../../contract/store-kit.ts'
import { diskError, faultyDisk, ofKind, openTestLog } from '../../kit/audit.ts'
import { startStoreRig, type StoreRig } from '../../kit/store-rig.ts'
import { temporaryFolder } from '../../kit/tokens.ts'

let rig: StoreRig
let folder: string
let audit: OpenedAuditLog
let faults: ReturnType<typeof faultyDisk>['faults']
let told: unknown[]

beforeEach(async () => {
  rig = startStoreRig()
  folder = temporaryFolder()
  const disk = faultyDisk()
  faults = disk.faults
  told = []
  audit = await openTestLog(folder, { openFile: disk.openFile })
})

afterEach(async () => {
  await audit[Symbol.asyncDispose]()
  await rig[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const record = (more: Partial<Parameters<typeof recordChanges>[0]> = {}): Promise<ChangeRecorder> =>
  recordChanges({
    changes: rig.real.changes,
    history: rig.real.history,
    audit,
    mark: createMarkFile(folder),
    atOnce: 3,
    onFault: (error) => void told.push(error),
    ...more,
  })

/** What stands in the log of changes, oldest first. */
function onRecord(): Record<string, unknown>[] {
  return ofKind(join(folder, 'decisions.jsonl'), 'event')
    .filter(({ event }) => event === 'store_changed')
    .map(({ data }) => ({ ...(data as object) }))
}

const names = () => onRecord().map(({ change, user }) => `${String(change)} ${String(user)}`)
const suspend = (user: string, because = 'odd') =>
  rig.real.users.suspend(user, because, start, 'cli:anna')
const markText = () => readFileSync(join(folder, 'recorded-change.json'), 'utf8')

describe('recordChanges', () => {
  it('writes what was changed while no gate was there, with who, when, before and after', async () => {
    const { tokens, users, operators } = rig.real
    await tokens.replace(kept(aToken('g1', 'git', { expiresAtMs: start + 1000 })), 'cli:anna')
    await tokens.replace(kept(aToken('g2', 'git', { idleMs: 7 }), 'g1'), 'cli:anna')
    await suspend('git', 'laptop lost')
    await users.resume('git', start, 'cli:ben')
    const owner = anOperator('o1', 'olga', { role: 'owner', product: '12345' })
    await operators.create(owner, 'cli:anna')
    await operators.revoke('o1', start, 'cli:ben')
    await tokens.revoke('g2', start, 'cli:ben')
    await using _ = await record()

    const rows = onRecord()
    expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
    for (const { at } of rows) expect(Date.parse(String(at))).toBeGreaterThan(start)
    const first = { token_id: 'g1', expires_at: new Date(start + 1000).toISOString() }
    const second = { token_id: 'g2', idle_ms: 7 }
    const stopped = { because: 'laptop lost', suspended_by: 'cli:anna' }
    const olga = { role: 'owner', product: '12345', via: 'token' }
    expect(rows).toMatchObject([
      { change: 'token_issued', user: 'git', by: 'cli:anna', token_id: 'g1', after: first },
      { change: 'token_rotated', user: 'git', token_id: 'g2', before: first, after: second },
      { change: 'user_suspended', user: 'git', by: 'cli:anna', after: stopped },
      { change: 'user_resumed', user: 'git', by: 'cli:ben', before: stopped },
      { change: 'operator_created', user: 'olga', token_id: 'o1', by: 'cli:anna', after: olga },
      { change: 'operator_revoked', user: 'olga', token_id: 'o1', by: 'cli:ben', before: olga },
      { change: 'token_revoked', user: 'git', token_id: 'g2', by: 'cli:ben', before: second },
    ])
    expect(rows[0]).not.toHaveProperty('before')
    expect(rows[5]).not.toHaveProperty('after')
  })

  it('writes what is changed while it is there, and the rest when it leaves, each once', async () => {
    {
      await using _ = await record()
      await suspend('anna')
      await expect.poll(names).toEqual(['user_suspended anna'])
      // Another process: nobody looks before the end.
      await rig.elsewhere((_tokens, { users }) => users.suspend('ben', 'odd', start, 'cli:x'))
      expect(names()).toEqual(['user_suspended anna'])
    }
    expect(names()).toEqual(['user_suspended anna', 'user_suspended ben'])
    for (const user of ['carl', 'dora', 'emil', 'fred']) await suspend(user)
    await using _ = await record()
    expect(onRecord().map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6])
    expect(told).toEqual([])
  })

  it('says what was forgotten before it could be written down', async () => {
    for (const user of ['anna', 'ben', 'carl', 'dora']) await suspend(user)
    {
      await using _ = await record()
    }
    for (const user of ['emil', 'fred', 'gina']) await suspend(user)
    await rig.pruneChanges(6)
    await using _ = await record()
    expect(onRecord().slice(4)).toMatchObject([
      { change: 'unknown', after: 4, until: 6 },
      { change: 'user_suspended', user: 'gina', seq: 7 },
    ])
    await suspend('hugo')
    await expect.poll(() => onRecord().at(-1)?.['user']).toBe('hugo')
    expect(onRecord()).toHaveLength(7)
  })

  it('writes the newest alone where there are too many, and says so', async () => {
    await rig.addChanges(10_003)
    await using _ = await record({ atOnce: 5000 })
    const rows = onRecord()
    expect(rows[0]).toMatchObject({ change: 'unknown', after: 0, until: 3 })
    expect(rows.slice(1).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 10_000 }, (_each, n) => n + 4),
    )
  })

  it.each([
    ['an older one', { seq: 9, at_ms: start }],
    ['another one', { seq: 1, at_ms: start }],
  ])('says that the store has another history, %s, and writes all of it', async (_name, mark) => {
    await suspend('anna')
    await suspend('ben')
    writeFileSync(join(folder, 'recorded-change.json'), JSON.stringify(mark))
    await using _ = await record()
    expect(onRecord()).toMatchObject([
      { change: 'unknown', after: mark.seq, because: 'the store has another history' },
      { user: 'anna' },
      { user: 'ben' },
    ])
  })

  it('writes all that is kept where the mark cannot be read', async () => {
    await suspend('anna')
    {
      await using _ = await record()
    }
    expect(JSON.parse(markText())).toMatchObject({ seq: 1 })
    writeFileSync(join(folder, 'recorded-change.json'), '{"seq"')
    await using _ = await record()
    expect(names()).toEqual(['user_suspended anna', 'user_suspended anna'])
  })

  it('moves the mark only when the records are on the disk, and goes on when it is back', async () => {
    await using recorder = await record()
    await suspend('anna')
    await expect.poll(markText).toContain('"seq":1')
    faults.sync = () => Promise.reject(diskError('EIO'))
    await suspend('ben')
    await expect.poll(() => told).toHaveLength(1)
    await suspend('carl')
    expect(markText()).toContain('"seq":1')
    delete faults.sync
    recorder.again()
    await expect.poll(markText).toContain('"seq":3')
    const seen = new Set(onRecord().map(({ seq }) => seq))
    expect([...seen]).toEqual([1, 2, 3])
    expect(told).toHaveLength(1)
  })

  it('writes kinds that only a newer gate knows, and rows of an older one, which say less', async () => {
    await rig.addChanges(1, 'token_split')
    await using _ = await record()
    expect(onRecord()).toMatchObject([{ change: 'token_split', seq: 1 }])
    expect(onRecord()[0]).not.toHaveProperty('after')
  })

  it('masks what looks like a token in an operator’s own words', async () => {
    const secret = `fg_u_${'a'.repeat(12)}_${'b'.repeat(32)}_${'c'.repeat(6)}`
    await suspend('anna', `leaked ${secret}`)
    await using _ = await record()
    expect(onRecord()).toMatchObject([{ after: { because: 'leaked [token]' } }])
    expect(readFileSync(join(folder, 'decisions.jsonl'), 'utf8')).not.toContain(secret)
  })
})
