import { describe, expect, it } from 'vitest'
import { endOf, hasExpired } from '../../../src/store/expiry.ts'
import { day, start } from '../../kit/tokens.ts'
import type { Expiry } from '../../../src/domain/grant.ts'

const midnight = Date.UTC(2027, 2, 1)
const never: Expiry = { kind: 'never' }
const date: Expiry = { kind: 'date', atMs: midnight }
const lifetime: Expiry = { kind: 'lifetime', lifetimeMs: 90 * day }
const idle: Expiry = { kind: 'idle', idleMs: 30 * day }

type Row = [
  what: string,
  issued: Expiry,
  today: Expiry | undefined,
  usedAt: number | undefined,
  now: number,
  expired: boolean,
]

const rows: Row[] = [
  ['T07 a date, 1 ms before', date, undefined, undefined, midnight - 1, false],
  ['T07 a date, at equality', date, undefined, undefined, midnight, true],
  ['T07 a date, 1 ms after', date, undefined, undefined, midnight + 1, true],
  ['T07 a lifetime, 1 ms before', lifetime, undefined, undefined, start + 90 * day - 1, false],
  ['T07 a lifetime, at equality', lifetime, undefined, undefined, start + 90 * day, true],
  ['a lifetime is not moved by use', lifetime, undefined, start + 89 * day, start + 90 * day, true],
  [
    'idle counts from creation until the first use',
    idle,
    undefined,
    undefined,
    start + 30 * day - 1,
    false,
  ],
  ['idle, never used, at equality', idle, undefined, undefined, start + 30 * day, true],
  ['idle counts from the last use', idle, undefined, start + 20 * day, start + 50 * day - 1, false],
  [
    'idle since the last use, at equality',
    idle,
    undefined,
    start + 20 * day,
    start + 50 * day,
    true,
  ],
  [
    'idle beside a date: idle bites first',
    { ...date, idleMs: day },
    undefined,
    undefined,
    start + day,
    true,
  ],
  [
    'idle beside a date: the date bites',
    { ...date, idleMs: day },
    undefined,
    midnight - 1,
    midnight,
    true,
  ],
  [
    'idle beside a lifetime',
    { ...lifetime, idleMs: day },
    undefined,
    start + day,
    start + 2 * day,
    true,
  ],
  ['never, after 400 days', never, undefined, undefined, start + 400 * day, false],
  ['A14 never, clock 400 days back', never, undefined, undefined, start - 400 * day, false],
  ['T07 a lifetime, clock 400 days ahead', lifetime, undefined, undefined, start + 400 * day, true],
  ['T07 a lifetime, clock 400 days back', lifetime, undefined, undefined, start - 400 * day, false],
  ['T07 idle, clock 400 days ahead', idle, undefined, start, start + 400 * day, true],
  ['T07 idle, clock 400 days back is not endless', idle, undefined, start, start - 400 * day, true],
  ['A14 idle, clock stepped back 10 minutes', idle, undefined, start, start - 600_000, false],
  [
    'today shortens: an earlier date',
    date,
    { kind: 'date', atMs: start + day },
    undefined,
    start + day,
    true,
  ],
  ['today shortens: a lifetime from issue', never, lifetime, undefined, start + 90 * day, true],
  ['today shortens: idle', never, idle, undefined, start + 30 * day, true],
  ['today never lengthens: never', lifetime, never, undefined, start + 90 * day, true],
  [
    'today never lengthens: a later date',
    { kind: 'date', atMs: start + day },
    date,
    undefined,
    start + day,
    true,
  ],
  [
    'today never lengthens: idle',
    { kind: 'idle', idleMs: day },
    idle,
    undefined,
    start + day,
    true,
  ],
]

describe('hasExpired', () => {
  it.each(rows)('%s', (_, issued, today, usedAt, now, expired) => {
    const row = { createdAtMs: start, expiresAtMs: endOf(issued, start), idleMs: issued.idleMs }
    expect(hasExpired(row, today, usedAt, now)).toBe(expired)
  })
})
