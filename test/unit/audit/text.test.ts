import { describe, expect, it } from 'vitest'
import { clip, pathOnly, quote, withoutValues } from '../../../src/audit/text.ts'

const token = `fg_u_${'a'.repeat(12)}_${'b'.repeat(32)}_${'c'.repeat(6)}`

describe('quote', () => {
  it.each([
    'plain',
    'a "quoted" \\ one',
    'line\nend\r\t\0',
    '\u001b[31mred',
    '\u2028\u2029\u0085\u009b',
    '\u202egnp',
    '\ud800 lone',
    'größe 温度',
  ])('A05 keeps %j on one line and reads back as it was', (text) => {
    const quoted = quote(text)
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    expect(quoted).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/)
    expect(JSON.parse(quoted)).toBe(text)
  })
})

describe('clip', () => {
  it('leaves short text alone and marks what it cut', () => {
    expect(clip('short', 10)).toBe('short')
    expect(clip('x'.repeat(1_000_000), 10)).toBe(`${'x'.repeat(10)}…[1000000 characters]`)
  })

  it('T12 masks tokens, whole or cut off, ours and the cloud’s', () => {
    expect(clip(`/a/${token}/b`, 200)).toBe('/a/[token]/b')
    expect(clip(`/a/${token.slice(0, 51)}`, 200)).toBe('/a/[token]')
    expect(clip(`agent ${'0a'.repeat(20)} x`, 200)).toBe('agent [token] x')
    expect(clip(`${'x'.repeat(190)}${token}`, 200)).not.toContain('fg_u_')
  })

  it('does not mistake a device id or a SHA-256 for one', () => {
    const text = `${'0a'.repeat(12)} ${'0a'.repeat(32)}`
    expect(clip(text, 200)).toBe(text)
  })
})

describe('withoutValues and pathOnly', () => {
  it('keep keys and drop what the caller put in them', () => {
    expect(withoutValues('/v1/x?page=2&filter=secret&bare')).toBe('/v1/x?page&filter&bare')
    expect(withoutValues('/v1/x')).toBe('/v1/x')
    expect(pathOnly('/v1/x?access_token=abc#d')).toBe('/v1/x')
    expect(pathOnly('/v1/x#access_token=abc')).toBe('/v1/x')
  })
})
