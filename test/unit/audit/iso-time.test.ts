import { expect, it } from 'vitest'
import { createIsoTime } from '../../../src/audit/iso-time.ts'

it('says the time of each moment, also when the clock is set back', () => {
  let nowMs = Date.UTC(2026, 5, 1, 12, 0, 0, 5)
  const time = createIsoTime({ now: () => nowMs })
  expect([time.now(), time.now()]).toEqual(Array(2).fill('2026-06-01T12:00:00.005Z'))
  nowMs += 1
  expect(time.now()).toBe('2026-06-01T12:00:00.006Z')
  nowMs -= 1
  expect(time.now()).toBe('2026-06-01T12:00:00.005Z')
})
