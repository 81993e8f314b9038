import { describe, expect, it } from 'vitest'
import type { Hours } from '../../../src/domain/grant.ts'
import { isWithin } from '../../../src/policy/hours.ts'

const at = (hours: Hours, iso: string) => isWithin(hours, Date.parse(iso), new Map())

describe('hours', () => {
  const office: Hours = {
    days: [1, 2, 3, 4, 5],
    hours: { from: 480, to: 1080 },
    zone: 'Europe/Berlin',
  }

  it('are those of the zone, end exclusive', () => {
    expect(at(office, '2026-11-23T06:59:59Z')).toBe(false)
    expect(at(office, '2026-11-23T07:00:00Z')).toBe(true)
    expect(at(office, '2026-11-23T16:59:59Z')).toBe(true)
    expect(at(office, '2026-11-23T17:00:00Z')).toBe(false)
  })

  it('follow daylight saving', () => {
    expect(at(office, '2026-07-06T06:00:00Z')).toBe(true)
    expect(at(office, '2026-07-06T05:59:00Z')).toBe(false)
    const night: Hours = { hours: { from: 120, to: 180 }, zone: 'Europe/Berlin' }
    // 2026-10-25: 02:30 happens twice, at 00:30Z and at 01:30Z. 2026-03-29: it does not happen.
    expect(at(night, '2026-10-25T00:30:00Z')).toBe(true)
    expect(at(night, '2026-10-25T01:30:00Z')).toBe(true)
    expect(at(night, '2026-10-25T02:30:00Z')).toBe(false)
    expect(at(night, '2026-03-29T01:30:00Z')).toBe(false)
  })

  it('know the days, and the dates on which they do not hold', () => {
    expect(at(office, '2026-11-22T10:00:00Z')).toBe(false)
    const holiday: Hours = { ...office, notOn: ['2026-11-23'] }
    expect(at(holiday, '2026-11-23T10:00:00Z')).toBe(false)
    expect(at(holiday, '2026-11-24T10:00:00Z')).toBe(true)
  })

  it('over midnight belong to the day they began on', () => {
    const friday: Hours = {
      days: [5],
      hours: { from: 1320, to: 360 },
      zone: 'UTC',
      notOn: ['2026-11-27'],
    }
    expect(at(friday, '2026-11-20T23:00:00Z')).toBe(true)
    expect(at(friday, '2026-11-21T05:59:00Z')).toBe(true)
    expect(at(friday, '2026-11-20T05:00:00Z')).toBe(false)
    expect(at(friday, '2026-11-21T23:00:00Z')).toBe(false)
    expect(at(friday, '2026-11-28T01:00:00Z')).toBe(false)
  })
})
