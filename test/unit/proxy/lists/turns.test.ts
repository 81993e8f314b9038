import { describe, expect, it } from 'vitest'
import { createTurns } from '../../../../src/proxy/lists/turns.ts'

describe('createTurns', () => {
  it('waits for nothing as long as a slice lasts', async () => {
    let now = 0
    const breathe = createTurns({ monotonic: () => now }, 5)()
    expect(breathe()).toBeUndefined()
    now = 4.9
    expect(breathe()).toBeUndefined()
    now = 5
    const pause = breathe()
    expect(pause).toBeInstanceOf(Promise)
    await pause
    expect(breathe()).toBeUndefined()
  })

  it('lets only one of many go on in each turn of the event loop', async () => {
    const turns = createTurns({ monotonic: () => performance.now() }, 0)
    const seen: string[] = []
    let running = true
    const tick = () => {
      seen.push('-')
      if (running) setImmediate(tick)
    }
    setImmediate(tick)
    await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        await turns()()
        seen.push(name)
      }),
    )
    running = false
    expect(seen.join('')).toMatch(/^-+a-+b-+c$/)
  })
})
