import { describe, expect, it } from 'vitest'
import {
  createCallBudget,
  type CallWanted,
  type Urgency,
} from '../../../../src/upstream/lists/call-budget.ts'
import {
  aFleet,
  aGate,
  aQuestion,
  FakeCloud,
  FakeTime,
  limits,
  problemOf,
  settle,
  theLists,
} from './fake-cloud.ts'

const options = { user: 'acme' }
const filtered = (value: string) => aQuestion({ query: [{ key: 'groups', value }] })

function aBudget(callsPerMinute: number) {
  const time = new FakeTime()
  const budget = createCallBudget({ callsPerMinute, clock: time.clock, after: time.after })
  const taken: string[] = []
  const take = (name: string, how: Partial<CallWanted> = {}) => {
    const call: CallWanted = {
      claim: () => ({ urgency: 'awaited', users: ['acme'] }),
      patience: 'waits',
      signal: new AbortController().signal,
      ...how,
    }
    return budget.take(call).then(() => void taken.push(name))
  }
  return { time, budget, taken, take }
}

const by = (...users: string[]): Partial<CallWanted> => ({
  claim: () => ({ urgency: 'awaited', users }),
})

describe('the budget of calls', () => {
  it('gives a minute’s calls but the reserve at once, then one after the other as it refills', async () => {
    const { time, taken, take } = aBudget(60)
    for (let call = 0; call < 57; call++) void take(`c${call}`)
    await settle()
    expect(taken).toHaveLength(54)
    await time.pass(999)
    expect(taken).toHaveLength(54)
    await time.pass(1)
    expect(taken).toHaveLength(55)
    await time.pass(2000)
    expect(taken).toEqual(Array.from({ length: 57 }, (_, call) => `c${call}`))
    expect(time.timers).toBe(0)
  })

  it('never gives more than the refill over a longer time', async () => {
    const { time, taken, take } = aBudget(60)
    for (let call = 0; call < 600; call++) void take(`c${call}`)
    await time.pass(5 * 60_000)
    expect(taken.length).toBeGreaterThanOrEqual(354)
    expect(taken.length).toBeLessThanOrEqual(360)
  })

  it('saves up no more than a minute’s calls', async () => {
    const { time, taken, take } = aBudget(60)
    await time.pass(600_000)
    for (let call = 0; call < 100; call++) void take(`c${call}`, by(`user-${call}`))
    await settle()
    expect(taken).toHaveLength(60)
  })

  it('lets what clients wait for go first, and leaves them a reserve', async () => {
    const { time, taken, take } = aBudget(60)
    const background: Partial<CallWanted> = {
      claim: () => ({ urgency: 'background', users: ['acme'] }),
    }
    for (let call = 0; call < 60; call++) void take(`b${call}`, background)
    await settle()
    expect(taken).toHaveLength(54)
    void take('client', by('site'))
    await settle()
    expect(taken.at(-1)).toBe('client')
    expect(taken).toHaveLength(55)
    await time.pass(1000)
    expect(taken).toHaveLength(55)
    await time.pass(1000)
    expect(taken).toHaveLength(56)
  })

  it('asks at each turn whether a client waits by now', async () => {
    const { budget, taken, take } = aBudget(60)
    for (let call = 0; call < 54; call++) await take(`c${call}`)
    let urgency: Urgency = 'background'
    void take('late', { claim: () => ({ urgency, users: ['site'] }) })
    await settle()
    expect(taken).toHaveLength(54)
    urgency = 'awaited'
    budget.hurry()
    await settle()
    expect(taken.at(-1)).toBe('late')
  })

  it('refuses rather than keep waiting for long, and says until when', async () => {
    const { taken, take } = aBudget(60)
    for (let call = 0; call < 70; call++) void take(`c${call}`)
    const problem = await problemOf(take('late', { patience: 'refuses' }))
    expect(problem).toMatchObject({ code: 'overloaded', status: 503, retryAfterS: 17 })
    await settle()
    expect(taken).toHaveLength(54)
  })

  it('lets those go who gave up, without a call', async () => {
    const { time, taken, take } = aBudget(60)
    for (let call = 0; call < 54; call++) void take(`c${call}`)
    const gone = new AbortController()
    const first = take('gone', { signal: gone.signal })
    void take('next')
    gone.abort(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    await expect(take('late', { signal: gone.signal })).rejects.toThrow('gone')
    await time.pass(1000)
    expect(taken.at(-1)).toBe('next')
  })
})

describe('the turns of API users', () => {
  /** Nothing is left but the reserve, and `bad` and `good` have read much. */
  async function spent() {
    const budget = aBudget(60)
    for (let call = 0; call < 54; call++) {
      void budget.take('early', by(call % 2 === 0 ? 'bad' : 'good'))
    }
    await settle()
    budget.taken.length = 0
    return budget
  }

  it('go round, one call each, however many one of them has waiting', async () => {
    const { time, taken, take } = await spent()
    for (let call = 0; call < 144; call++) void take(`bad-${call}`, by('bad'))
    for (let call = 0; call < 3; call++) void take(`good-${call}`, by('good'))
    await time.pass(8000)
    expect(taken).toEqual([
      ...['bad-0', 'good-0', 'bad-1', 'good-1', 'bad-2', 'good-2', 'bad-3', 'bad-4'],
    ])
  })

  it('let no one save up turns by being away', async () => {
    const { time, taken, take } = await spent()
    for (let call = 0; call < 20; call++) void take('bad', by('bad'))
    await time.pass(4000)
    for (let call = 0; call < 20; call++) void take('good', by('good'))
    await time.pass(4000)
    expect(taken.slice(4)).toEqual(['good', 'bad', 'good', 'bad'])
  })

  it('are those of all who wait for the same', async () => {
    const { time, taken, take } = await spent()
    for (let call = 0; call < 144; call++) void take(`bad-${call}`, by('bad'))
    void take('shared', by('bad', 'good'))
    await time.pass(2000)
    expect(taken).toEqual(['bad-0', 'shared'])
  })

  it('leave the reserve to those who read little', async () => {
    const { taken, take } = await spent()
    for (let call = 0; call < 144; call++) void take('bad', by('bad'))
    for (let call = 0; call < 6; call++) void take('new', by('new'))
    await settle()
    expect(taken).toEqual(Array.from({ length: 6 }, () => 'new'))
  })

  it('refuse who has much waiting, and not who comes beside him', async () => {
    const { time, taken, take } = await spent()
    for (let call = 0; call < 144; call++) void take('bad', by('bad'))
    const refused = { ...by('bad'), patience: 'refuses' as const }
    const problem = await problemOf(take('late', refused))
    expect(problem).toMatchObject({ code: 'overloaded', retryAfterS: 145 })
    void take('good', { ...by('good'), patience: 'refuses' })
    await time.pass(2000)
    expect(taken).toEqual(['bad', 'good'])
  })
})

describe('reading lists within the budget', () => {
  it('slows a large list down and does not fail it', async () => {
    const cloud = new FakeCloud(aFleet(2000))
    const { lists, time } = theLists(cloud, { callsPerMinute: 60 })
    cloud.cap = 25
    const reading = lists.view(aQuestion(), options)
    await time.pass(10_000)
    expect(cloud.calls).toBe(64)
    await time.pass(16_000)
    expect((await reading).items).toHaveLength(2000)
    expect(cloud.calls).toBe(80)
  })

  it('refuses a new list when too many wait already, and not one in memory', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists } = theLists(cloud, { callsPerMinute: 6 })
    for (let list = 0; list < 6; list++) await lists.view(filtered(`${list}`), options)
    const waiting = lists.view(filtered('6'), options)
    const problem = await problemOf(lists.view(filtered('7'), options))
    expect(problem).toMatchObject({ code: 'overloaded', retryAfterS: 20 })
    await lists.view(filtered('0'), options)
    expect(cloud.calls).toBe(6)
    lists[Symbol.dispose]()
    await expect(waiting).rejects.toThrow()
  })

  it('counts look-ups that are no list with the calls for lists', async () => {
    const cloud = new FakeCloud(aFleet(1))
    const { lists, time } = theLists(cloud, { callsPerMinute: 6 })
    await lists.view(aQuestion(), options)
    for (let call = 0; call < 5; call++) await lists.take('acme')
    let taken = false
    const waiting = lists.take('acme').then(() => void (taken = true))
    expect(await problemOf(lists.take('acme'))).toMatchObject({
      code: 'overloaded',
      retryAfterS: 20,
    })
    await time.pass(9999)
    expect(taken).toBe(false)
    await time.pass(1)
    await waiting
    expect(cloud.calls).toBe(1)
  })

  it('reads in the background slowly, and quickly once somebody waits for it', async () => {
    const cloud = new FakeCloud(aFleet(951))
    const { lists, time } = theLists(cloud, { callsPerMinute: 20, maxAgeMs: 1000 })
    await lists.view(aQuestion(), options)
    await time.pass(1000)
    await lists.view(aQuestion(), options)
    await settle()
    // 20 a minute: 10 are spent, two must be left for clients.
    expect(cloud.calls).toBe(18)
    const awaited = lists.view(aQuestion(), { user: 'site', maxAgeMs: 1 })
    await settle()
    expect((await awaited).items).toHaveLength(951)
    expect(cloud.calls).toBe(20)
  })

  it('makes each call for those who wait by then', async () => {
    const cloud = new FakeCloud(aFleet(700))
    const gate = aGate()
    cloud.before = (query) => (query.get('page') === '1' ? gate.passed : undefined)
    const { lists, paid } = theLists(cloud)
    const first = lists.view(aQuestion(), { user: 'acme' })
    await settle()
    expect(paid).toEqual(['acme'])
    const second = lists.view(aQuestion(), { user: 'site' })
    gate.open()
    await Promise.all([first, second])
    expect(paid.filter((user) => user === 'acme')).toHaveLength(7)
    expect(paid.filter((user) => user === 'site')).toHaveLength(6)
  })

  it('asks for six pages of a list at a time', async () => {
    const cloud = new FakeCloud(aFleet(2000))
    const gate = aGate()
    cloud.before = (query) => (query.get('page') === '1' ? undefined : gate.passed)
    const { lists } = theLists(cloud)
    const reading = lists.view(aQuestion(), options)
    await settle()
    expect(cloud.calls).toBe(7)
    gate.open()
    expect((await reading).calls).toBe(20)
    expect(limits.callsPerMinute).toBeGreaterThan(20)
  })
})

