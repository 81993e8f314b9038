import { execFileSync, spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { auditDefaults } from '../../../src/audit/log.ts'
import {
  aDecision,
  aReject,
  anEnvelope,
  answered,
  diskError,
  faultyDisk,
  linesOf,
  ofKind,
  openTestLog,
} from '../../kit/audit.ts'
import { startFairClock } from '../../kit/fair-clock.ts'
import { temporaryFolder } from '../../kit/tokens.ts'
import type { Durability } from '../../../src/audit/audit-log.ts'
import type { OpenedAuditLog } from '../../../src/audit/log.ts'

let folder: string
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Still enough for a disk that does not hang. */
const impatient = { ...auditDefaults.limits, waitMs: 500 }
const commit = (log: OpenedAuditLog, id: string, durability: Durability = 'written') =>
  log.open(anEnvelope(id)).commit(aDecision(), durability)
const ids = (path: string, kind: string) => ofKind(path, kind).map((line) => line['request_id'])
const events = (path: string) => ofKind(path, 'event').map((line) => line['event'])
const unavailable = { code: 'audit_unavailable', status: 503, retryAfterS: 1 }

describe('openAuditLog', () => {
  it('writes, syncs and reads back a test record in private files', async () => {
    const inner = join(folder, 'new', 'audit')
    await using log = await openTestLog(inner)
    for (const path of Object.values(log.paths)) {
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(linesOf(path)).toMatchObject([
        { v: 1, seq: 1, stream: 'test', boot: 'b00t', kind: 'event', event: 'started' },
      ])
    }
    expect(statSync(inner).mode & 0o777).toBe(0o700)
  })

  it('narrows files that others could read', async () => {
    writeFileSync(join(folder, 'decisions.jsonl'), '', { mode: 0o644 })
    await using log = await openTestLog(folder)
    expect(statSync(log.paths.decisions).mode & 0o777).toBe(0o600)
  })

  it.each(['write', 'sync'] as const)(
    'refuses to start when the disk cannot %s, and says what to do',
    async (call) => {
      const { faults, openFile } = faultyDisk()
      Object.assign(faults, { [call]: () => Promise.reject(diskError('EIO')) })
      await expect(openTestLog(folder, { openFile })).rejects.toThrow(
        /decisions\.jsonl cannot be written: EIO[^]*audit\.folder/,
      )
    },
  )

  it('refuses to start when what it wrote does not read back', async () => {
    const { faults, openFile } = faultyDisk()
    faults.write = (bytes) => Promise.resolve(bytes.length)
    await expect(openTestLog(folder, { openFile })).rejects.toThrow(/does not read back/)
  })

  it('A04 refuses a FIFO at once instead of waiting for a reader', async () => {
    execFileSync('mkfifo', [join(folder, 'decisions.jsonl')])
    await expect(openTestLog(folder)).rejects.toThrow(/not a regular file/)
  })

  it('refuses a folder that is a file', async () => {
    writeFileSync(join(folder, 'file'), '')
    await expect(openTestLog(join(folder, 'file'))).rejects.toThrow(/audit\.folder/)
  })

  it('A03 continues the numbers after a restart, cuts a torn line and says so', async () => {
    let path: string
    {
      await using log = await openTestLog(folder)
      path = log.paths.decisions
      await commit(log, 'r1')
    }
    appendFileSync(path, '{"v":1,"stream":"te')
    await using _again = await openTestLog(folder, { boot: 'later' })
    const lines = linesOf(path)
    expect(lines.map((line) => line['seq'])).toEqual([1, 2, 3, 4, 5])
    expect(lines.slice(3)).toMatchObject([
      { event: 'recovered', data: { tornBytes: 19 }, boot: 'later' },
      { event: 'started' },
    ])
  })
})

describe('an audit entry', () => {
  it.each(['written', 'synced'] as const)(
    'is in the file when its commit resolves (%s), and its outcome follows',
    async (durability) => {
      await using log = await openTestLog(folder)
      const entry = log.open(anEnvelope('r1'))
      await entry.commit(aDecision(), durability)
      expect(ids(log.paths.decisions, 'decision')).toEqual(['r1'])
      entry.close(answered)
      await log.flush()
      expect(ofKind(log.paths.decisions, 'outcome')).toMatchObject([
        { request_id: 'r1', status: 200, ended: 'answered' },
      ])
    },
  )

  it('tells its progress between its decision and its outcome, and at no other time', async () => {
    await using log = await openTestLog(folder)
    const entry = log.open(anEnvelope('r1'))
    entry.progress({ sent: 0, withheld: 0 })
    await entry.commit(aDecision(), 'written')
    entry.progress({ sent: 1, withheld: 2 })
    entry.close(answered)
    entry.progress({ sent: 3, withheld: 4 })
    await log.flush()
    expect(ofKind(log.paths.decisions, 'progress')).toMatchObject([
      { request_id: 'r1', sent: 1, withheld: 2 },
    ])
  })

  it('syncs only where it was asked for, once for all that wait', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile })
    let synced = 0
    faults.sync = (real) => real.sync().then(() => void synced++)
    await Promise.all(Array.from({ length: 50 }, (_, n) => commit(log, `w${n}`)))
    expect(synced).toBe(0)
    await Promise.all(Array.from({ length: 50 }, (_, n) => commit(log, `s${n}`, 'synced')))
    expect(synced).toBe(1)
  })

  it('shares writes: what comes in one turn, and what comes while a write is under way', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile })
    let writes = 0
    faults.write = (bytes, real) => {
      writes++
      return real.write(bytes)
    }
    await Promise.all(Array.from({ length: 500 }, (_, n) => commit(log, `r${n}`)))
    expect(writes).toBe(1)
    expect(ids(log.paths.decisions, 'decision')).toEqual(
      Array.from({ length: 500 }, (_, n) => `r${n}`),
    )
    expect(linesOf(log.paths.decisions).map((line) => line['seq'])).toEqual(
      Array.from({ length: 501 }, (_, n) => n + 1),
    )
  })

  it('finishes what the disk took only in part', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile })
    faults.write = (bytes, real) => real.write(bytes.subarray(0, 100))
    await commit(log, 'r1')
    expect(ids(log.paths.decisions, 'decision')).toEqual(['r1'])
  })

  it('is committed once only', async () => {
    await using log = await openTestLog(folder)
    const entry = log.open(anEnvelope('r1'))
    await entry.commit(aDecision(), 'written')
    await expect(entry.commit(aDecision(), 'written')).rejects.toMatchObject({
      code: 'audit_unavailable',
    })
    expect(ids(log.paths.decisions, 'decision')).toEqual(['r1'])
  })

  it('refuses what cannot be written as JSON', async () => {
    await using log = await openTestLog(folder)
    const allow = aDecision().result
    const odd = aDecision({ result: { ...allow, facts: { d: { n: 1n } } } as typeof allow })
    await expect(log.open(anEnvelope('r1')).commit(odd, 'written')).rejects.toMatchObject({
      code: 'audit_unavailable',
    })
  })

  it('A14 numbers order the rows when the clock jumps', async () => {
    let wall = Date.UTC(2026, 5, 1)
    const clock = { now: () => (wall -= 400 * 86_400_000), monotonic: () => performance.now() }
    await using log = await openTestLog(folder, { clock })
    await commit(log, 'r1')
    await commit(log, 'r2')
    expect(linesOf(log.paths.decisions).map((line) => line['seq'])).toEqual([1, 2, 3])
  })
})

