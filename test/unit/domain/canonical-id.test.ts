import { describe, expect, it } from 'vitest'
import { canonicalId } from '../../../src/domain/canonical-id.ts'

describe('canonicalId', () => {
  const hex = { id: /^[0-9a-f]{4}$/, fold: 'lower' } as const
  const exact = { id: /^[0-9A-F]{4}$/, fold: 'none' } as const

  it('gives the one spelling that an id has', () => {
    expect(canonicalId(hex, 'ab01')).toBe('ab01')
    expect(canonicalId(hex, 'AB01')).toBe('ab01')
    expect(canonicalId(exact, 'AB01')).toBe('AB01')
  })

  it('gives none to what is no id', () => {
    expect(canonicalId(hex, 'ab0')).toBeUndefined()
    expect(canonicalId(hex, 'ab01\n')).toBeUndefined()
    expect(canonicalId(exact, 'ab01')).toBeUndefined()
    expect(canonicalId(exact, '')).toBeUndefined()
  })
})
