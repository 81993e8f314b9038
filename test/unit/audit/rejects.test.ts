import { rmSync, statSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/domain/clock.ts'
import { auditDefaults } from '../../../src/audit/log.ts'
import { aDecision, aReject, anEnvelope, linesOf, ofKind, openTestLog } from '../../kit/audit.ts'
import { temporaryFolder } from '../../kit/tokens.ts'

let folder: string
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const rejects = { perAddressPerS: 5, maxBytes: 1_000_000 }
const steady = () => {
  const clock = { now: systemClock.now, at: 0, monotonic: () => clock.at }
  return clock
}
const summarised = (path: string) =>
  ofKind(path, 'summary').reduce((sum, line) => sum + Number(line['summarised']), 0)

describe('rejects', () => {
  it('A09 writes a row each until an address floods, then one summary a second for it alone', async () => {
    const clock = steady()
    await using log = await openTestLog(folder, { clock, rejects })
    for (let second = 0; second < 3; second++) {
      for (let n = 0; n < 40; n++)
        log.reject(aReject(`flood-${second}-${n}`, { address: '192.0.2.66' }))
      log.reject(aReject(`calm-${second}`, { address: '192.0.2.1' }))
      clock.at += 1_000
    }
    await log.flush()
    const rows = ofKind(log.paths.rejects, 'reject')
    expect(rows).toHaveLength(3 * 6)
    expect(rows.filter((row) => row['address'] === '192.0.2.1')).toHaveLength(3)
    expect(ofKind(log.paths.rejects, 'summary')).toMatchObject(
      Array.from({ length: 3 }, () => ({ address: '192.0.2.66', summarised: 35 })),
    )
    expect(rows.length + summarised(log.paths.rejects)).toBe(123)
  })

  it('keeps to its budget of bytes and still counts every one', async () => {
    const clock = steady()
    await using log = await openTestLog(folder, {
      clock,
      rejects: { perAddressPerS: 1_000, maxBytes: 5_000 },
    })
    for (let second = 0; second < 30; second++) {
      for (let n = 0; n < 50; n++)
        log.reject(aReject(`r-${second}-${n}`, { address: `192.0.2.${second}` }))
      clock.at += 1_000
    }
    await log.flush()
    expect(statSync(log.paths.rejects).size).toBeLessThan(6_000)
    expect(ofKind(log.paths.rejects, 'reject').length).toBeGreaterThan(5)
    expect(ofKind(log.paths.rejects, 'reject').length + summarised(log.paths.rejects)).toBe(1_500)
  })

  it('counts floods from very many addresses together, in bounded memory', async () => {
    const clock = steady()
    await using log = await openTestLog(folder, {
      clock,
      rejects: { ...rejects, maxBytes: 1e9 },
      limits: { ...auditDefaults.limits, queueRecords: 20_000, queueBytes: 1e9 },
    })
    for (let n = 0; n < 12_000; n++)
      log.reject(aReject(`r-${n}`, { address: `2001:db8::${n.toString(16)}` }))
    await log.flush()
    expect(ofKind(log.paths.rejects, 'reject')).toHaveLength(10_000)
    expect(ofKind(log.paths.rejects, 'summary')).toMatchObject([{ summarised: 2_000 }])
  })

  it('counts rows that find no room in the queue, and blocks no decision', async () => {
    const limits = { ...auditDefaults.limits, queueRecords: 10 }
    await using log = await openTestLog(folder, {
      clock: steady(),
      limits,
      rejects: { perAddressPerS: 1e6, maxBytes: 1e9 },
    })
    for (let n = 0; n < 500; n++) log.reject(aReject(`r-${n}`))
    await log.open(anEnvelope('d1')).commit(aDecision(), 'written')
    await log.flush()
    await log.flush()
    const rows = ofKind(log.paths.rejects, 'reject').length
    expect(rows).toBeLessThan(500)
    expect(rows + summarised(log.paths.rejects)).toBe(500)
  })

  it('decisions + reject rows + summarised = requests', async () => {
    await using log = await openTestLog(folder, { clock: steady(), rejects })
    for (let n = 0; n < 300; n++) {
      if (n % 3 === 0) await log.open(anEnvelope(`r${n}`)).commit(aDecision(), 'written')
      else log.reject(aReject(`r${n}`))
    }
    await log.flush()
    const decisions = ofKind(log.paths.decisions, 'decision').length
    const rows = ofKind(log.paths.rejects, 'reject').length
    expect(decisions + rows + summarised(log.paths.rejects)).toBe(300)
    expect(linesOf(log.paths.rejects).map((line) => line['seq'])).toEqual(
      linesOf(log.paths.rejects).map((_, n) => n + 1),
    )
  })
})
