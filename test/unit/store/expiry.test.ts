import { describe, expect, it } from 'vitest'
import { endOf, limitsOf, runsOutAt, standingOf } from '../../../src/store/expiry.ts'
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

function rowOf(issued: Expiry) {
  return {
    createdAtMs: start,
    expiresAtMs: endOf(issued, start),
    notBeforeMs: issued.notBeforeMs,
    idleMs: issued.idleMs,
  }
}

describe('standingOf', () => {
  it.each(rows)('%s', (_, issued, today, usedAt, now, expired) => {
    const standing = standingOf(rowOf(issued), today, usedAt, now)
    expect(['ended', 'idle'].includes(standing)).toBe(expired)
  })

  const from: Expiry = { kind: 'never', notBeforeMs: start + 10 * day }
  it.each([
    ['T07 before its beginning, 1 ms', from, undefined, start + 10 * day - 1, 'not_yet_valid'],
    ['T07 at its beginning', from, undefined, start + 10 * day, 'valid'],
    ['A14 clock 400 days back', from, undefined, start - 400 * day, 'not_yet_valid'],
    [
      'today puts the beginning off',
      from,
      { kind: 'never', notBeforeMs: start + 20 * day },
      start + 20 * day - 1,
      'not_yet_valid',
    ],
    [
      'today never brings the beginning forward',
      from,
      { kind: 'never', notBeforeMs: start },
      start + 10 * day - 1,
      'not_yet_valid',
    ],
    ['today without one takes none away', from, never, start + 10 * day - 1, 'not_yet_valid'],
    [
      'today sets one where there was none',
      never,
      { kind: 'never', notBeforeMs: start + day },
      start,
      'not_yet_valid',
    ],
    [
      'an end that has come counts before a beginning that has not',
      from,
      { kind: 'date', atMs: start + day },
      start + day,
      'ended',
    ],
    [
      'idle counts from the beginning until the first use',
      { ...idle, notBeforeMs: start + 60 * day },
      undefined,
      start + 90 * day - 1,
      'valid',
    ],
    [
      'idle from the beginning, at equality',
      { ...idle, notBeforeMs: start + 60 * day },
      undefined,
      start + 90 * day,
      'idle',
    ],
    [
      'a beginning that today puts off does not stretch the idle time',
      idle,
      { kind: 'never', notBeforeMs: start + 60 * day },
      start + 60 * day,
      'idle',
    ],
  ] satisfies [string, Expiry, Expiry | undefined, number, string][])(
    '%s',
    (_, issued, today, now, standing) => {
      expect(standingOf(rowOf(issued), today, undefined, now)).toBe(standing)
    },
  )
})

describe('limitsOf and runsOutAt', () => {
  it('take the tighter of the row and of today, each by itself', () => {
    const row = rowOf({ ...date, idleMs: 9 * day, notBeforeMs: start })
    const today: Expiry = { ...lifetime, idleMs: 30 * day, notBeforeMs: start + day }
    expect(limitsOf(row, today)).toEqual({
      expiresAtMs: start + 90 * day,
      notBeforeMs: start + day,
      idleMs: 9 * day,
    })
  })

  it('say when it runs out unused: idle after the last use, or its end where that comes first', () => {
    const row = rowOf({ ...lifetime, idleMs: 30 * day })
    expect(runsOutAt(row, undefined, undefined)).toBe(start + 30 * day)
    expect(runsOutAt(row, undefined, start + 20 * day)).toBe(start + 50 * day)
    expect(runsOutAt(row, undefined, start + 80 * day)).toBe(start + 90 * day)
    expect(runsOutAt(rowOf(never), never, start)).toBeUndefined()
  })
})