describe('one API user with many sweeps waiting', () => {
  const big = () => new FakeCloud(aFleet(10_000))

  it('holds up nobody else (R13)', async () => {
    const cloud = big()
    const { lists, time } = theLists(cloud, { pagesPerMinute: 100_000 })
    const late = Array.from({ length: 24 }, (_, at) =>
      lists.view(filtered(`${at}`), { user: 'bad' }),
    )
    void Promise.allSettled(late)
    await time.pass(4000)
    const before = cloud.calls
    const reading = lists.view(filtered('good'), { user: 'good' })
    await time.pass(1000)
    expect((await reading).items).toHaveLength(10_000)
    const targets = cloud.targets.slice(before)
    const good = targets.filter((target) => target.includes('groups=good'))
    expect(good).toHaveLength(100)
    expect(targets.length).toBeLessThan(125)
    lists[Symbol.dispose]()
  })

  it('has but a few of them read, the others are rationed', async () => {
    const cloud = big()
    const { lists, time } = theLists(cloud)
    const outcomes: unknown[] = []
    for (let at = 0; at < 24; at++) {
      lists.view(filtered(`${at}`), { user: 'bad' }).then(
        () => outcomes.push('read'),
        (error: unknown) => outcomes.push(error),
      )
    }
    await time.pass(60_000)
    const problems = outcomes.filter((outcome) => outcome !== 'read')
    // 1,500 at once: 24 first pages, and 99 more for each of 14.
    expect(outcomes).toHaveLength(24)
    expect(problems).toHaveLength(10)
    expect(problems[0]).toMatchObject({ code: 'rationed', status: 429 })
    expect(cloud.calls).toBe(24 + 14 * 99)
  })
})
