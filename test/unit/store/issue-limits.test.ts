import { describe, expect, it } from 'vitest'
import { whyNotIssue } from '../../../src/store/issue-limits.ts'
import { aUser, day, start } from '../../kit/tokens.ts'
import type { Expiry } from '../../../src/domain/grant.ts'

const why = (expiry: Expiry, max?: number) => whyNotIssue(aUser('anna', expiry), start, max)

describe('whyNotIssue', () => {
  it('refuses what would be dead at once, and takes what lives a moment', () => {
    expect(why({ kind: 'date', atMs: start })).toMatch(/anna expired on 2026-06-01T00:00:00/)
    expect(why({ kind: 'date', atMs: start + 1 })).toBeUndefined()
  })

  it('refuses what would end before it begins', () => {
    const begins = start + 10 * day
    const lives = (days: number): Expiry => ({
      kind: 'lifetime',
      lifetimeMs: days * day,
      notBeforeMs: begins,
    })
    expect(why(lives(10))).toMatch(/not_before/)
    expect(why(lives(11))).toBeUndefined()
  })

  it('without a longest lifetime takes every end and none', () => {
    expect(why({ kind: 'never' })).toBeUndefined()
    expect(why({ kind: 'date', atMs: start + 9_999 * day })).toBeUndefined()
  })

  it.each([
    ['never', { kind: 'never' }, true],
    ['idle alone, which moves on with each use', { kind: 'idle', idleMs: day }, true],
    ['a lifetime of the longest', { kind: 'lifetime', lifetimeMs: 90 * day }, false],
    ['a lifetime 1 ms longer', { kind: 'lifetime', lifetimeMs: 90 * day + 1 }, true],
    ['a date at the limit', { kind: 'date', atMs: start + 90 * day }, false],
    ['a date 1 ms later', { kind: 'date', atMs: start + 90 * day + 1 }, true],
  ] satisfies [string, Expiry, boolean][])('with one of 90 days: %s', (_, expiry, refused) => {
    const says = why(expiry, 90 * day)
    if (!refused) return expect(says).toBeUndefined()
    expect(says).toMatch(/anna .*tokens\.max_lifetime allows 90d, until 2026-08-30.*lifetime: 90d/)
  })
})