describe('an audit log whose disk fails', () => {
  it('A01 refuses while the disk is full, keeps no half line, and is well again by itself', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile })
    const before = log.open(anEnvelope('before'))
    await before.commit(aDecision(), 'written')
    faults.write = async (bytes, real) => {
      await real.write(bytes.subarray(0, bytes.length / 2))
      throw diskError('ENOSPC')
    }
    before.close(answered)
    for (const id of ['x1', 'x2']) await expect(commit(log, id)).rejects.toMatchObject(unavailable)
    expect(log.state()).toMatchObject({ healthy: false, failed: expect.stringContaining('ENOSPC') })
    delete faults.write
    await commit(log, 'after')
    await log.flush()
    expect(log.state()).toEqual({ healthy: true, queued: 0, failed: undefined })
    expect(ids(log.paths.decisions, 'decision')).toEqual(['before', 'after'])
    expect(ids(log.paths.decisions, 'outcome')).toEqual(['before'])
    expect(ofKind(log.paths.decisions, 'event')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event: 'repaired', data: { cutBytes: expect.any(Number) } }),
        expect.objectContaining({
          event: 'outage',
          data: expect.objectContaining({ refused: 2, lost: 0 }),
        }),
      ]),
    )
    expect(linesOf(log.paths.decisions).map((line) => line['seq'])).toEqual(
      linesOf(log.paths.decisions).map((_, n) => n + 1),
    )
  })

  it('A01 writes nothing behind a half line that cannot be cut off', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile })
    faults.write = async (bytes, real) => {
      await real.write(bytes.subarray(0, 30))
      throw diskError('ENOSPC')
    }
    faults.truncate = () => Promise.reject(diskError('EPERM'))
    await expect(commit(log, 'x1')).rejects.toMatchObject(unavailable)
    delete faults.write
    await expect(commit(log, 'x2')).rejects.toMatchObject(unavailable)
    delete faults.truncate
    await commit(log, 'after')
    expect(ids(log.paths.decisions, 'decision')).toEqual(['after'])
  })

  it('A02 never reports a sync that failed, opens the file anew, and marks the refused request', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile })
    const opened = faults.opened
    let failures = 1
    faults.sync = (real) => (failures-- > 0 ? Promise.reject(diskError('EIO')) : real.sync())
    const [read, change] = await Promise.allSettled([
      commit(log, 'read'),
      commit(log, 'change', 'synced'),
    ])
    expect(read.status).toBe('fulfilled')
    expect(change).toMatchObject({ status: 'rejected', reason: unavailable })
    expect(log.state().healthy).toBe(false)
    await commit(log, 'next', 'synced')
    await log.flush()
    expect(faults.opened).toBe(opened + 1)
    expect(ofKind(log.paths.decisions, 'outcome')).toMatchObject([
      { request_id: 'change', status: 503, ended: 'audit_unavailable' },
    ])
    expect(events(log.paths.decisions)).toEqual(expect.arrayContaining(['reopened', 'outage']))
  })

  it('A04 answers within the bound while a write hangs, keeps the event loop alive, and recovers', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile, limits: impatient })
    const gate = Promise.withResolvers<void>()
    faults.write = (bytes, real) => gate.promise.then(() => real.write(bytes))
    const hung = log.open(anEnvelope('hung'))
    const first = hung.commit(aDecision(), 'written')
    await delay(5)
    await using clock = await startFairClock()
    const began = performance.now()
    const answers = await Promise.allSettled([
      first,
      commit(log, 'queued'),
      commit(log, 'queued-too', 'synced'),
    ])
    expect(await clock.between(began)).toBeLessThan(1_000)
    expect(answers).toMatchObject(
      Array.from({ length: 3 }, () => ({ status: 'rejected', reason: unavailable })),
    )
    hung.close({ ...answered, status: 503, ended: 'audit_unavailable' })
    await expect(commit(log, 'later')).rejects.toMatchObject(unavailable)
    gate.resolve()
    delete faults.write
    await commit(log, 'after')
    await log.flush()
    expect(ids(log.paths.decisions, 'decision')).toEqual(['hung', 'after'])
    expect(ofKind(log.paths.decisions, 'outcome')).toMatchObject([
      { request_id: 'hung', status: 503, ended: 'audit_unavailable' },
    ])
    expect(ofKind(log.paths.decisions, 'event').at(-1)).toMatchObject({
      event: 'outage',
      data: { refused: 4 },
    })
    expect(log.state()).toMatchObject({ healthy: true, queued: 0 })
  })

  it('A04 can be disposed of while the disk hangs', async () => {
    const { faults, openFile } = faultyDisk()
    const log = await openTestLog(folder, { openFile, limits: impatient })
    const gate = Promise.withResolvers<void>()
    faults.write = (bytes, real) => gate.promise.then(() => real.write(bytes))
    await log[Symbol.asyncDispose]()
    gate.resolve()
  })

  it('bounds what waits, in records and in bytes, and keeps room for outcomes', async () => {
    for (const limits of [
      { ...auditDefaults.limits, queueRecords: 3 },
      { ...auditDefaults.limits, queueBytes: 2_500 },
    ]) {
      const inner = join(folder, `${limits.queueRecords}`)
      await using log = await openTestLog(inner, { limits })
      const answers = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) => commit(log, `r${n}`)),
      )
      const kept = answers.filter(({ status }) => status === 'fulfilled').length
      expect(kept).toBeGreaterThan(1)
      expect(kept).toBeLessThan(5)
      expect(answers.at(-1)).toMatchObject({ status: 'rejected', reason: unavailable })
      await log.flush()
      expect(ids(log.paths.decisions, 'decision')).toHaveLength(kept)
      expect(ofKind(log.paths.decisions, 'event').at(-1)).toMatchObject({
        event: 'outage',
        data: { refused: 10 - kept },
      })
      await commit(log, 'after')
    }
  })

  it('says audit_unavailable by a Problem and never leaks the cause', async () => {
    const { faults, openFile } = faultyDisk()
    await using log = await openTestLog(folder, { openFile })
    faults.write = () => Promise.reject(diskError('ENOSPC'))
    const problem = await commit(log, 'x').catch((error: unknown) => error)
    expect(problem).toBeInstanceOf(Problem)
    expect(problem instanceof Problem && problem.says).not.toContain('ENOSPC')
    delete faults.write
  })
})

