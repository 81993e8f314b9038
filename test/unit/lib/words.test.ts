/** What people and machines may read of mistakes and secrets: `nearest`, `mistake`, `secret`. */

import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Mistakes } from '../../../src/lib/mistake.ts'
import { didYouMean, nearest } from '../../../src/lib/nearest.ts'
import { Secret } from '../../../src/lib/secret.ts'

describe('nearest', () => {
  it('finds a swap, a slip and another letter case, and nothing far', () => {
    expect(nearest('raed', ['write', 'read'])).toBe('read')
    expect(nearest('devices:gett', ['devices:list', 'devices:get'])).toBe('devices:get')
    expect(nearest('READ', ['read'])).toBe('read')
    expect(nearest('zzz', ['read'])).toBeUndefined()
    expect(nearest('', ['ab'])).toBeUndefined()
    expect(nearest('ab', [])).toBeUndefined()
  })

  it('takes the first among equals and the nearer of two', () => {
    expect(nearest('cat', ['bat', 'hat'])).toBe('bat')
    expect(nearest('reader', ['render', 'readers'])).toBe('render')
    expect(didYouMean('raed', ['read'])).toBe('; did you mean "read"?')
    expect(didYouMean('zzz', ['read'])).toBe('')
  })
})

describe('Mistakes', () => {
  it('sorts by place and prints one line each, without changing what it was given', () => {
    const at = (file: string, line: number, column: number) => ({
      file,
      line,
      column,
      message: 'm',
    })
    const given = [at('b', 1, 1), at('a', 10, 1), at('a', 2, 9), at('a', 2, 3)]
    const error = new Mistakes(given)
    expect(error.message).toBe('a:2:3  m\na:2:9  m\na:10:1  m\nb:1:1  m')
    expect(error.list).toHaveLength(4)
    expect(given[0]?.file).toBe('b')
  })
})

describe('Secret', () => {
  it('T12 shows itself nowhere but through reveal', () => {
    const secret = new Secret('hush')
    const shown = [
      String(secret),
      secret.toString(),
      JSON.stringify({ secret }),
      inspect({ secret }),
    ]
    shown.push(
      inspect(secret, { showHidden: true, depth: 9 }),
      JSON.stringify(Object.entries(secret)),
    )
    shown.push(new Error('x', { cause: secret }).message, JSON.stringify(structuredClone(secret)))
    expect(shown.join()).not.toContain('hush')
    expect(shown[0]).toBe('[secret]')
    expect(secret.reveal()).toBe('hush')
  })
})
