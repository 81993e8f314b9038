import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { createQuota, type Quota } from '../../../src/upstream/quota.ts'

const windowMs = 300_000

function start(calls: number, reserve = 0.1) {
  const time = { ms: 0 }
  const quota = createQuota({
    calls,
    perMs: windowMs,
    reserve,
    clock: { monotonic: () => time.ms },
  })
  return { quota, time }
}

/** How many of so many calls pass. */
function passed(quota: Quota, user: string, calls: number): number {
  let count = 0
  for (let i = 0; i < calls; i++) if (refusal(() => quota.take(user)) === undefined) count++
  return count
}

/** The same of look-ups for him. */
function lookedUp(quota: Quota, user: string, calls: number): number {
  let count = 0
  for (let i = 0; i < calls; i++) if (refusal(() => quota.takeOwn([user])) === undefined) count++
  return count
}

function refusal(call: () => void): Problem | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    return Problem.from(error)
  }
}

describe('the quota of the cloud', () => {
  it('lets pass what clients may call, and refuses more with the seconds until there is room', () => {
    const { quota, time } = start(100)
    expect(passed(quota, 'a', 90)).toBe(90)
    const refused = refusal(() => quota.take('a'))
    expect(refused).toMatchObject({ code: 'upstream_quota', status: 429 })
    expect(refused?.retryAfterS).toBeGreaterThan(0)
    time.ms += (refused?.retryAfterS ?? 0) * 1_000
    expect(refusal(() => quota.take('a'))).toBeUndefined()
  })

  it('keeps the reserve for look-ups of who comes late, and no more', () => {
    const { quota } = start(100)
    passed(quota, 'a', 100)
    expect(lookedUp(quota, 'a', 100)).toBe(0)
    expect(lookedUp(quota, 'b', 100)).toBe(10)
    expect(lookedUp(quota, 'c', 100)).toBe(0)
  })

  it('deals the reserve out too, so that look-ups of one leave some to another', () => {
    const { quota } = start(100, 0.5)
    passed(quota, 'a', 100)
    expect(lookedUp(quota, 'b', 100)).toBe(34)
    expect(lookedUp(quota, 'c', 100)).toBe(16)
  })

  it('counts a look-up in the part of whom it is made for, and neither takes what is kept for others', () => {
    const { quota } = start(1_000)
    passed(quota, 'quiet', 1)
    expect(lookedUp(quota, 'greedy', 2_000)).toBe(719)
    expect(passed(quota, 'greedy', 10)).toBe(0)
    expect(quota.forecast()).toMatchObject({
      ...{ used: 720, own: 719 },
      users: [
        { user: 'greedy', used: 719 },
        { user: 'quiet', used: 1 },
      ],
    })
    expect(passed(quota, 'quiet', 2_000)).toBe(180)
    expect(lookedUp(quota, 'quiet', 2_000)).toBe(100)
  })

  it('lets a look-up pass that is made for several, as long as one of them has room', () => {
    const { quota } = start(1_000)
    passed(quota, 'quiet', 1)
    passed(quota, 'greedy', 2_000)
    expect(refusal(() => quota.takeOwn(['greedy']))?.code).toBe('upstream_quota')
    expect(refusal(() => quota.takeOwn(['greedy', 'quiet']))).toBeUndefined()
    expect(quota.forecast().users).toContainEqual({ user: 'quiet', used: 2 })
  })

  it('keeps a fair part for who comes late', () => {
    const { quota } = start(1_000, 0)
    expect(passed(quota, 'quiet', 1)).toBe(1)
    expect(passed(quota, 'greedy', 2_000)).toBe(799)
    expect(refusal(() => quota.take('greedy'))?.code).toBe('upstream_quota')
    expect(passed(quota, 'quiet', 2_000)).toBe(200)
  })

  it('lets one API user alone have all of it', () => {
    const { quota } = start(1_000, 0)
    expect(passed(quota, 'only', 2_000)).toBe(1_000)
  })

  it('keeps the rest from who may have a part of it only, even alone', () => {
    const { quota } = start(1_000, 0)
    const took = () => refusal(() => quota.take('unknown', 0.8)) === undefined
    expect(Array.from({ length: 1_000 }, took).filter(Boolean)).toHaveLength(800)
    expect(passed(quota, 'known', 2_000)).toBe(200)
    expect(refusal(() => quota.take('unknown', 0.8))?.code).toBe('upstream_quota')
  })

  it('is shared among replicas', () => {
    const { quota } = start(100, 0)
    quota.share(4)
    expect(passed(quota, 'a', 100)).toBe(25)
    quota.share(1)
    expect(passed(quota, 'a', 100)).toBe(75)
  })

  it('never lets more pass in any window than there is', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            user: fc.constantFrom('a', 'b', 'c'),
            own: fc.boolean(),
            waitMs: fc.nat(20_000),
          }),
          {
            maxLength: 400,
          },
        ),
        (calls) => {
          const { quota, time } = start(40)
          const passedAt: number[] = []
          for (const { user, own, waitMs } of calls) {
            time.ms += waitMs
            const refused = refusal(() => (own ? quota.takeOwn([user]) : quota.take(user)))
            if (refused === undefined) passedAt.push(time.ms)
          }
          for (const atMs of passedAt) {
            const within = passedAt.filter((other) => other >= atMs && other < atMs + windowMs)
            expect(within.length).toBeLessThanOrEqual(40)
          }
        },
      ),
    )
  })

  it('forecasts when none is left, and who uses it', () => {
    const { quota, time } = start(1_000, 0)
    expect(quota.forecast()).toMatchObject({ used: 0, pace: 0, users: [] })
    expect(quota.forecast().exhaustedInS).toBeUndefined()
    passed(quota, 'a', 300)
    passed(quota, 'b', 100)
    quota.takeOwn(['b'])
    time.ms += 30_000
    expect(quota.forecast()).toEqual({
      ...{ calls: 1_000, perS: 300, used: 401, own: 1, pace: 401 },
      exhaustedInS: 90,
      users: [
        { user: 'a', used: 300 },
        { user: 'b', used: 101 },
      ],
    })
    time.ms += 60_000
    expect(quota.forecast().exhaustedInS).toBeUndefined()
  })
})

