import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rmSync } from 'node:fs'
import { changeBody } from '../../../src/audit/change.ts'
import type { ChangeFields } from '../../../src/audit/audit-log.ts'
import { diskError, faultyDisk, linesOf, openTestLog } from '../../kit/audit.ts'
import { temporaryFolder } from '../../kit/tokens.ts'

let folder: string
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const aChange = (more: Partial<ChangeFields> = {}): ChangeFields => ({
  requestId: 'r1',
  by: 'operator:eddie',
  byToken: 'abcdefghijkl',
  change: 'user.update',
  target: 'wall',
  before: { version: 1 },
  after: { version: 2 },
  address: '192.0.2.7',
  agent: undefined,
  ...more,
})
const written = (fields: ChangeFields): Record<string, unknown> =>
  JSON.parse(`{"x":0${changeBody('2026-06-01T00:00:00.000Z', fields)}}`)

describe('the record of a change', () => {
  it('is on disk before the change is made, and how it ended follows', async () => {
    const audit = await openTestLog(folder)
    const entry = await audit.change(aChange())
    const before = linesOf(audit.paths.decisions).filter(({ kind }) => kind === 'change')
    expect(before).toMatchObject([
      {
        ...{ by: 'operator:eddie', by_token: 'abcdefghijkl', change: 'user.update' },
        ...{ target: 'wall', before: { version: 1 } },
      },
    ])
    entry.close({ status: 200, ended: 'changed' })
    entry.close({ status: 500, ended: 'internal' })
    await audit[Symbol.asyncDispose]()
    const after = linesOf(audit.paths.decisions).filter(({ kind }) => kind === 'changed')
    expect(after).toMatchObject([{ request_id: 'r1', status: 200, ended: 'changed' }])
  })

  it('rejects with audit_unavailable where the disk fails, also at the sync, and is not closed', async () => {
    const { faults, openFile } = faultyDisk()
    const audit = await openTestLog(folder, { openFile })
    faults.write = () => Promise.reject(diskError('ENOSPC'))
    await expect(audit.change(aChange())).rejects.toMatchObject({ code: 'audit_unavailable' })
    delete faults.write
    faults.sync = () => Promise.reject(diskError('EIO'))
    await expect(audit.change(aChange())).rejects.toMatchObject({ code: 'audit_unavailable' })
    delete faults.sync
    await audit[Symbol.asyncDispose]()
    expect(linesOf(audit.paths.decisions).filter(({ kind }) => kind === 'changed')).toEqual([])
  })

  it('leaves out what there was not, before a beginning and after an end', () => {
    expect(written(aChange({ before: undefined }))).not.toHaveProperty('before')
    expect(written(aChange({ after: undefined }))).not.toHaveProperty('after')
    expect(written(aChange())).toHaveProperty('after')
  })

  it('T12: masks tokens, bounds texts, and breaks no line', () => {
    const token = `fg_u_${'a'.repeat(12)}_${'b'.repeat(32)}_${'c'.repeat(6)}`
    const hex = 'a1'.repeat(20)
    const fields = aChange({
      target: token,
      agent: `agent ${token}`,
      after: {
        note: `was ${token}`,
        deep: [{ old: hex }],
        long: 'x'.repeat(10_000),
        line: '\u2028',
      },
    })
    const text = changeBody('2026-06-01T00:00:00.000Z', fields)
    expect(text).not.toContain(token)
    expect(text).not.toContain(hex)
    expect(text).not.toContain('\u2028')
    expect(text.length).toBeLessThan(6_000)
    expect(written(fields)).toMatchObject({ after: { note: 'was [token]' } })
  })

  it('that cannot be written down refuses the change', async () => {
    const audit = await openTestLog(folder)
    const round: Record<string, unknown> = {}
    round['self'] = round
    await expect(audit.change(aChange({ after: round }))).rejects.toMatchObject({
      code: 'audit_unavailable',
    })
    await audit[Symbol.asyncDispose]()
  })
})

describe('a reject row', () => {
  it('names the admin port, and no port for the data port', async () => {
    const audit = await openTestLog(folder)
    const row = { requestId: 'r', atMs: 0, method: 'GET', rawTarget: '/', address: 'a' }
    const fields = { ...row, agent: undefined, reason: 'invalid_token', status: 401 } as const
    audit.reject({ ...fields, port: 'admin' })
    audit.reject(fields)
    await audit[Symbol.asyncDispose]()
    const rows = linesOf(audit.paths.rejects).filter(({ kind }) => kind === 'reject')
    expect(rows.map(({ port }) => port)).toEqual(['admin', undefined])
  })
})
