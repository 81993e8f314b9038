import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  couldBeCloudToken,
  mintId,
  mintToken,
  parseToken,
  scannerPattern,
} from '../../../src/store/token-format.ts'
import { cpuMs } from '../../kit/cpu-time.ts'

describe('mintToken', () => {
  it('gives the documented shape, and the parser reads back the id', () => {
    const { token, id } = mintToken('u', randomBytes)
    expect(token).toMatch(/^fg_u_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/)
    expect(parseToken(token, 'u')).toEqual({ result: 'ok', id, kind: 'u' })
  })

  it('throws bytes beyond the alphabet away instead of folding them', () => {
    const bytes = [62, 63, 126, 127, 254, 255, 0]
    const { token } = mintToken('u', (count) =>
      Uint8Array.from({ length: count }, (_, i) => bytes[i % 7] ?? 0),
    )
    expect(token.slice(0, 49)).toBe(`fg_u_${'0'.repeat(12)}_${'0'.repeat(31)}`)
  })

  it('spreads letters evenly', () => {
    const counts = new Map<string, number>()
    for (let i = 0; i < 2_000; i++) {
      for (const letter of mintToken('u', randomBytes).token.slice(18, 50)) {
        counts.set(letter, (counts.get(letter) ?? 0) + 1)
      }
    }
    expect(counts.size).toBe(62)
    // 64,000 letters, 1,032 expected each, standard deviation 32: folding 64 onto 62 would double two of them.
    expect(Math.max(...counts.values())).toBeLessThan(1_250)
    expect(Math.min(...counts.values())).toBeGreaterThan(820)
  })

  it('refuses a broken source of randomness', () => {
    expect(() => mintToken('u', (count) => new Uint8Array(count).fill(255))).toThrow(/randomness/)
  })
})

describe('parseToken', () => {
  const { token } = mintToken('u', randomBytes)

  it('finds any one changed letter by the checksum', () => {
    for (let at = 5; at < token.length; at++) {
      if (token[at] === '_') continue
      const other = token[at] === 'a' ? 'b' : 'a'
      const changed = token.slice(0, at) + other + token.slice(at + 1)
      expect(parseToken(changed, 'u')).toEqual({ result: 'bad_checksum' })
    }
  })

  it('T14 tells an operator token from an API user token', () => {
    const operator = mintToken('o', randomBytes)
    expect(parseToken(operator.token, 'u')).toEqual({
      result: 'wrong_kind',
      id: operator.id,
      kind: 'o',
    })
    expect(parseToken(operator.token, 'o')).toMatchObject({ result: 'ok' })
    expect(parseToken(token, 'o')).toMatchObject({ result: 'wrong_kind' })
  })

  it('does not let the kind letter be swapped', () => {
    expect(parseToken(`fg_o_${token.slice(5)}`, 'o')).toEqual({ result: 'bad_checksum' })
  })

  it.each([
    ['nothing', ''],
    ['a space around', ` ${token}`],
    ['a line end', `${token}\n`],
    ['8 KB', 'f'.repeat(8_192)],
    ['non-ASCII of the right length', token.replace(/.$/, 'é')],
    ['a NUL', token.replace(/.$/, '\0')],
    ['upper-case prefix', token.replace('fg_u', 'FG_u')],
    ['a Particle token', 'ab'.repeat(20)],
    ['T15 a JWT', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.'],
  ])('calls %s malformed', (_, text) => {
    expect(parseToken(text, 'u')).toEqual({ result: 'malformed' })
  })

  it('spends next to nothing on huge tokens', async () => {
    const huge = `fg_u_${'a'.repeat(8_192)}`
    const cost = await cpuMs(() => {
      for (let i = 0; i < 100_000; i++) parseToken(huge, 'u')
    })
    expect(cost).toBeLessThan(500)
  })
})

describe('couldBeCloudToken', () => {
  it.each([
    ['40 hex digits', 'ab'.repeat(20), true],
    ['16 letters', 'a'.repeat(16), true],
    ['15 letters', 'a'.repeat(15), false],
    ['512 letters', 'a'.repeat(512), true],
    ['513 letters', 'a'.repeat(513), false],
    [
      'T15 a JWT, which is looked up like any other and never read',
      `${'eyJ'.repeat(9)}.e30.`,
      true,
    ],
    ['every letter of RFC 6750', 'azAZ09-._~+/aaaaaa==', true],
    ['padding in the middle', `${'a'.repeat(16)}=a`, false],
    ['a space', `${'a'.repeat(16)} `, false],
    ['a line end', `${'a'.repeat(16)}\n`, false],
    ['a NUL', `${'a'.repeat(16)}\0`, false],
    ['non-ASCII', `${'a'.repeat(16)}é`, false],
    ["T14 one of the gate's own, whatever kind", mintToken('o', randomBytes).token, false],
    ["the gate's own prefix alone", `fg_${'a'.repeat(30)}`, false],
    ["the gate's own prefix in capitals", `FG_${'a'.repeat(30)}`, false],
  ])('%s', (_, text, could) => {
    expect(couldBeCloudToken(text)).toBe(could)
  })
})

describe('mintId', () => {
  it('gives twelve letters, others each time', () => {
    const ids = Array.from({ length: 100 }, () => mintId(randomBytes))
    expect(ids.every((id) => /^[0-9A-Za-z]{12}$/.test(id))).toBe(true)
    expect(new Set(ids).size).toBe(100)
  })
})

describe('scannerPattern', () => {
  it('finds a token in text and no near miss', () => {
    const { token } = mintToken('u', randomBytes)
    expect(`key="${token}",`.match(new RegExp(scannerPattern))?.[0]).toBe(token)
    expect(new RegExp(scannerPattern).test(`${token}x`)).toBe(false)
  })
})
