import { describe, expect, it } from 'vitest'
import { createSeldom } from '../../../src/lib/seldom.ts'

describe('seldom', () => {
  it('says each name once in a while, and how often it was left out', () => {
    let nowMs = 0
    const seldom = createSeldom({ monotonic: () => nowMs }, 1000)
    const said: [string, number][] = []
    const say = (name: string) => seldom(name, (skipped) => void said.push([name, skipped]))
    for (let i = 0; i < 3; i += 1) say('a')
    say('b')
    nowMs = 999
    say('a')
    nowMs = 1000
    say('a')
    say('b')
    expect(said).toEqual([
      ['a', 0],
      ['b', 0],
      ['a', 3],
      ['b', 0],
    ])
  })

  it('remembers a bounded number of names', () => {
    const seldom = createSeldom({ monotonic: () => 0 }, 1000)
    let said = 0
    for (let i = 0; i < 1001; i += 1) seldom(`${i}`, () => void (said += 1))
    seldom('0', () => void (said += 1))
    expect(said).toBe(1002)
  })
})
