import { beforeEach, describe, expect, it } from 'vitest'
import type { Change } from '../../../../src/store/changes.ts'
import {
  createPostgresFeed,
  fenceMs,
  type Look,
} from '../../../../src/store/postgres/postgres-changes.ts'

const change = (seq: number, user = `user-${seq}`): Change => ({
  seq,
  atMs: seq,
  user,
  kind: 'token_revoked',
  by: 'cli:test',
})

describe('createPostgresFeed', () => {
  /** The database: its history, what was forgotten of it, and whether it answers. */
  let history: Change[]
  let forgotten: number
  let answers: 'at once' | 'never' | 'with an error'
  let answered: Promise<void>
  let looks: number
  let nowMs: number
  /** How far the wall clock went on while all else stood still. */
  let suspendedMs: number
  let timers: { atMs: number; run: () => void }[]
  let faults: unknown[]
  let told: (readonly Change[] | 'unknown')[]

  beforeEach(() => {
    history = [change(1), change(2)]
    forgotten = 0
    answers = 'at once'
    answered = Promise.resolve()
    looks = 0
    nowMs = 0
    suspendedMs = 0
    timers = []
    faults = []
    told = []
  })

  async function look(known: number): Promise<Look> {
    looks += 1
    if (answers === 'with an error') throw new Error('gone')
    if (answers === 'never') return new Promise(() => undefined)
    await answered
    const seq = history.at(-1)?.seq ?? 0
    if (seq < known || forgotten > known) return { seq, forgotten, changes: 'unknown' }
    return { seq, forgotten, changes: history.filter((each) => each.seq >= known) }
  }

  async function started() {
    const feed = createPostgresFeed({
      look,
      clock: { now: () => 1_000_000 + nowMs + suspendedMs, monotonic: () => nowMs },
      timer(afterMs, run) {
        const entry = { atMs: nowMs + afterMs, run }
        timers.push(entry)
        return () => void (timers = timers.filter((each) => each !== entry))
      },
      onFault: (error) => void faults.push(error),
      listening: () => true,
    })
    feed.onChange((changes) => void told.push(changes))
    await feed.start()
    return feed
  }

  async function pass(ms: number): Promise<void> {
    const untilMs = nowMs + ms
    for (;;) {
      const [due] = timers.toSorted((a, b) => a.atMs - b.atMs)
      if (due === undefined || due.atMs > untilMs) break
      timers = timers.filter((each) => each !== due)
      nowMs = Math.max(nowMs, due.atMs)
      due.run()
      await settled()
    }
    nowMs = untilMs
  }

  const settled = async () => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }

  it('looks each second, and tells what is new, once', async () => {
    await started()
    await pass(999)
    expect(looks).toBe(1)
    history.push(change(3), change(4))
    await pass(1)
    expect(told).toEqual([[change(3), change(4)]])
    await pass(5000)
    expect(told).toHaveLength(1)
    expect(looks).toBe(7)
  })

  it('looks at once when it is told of a newer change, and not for what it knows', async () => {
    const feed = await started()
    feed.noticed(2)
    feed.noticed(Number.NaN)
    await settled()
    expect(looks).toBe(1)
    history.push(change(3))
    feed.noticed(3)
    await settled()
    expect(told).toEqual([[change(3)]])
    expect(timers.map(({ atMs }) => atMs)).toEqual([1000])
  })

  it('refreshes with a look sent after the call, however many wait', async () => {
    const feed = await started()
    const early = feed.refresh()
    history.push(change(3))
    await Promise.all([early, feed.refresh(), feed.refresh()])
    expect(looks).toBe(3)
    expect(told.flat()).toEqual([change(3)])
    expect(feed.state()).toEqual({ seq: 3, confirmedAtMs: 1_000_000, listening: true })
  })

  it('gives memory up where an own write cannot be taken in', async () => {
    const feed = await started()
    answers = 'with an error'
    await expect(feed.refresh()).rejects.toThrow('gone')
    expect(told).toEqual(['unknown'])
  })

  it('is fresh as long as the last good look was sent within the fence, and not a moment longer', async () => {
    const feed = await started()
    await pass(1000)
    answers = 'never'
    await pass(fenceMs)
    expect(() => feed.assertFresh()).not.toThrow()
    nowMs += 1
    expect(() => feed.assertFresh()).toThrow(/store_unavailable/)
  })

  it('is not fresh after its machine was suspended, when only the wall clock went on, until it has looked', async () => {
    const feed = await started()
    const { promise, resolve } = Promise.withResolvers<void>()
    answered = promise
    const underWay = feed.refresh()
    suspendedMs += fenceMs
    expect(() => feed.assertFresh()).not.toThrow()
    suspendedMs += 1
    expect(() => feed.assertFresh()).toThrow(/store_unavailable/)
    resolve()
    await underWay
    expect(() => feed.assertFresh()).toThrow(/store_unavailable/)
    await pass(1000)
    expect(() => feed.assertFresh()).not.toThrow()
  })

  it('is not made fresh by a wall clock that was set back', async () => {
    const feed = await started()
    answers = 'never'
    suspendedMs -= 3_600_000
    await pass(fenceMs)
    expect(() => feed.assertFresh()).not.toThrow()
    nowMs += 1
    expect(() => feed.assertFresh()).toThrow(/store_unavailable/)
  })

  it('counts from the sending of a look, not from its answer', async () => {
    const feed = await started()
    nowMs += 500
    const { promise, resolve } = Promise.withResolvers<void>()
    answered = promise
    const slow = feed.refresh()
    nowMs += 1800
    resolve()
    await slow
    nowMs += 200
    expect(() => feed.assertFresh()).not.toThrow()
    nowMs += 1
    expect(() => feed.assertFresh()).toThrow(/store_unavailable/)
  })

  it('tries again four times a second while it fails, says so once, and recovers', async () => {
    const feed = await started()
    answers = 'with an error'
    await pass(3000)
    expect(() => feed.assertFresh()).toThrow(/store_unavailable/)
    expect(faults).toHaveLength(1)
    expect(looks).toBeGreaterThanOrEqual(9)
    history.push(change(3))
    answers = 'at once'
    await pass(250)
    expect(() => feed.assertFresh()).not.toThrow()
    expect(told).toEqual([[change(3)]])
  })

  it('cannot know after changes were forgotten; knows where only what it had was', async () => {
    await started()
    await pass(1000)
    history = [change(3), change(4)]
    forgotten = 2
    await pass(1000)
    expect(told).toEqual([[change(3), change(4)]])
    history = [change(9)]
    forgotten = 8
    await pass(1000)
    expect(told[1]).toBe('unknown')
    history.push(change(10))
    await pass(1000)
    expect(told[2]).toEqual([change(10)])
  })

  it('cannot know after the database fell back: to fewer changes, or to others under the same numbers', async () => {
    const feed = await started()
    await pass(1000)
    history = [change(1), change(2, 'somebody else'), change(3)]
    await pass(1000)
    expect(told).toEqual(['unknown'])
    await pass(1000)
    history = [change(1)]
    await pass(1000)
    expect(told).toEqual(['unknown', 'unknown'])
    expect(feed.state().seq).toBe(1)
  })

  it('does not count as taken in what a listener could not take', async () => {
    const feed = await started()
    let fails = true
    feed.onChange(() => {
      if (fails) throw new Error('not now')
    })
    history.push(change(3))
    await pass(2500)
    expect(() => feed.assertFresh()).toThrow(/store_unavailable/)
    fails = false
    await pass(250)
    expect(() => feed.assertFresh()).not.toThrow()
    expect(told.at(-1)).toEqual([change(3)])
  })

  it('stops looking when it is disposed of', async () => {
    const feed = await started()
    await feed[Symbol.asyncDispose]()
    await pass(5000)
    expect(looks).toBe(1)
  })
})
