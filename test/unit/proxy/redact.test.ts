import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { createRedactor, redactWhole } from '../../../src/proxy/redact.ts'

const secret = 'aab-aac'
const masked = '*'.repeat(secret.length)

describe('redactWhole', () => {
  it('masks every occurrence in place and leaves other bodies alone', () => {
    expect(redactWhole(Buffer.from(`x${secret}${secret}y`), secret).toString()).toBe(
      `x${masked}${masked}y`,
    )
    const other = Buffer.from('aab-aaX')
    expect(redactWhole(other, secret)).toBe(other)
    expect(redactWhole(other, '')).toBe(other)
  })

  it('does not write into the buffer it was given', () => {
    const body = Buffer.from(secret)
    redactWhole(body, secret)
    expect(body.toString()).toBe(secret)
  })
})

describe('createRedactor', () => {
  it('gives the same bytes as masking the whole, however the text is split (T17)', () => {
    const piece = fc.constantFrom('a', 'aa', 'b', '-', 'aab', '-aac', secret, 'aab-aa', 'x')
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat(12)), (pieces, sizes) => {
        const text = Buffer.from(pieces.join(''))
        const redactor = createRedactor(secret)
        let out = ''
        let at = 0
        for (const size of [...sizes, text.length]) {
          out += redactor.push(text.subarray(at, at + size)).toString()
          at += size
        }
        out += redactor.flush().toString()
        expect(out).toBe(redactWhole(text, secret).toString())
      }),
    )
  })

  it('holds nothing back but a possible beginning of the credential', () => {
    const redactor = createRedactor(secret)
    expect(redactor.push(Buffer.from('data: 1\n\n')).toString()).toBe('data: 1\n\n')
    expect(redactor.push(Buffer.from('data: aab')).toString()).toBe('data: ')
    expect(redactor.push(Buffer.from('!\n')).toString()).toBe('aab!\n')
    expect(redactor.flush()).toHaveLength(0)
  })
})
