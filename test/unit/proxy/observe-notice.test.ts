import { describe, expect, it } from 'vitest'
import { announceObservation, observeNotice } from '../../../src/proxy/observe-notice.ts'

const end = Date.UTC(2027, 2, 1)
const users = [
  { name: 'acme', observeUntilMs: end },
  { name: 'old', observeUntilMs: end - 1 },
  { name: 'enforced' },
]

describe('observeNotice', () => {
  it('says whom, and until when', () => {
    expect(observeNotice(end, users, end - 1)).toEqual({
      message: 'everybody is observed: what would be denied is forwarded',
      fields: {
        everybody_until: '2027-03-01T00:00:00.000Z',
        api_users: { acme: '2027-03-01T00:00:00.000Z' },
      },
    })
    expect(observeNotice(undefined, users, end - 2)?.message).toContain('2 API users are observed')
    expect(observeNotice(undefined, users, end - 1)?.message).toContain('an API user is observed')
  })

  it('names a hundred, and says how many more there are', () => {
    const many = Array.from({ length: 103 }, (_, n) => ({ name: `u${n}`, observeUntilMs: end }))
    const notice = observeNotice(undefined, many, 0)
    expect(notice?.message).toContain('103 API users')
    expect(Object.keys(notice?.fields.api_users ?? {})).toHaveLength(100)
    expect(notice?.fields.more).toBe(3)
  })

  it('says nothing where nobody is observed, and from the end on', () => {
    expect(observeNotice(end, users, end)).toBeUndefined()
    expect(observeNotice(undefined, [{ name: 'enforced' }], 0)).toBeUndefined()
  })
})

describe('announceObservation', () => {
  const hourMs = 3_600_000
  type Stored = { name: string; observeUntilMs?: number }[]

  function announcing(everybodyUntilMs: number | undefined, stored: () => Promise<Stored>) {
    const said: [string, object | undefined][] = []
    const faults: unknown[] = []
    const clock = { at: end - 2 * hourMs, now: () => clock.at }
    const timer = { ms: 0, fire: () => {} }
    const announced = announceObservation({
      ...{ everybodyUntilMs, users: () => [], stored, clock },
      log: { warn: (message, fields) => void said.push([message, fields]) },
      every(ms, callback) {
        Object.assign(timer, { ms, fire: callback })
        return { [Symbol.dispose]: () => {} }
      },
      onFault: (error) => void faults.push(error),
    })
    const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
    return {
      ...{ said, faults, timer, settled },
      async hour() {
        clock.at += hourMs
        timer.fire()
        await settled()
      },
      [Symbol.dispose]: () => announced[Symbol.dispose](),
    }
  }

  it('says it at once and every hour, until nobody is observed any more', async () => {
    using rig = announcing(end, async () => [])
    await rig.settled()
    expect([rig.said.length, rig.timer.ms]).toEqual([1, hourMs])
    for (let i = 0; i < 3; i += 1) {
      // oxlint-disable-next-line no-await-in-loop -- hour by hour
      await rig.hour()
    }
    expect(rig.said).toHaveLength(2)
  })

  it('says it of API users of the store, as they are at that hour', async () => {
    const stored: Stored = [{ name: 'enforced' }]
    using rig = announcing(undefined, async () => stored)
    await rig.settled()
    expect(rig.said).toEqual([])
    stored.push({ name: 'acme', observeUntilMs: end })
    await rig.hour()
    expect(rig.said).toEqual([
      [
        expect.stringContaining('an API user is observed'),
        { api_users: { acme: '2027-03-01T00:00:00.000Z' } },
      ],
    ])
    await rig.hour()
    expect(rig.said).toHaveLength(1)
  })

  it('says what it knows where the store does not answer', async () => {
    using rig = announcing(end, () => Promise.reject(new Error('gone')))
    await rig.settled()
    expect(rig.said[0]?.[0]).toContain('everybody is observed')
    expect(rig.faults).toHaveLength(1)
  })
})