describe('an audit file that somebody touches', () => {
  it.each([
    ['deleted', 'moved_or_deleted', (path: string) => rmSync(path)],
    ['renamed', 'moved_or_deleted', (path: string) => renameSync(path, `${path}.1`)],
    ['truncated', 'truncated', (path: string) => truncateSync(path)],
    [
      'cut inside a line',
      'truncated',
      (path: string) => truncateSync(path, statSync(path).size - 10),
    ],
    [
      'appended to',
      'foreign_bytes',
      (path: string) => appendFileSync(path, '{"decision":"allow"}\n'),
    ],
    [
      'appended to with half a line',
      'foreign_bytes',
      (path: string) => appendFileSync(path, '{"decision":'),
    ],
  ])('A08 %s: goes on in a whole file and reports it', async (_, why, touch) => {
    await using log = await openTestLog(folder, { checkMs: 0 })
    await commit(log, 'before')
    touch(log.paths.decisions)
    await commit(log, 'after')
    const lines = linesOf(log.paths.decisions)
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event: 'reopened', data: expect.objectContaining({ why }) }),
      ]),
    )
    expect(lines.at(-1)).toMatchObject({ request_id: 'after' })
    const seqs = lines.flatMap((line) => (typeof line['seq'] === 'number' ? line['seq'] : []))
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
    expect(seqs.at(-1)).toBeGreaterThan(3)
    expect(existsSync(log.paths.decisions)).toBe(true)
  })

  it('A08 loses no acknowledged record when the file is renamed under load', async () => {
    await using log = await openTestLog(folder, { checkMs: 0 })
    const { decisions } = log.paths
    for (let round = 0; round < 20; round++) {
      const commits = Array.from({ length: 20 }, (_, n) => commit(log, `${round}-${n}`))
      renameSync(decisions, `${decisions}.${round}`)
      await Promise.all(commits)
    }
    const files = [decisions, ...Array.from({ length: 20 }, (_, round) => `${decisions}.${round}`)]
    expect(new Set(files.flatMap((file) => ids(file, 'decision'))).size).toBe(400)
  })
})

