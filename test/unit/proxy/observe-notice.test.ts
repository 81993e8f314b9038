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

  it('says nothing where nobody is observed, and from the end on', () => {
    expect(observeNotice(end, users, end)).toBeUndefined()
    expect(observeNotice(undefined, [{ name: 'enforced' }], 0)).toBeUndefined()
  })
})

describe('announceObservation', () => {
  it('says it at once and every hour, until nobody is observed any more', () => {
    const said: string[] = []
    const clock = { at: end - 2 * 3_600_000, now: () => clock.at }
    let hour = () => {}
    let periodMs = 0
    using _announced = announceObservation({
      ...{ everybodyUntilMs: end, users: () => [], clock },
      log: { warn: (message) => void said.push(message) },
      every(ms, callback) {
        periodMs = ms
        hour = callback
        return { [Symbol.dispose]: () => {} }
      },
    })
    expect([said.length, periodMs]).toEqual([1, 3_600_000])
    for (let i = 0; i < 3; i += 1) {
      clock.at += periodMs
      hour()
    }
    expect(said).toHaveLength(2)
  })
})