describe('a 429 of the cloud', () => {
  it('stops the API user it was for as long as it says, and nobody else', () => {
    const { quota, time } = start(100)
    quota.refused('a', 5)
    expect(refusal(() => quota.take('a'))).toMatchObject({ code: 'upstream_quota', retryAfterS: 5 })
    expect(refusal(() => quota.take('b'))).toBeUndefined()
    expect(refusal(() => quota.takeOwn(['z']))).toBeUndefined()
    time.ms += 5_000
    expect(refusal(() => quota.take('a'))).toBeUndefined()
  })

  it('stops everybody where it meets several, for five seconds at most, and whom it met for a minute at most', () => {
    const { quota, time } = start(100)
    quota.refused('a', undefined)
    quota.refused('b', 86_400)
    expect(refusal(() => quota.take('c'))).toMatchObject({ retryAfterS: 5 })
    expect(refusal(() => quota.take('b'))).toMatchObject({ retryAfterS: 60 })
    expect(quota.forecast().backingOffS).toBe(5)
    time.ms += 5_000
    expect(refusal(() => quota.take('c'))).toBeUndefined()
    expect(refusal(() => quota.take('b'))).toMatchObject({ retryAfterS: 55 })
    expect(quota.forecast().backingOffS).toBeUndefined()
    time.ms += 55_000
    expect(refusal(() => quota.take('b'))).toBeUndefined()
  })

  it('stops the gate’s own look-ups where it meets one of them, however many clients it met', () => {
    const { quota, time } = start(100)
    for (const user of ['a', 'b', 'c']) quota.refused(user, 60)
    expect(refusal(() => quota.takeOwn(['z']))).toBeUndefined()
    quota.refused(undefined, 30)
    expect(refusal(() => quota.takeOwn(['z']))).toMatchObject({ retryAfterS: 30 })
    expect(quota.forecast().backingOffS).toBe(30)
    time.ms += 30_000
    expect(refusal(() => quota.takeOwn(['z']))).toBeUndefined()
  })

  it('of one long ago does not count with one of today', () => {
    const { quota, time } = start(100)
    quota.refused('a', undefined)
    time.ms += 11_000
    quota.refused('b', undefined)
    expect(refusal(() => quota.take('c'))).toBeUndefined()
  })

  it('of the gate’s own look-up stops everybody', () => {
    const { quota } = start(100)
    quota.refused(undefined, 3)
    expect(refusal(() => quota.take('a'))).toMatchObject({ retryAfterS: 3 })
  })
})