describe('a full disk for real', () => {
  const mountPoint = () => join(folder, 'tiny')
  const mounted = () => {
    mkdirSync(mountPoint())
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mountPoint()], {
        stdio: 'ignore',
      })
      return true
    } catch {
      return false
    }
  }

  it('A01 refuses, keeps whole lines and recovers when room is made', async ({ skip }) => {
    if (!mounted()) skip('no right to mount a tmpfs here')
    try {
      const ballast = join(mountPoint(), 'ballast')
      writeFileSync(ballast, Buffer.alloc(24 * 1024))
      {
        await using log = await openTestLog(mountPoint())
        const acknowledged: string[] = []
        let refused = 0
        for (let n = 0; n < 100; n++) {
          await commit(log, `r${n}`).then(
            () => acknowledged.push(`r${n}`),
            () => refused++,
          )
        }
        expect(refused).toBeGreaterThan(0)
        expect(acknowledged.length).toBeGreaterThan(0)
        rmSync(ballast)
        await commit(log, 'after')
        expect(ids(log.paths.decisions, 'decision')).toEqual([...acknowledged, 'after'])
      }
    } finally {
      execFileSync('umount', [mountPoint()])
    }
  })
})

describe('a gate that is killed', () => {
  it(
    'A03 has every acknowledged commit in the file, and starts again on it',
    { timeout: 60_000 },
    async () => {
      const script = join(import.meta.dirname, '..', '..', 'kit', 'commit-until-killed.ts')
      const acknowledged: string[] = []
      for (let run = 0; run < 10; run++) {
        const child = spawn(process.execPath, [script, folder, `boot${run}`], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const exited = once(child, 'exit')
        let said = ''
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          said += text
          // After the first words, at a point of the run that differs each time.
          if (said.length > 200 + run * 3_000) child.kill('SIGKILL')
        })
        const [, signal] = await exited
        expect(signal).toBe('SIGKILL')
        acknowledged.push(...said.split('\n').slice(0, -1))
      }
      await using log = await openTestLog(folder)
      const inFile = new Set(ids(log.paths.decisions, 'decision'))
      expect(acknowledged.length).toBeGreaterThan(100)
      expect(acknowledged.filter((id) => !inFile.has(id))).toEqual([])
      const seqs = linesOf(log.paths.decisions).map((line) => line['seq'])
      expect(seqs).toEqual(seqs.map((_, n) => n + 1))
    },
  )
})

describe('events', () => {
  it('are kept in order with decisions and never throw', async () => {
    await using log = await openTestLog(folder)
    log.event('policy_reloaded', { revision: 'abc' })
    await commit(log, 'r1')
    log.event('odd', { n: 1n })
    await log.flush()
    expect(linesOf(log.paths.decisions).map((line) => line['event'] ?? line['request_id'])).toEqual(
      ['started', 'policy_reloaded', 'r1', 'odd'],
    )
  })

  it('mark a clean stop', async () => {
    const log = await openTestLog(folder)
    const { decisions } = log.paths
    await log[Symbol.asyncDispose]()
    expect(events(decisions)).toEqual(['started', 'stopped'])
    expect(readFileSync(decisions, 'utf8').endsWith('\n')).toBe(true)
  })

  it('leave rejects out of the decision stream', async () => {
    await using log = await openTestLog(folder)
    log.reject(aReject('r1'))
    await log.flush()
    expect(ids(log.paths.rejects, 'reject')).toEqual(['r1'])
    expect(ids(log.paths.decisions, 'reject')).toEqual([])
  })
})
