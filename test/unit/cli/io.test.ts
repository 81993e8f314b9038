import { describe, expect, it } from 'vitest'
import { json, table, visible } from '../../../src/cli/io.ts'

describe('what is printed of somebody else’s words', () => {
  it('drives no terminal and makes no line', () => {
    expect(visible('a\u001b[2J\r\nb')).toBe('a\\u001b[2J\\u000d\\u000ab')
    expect(visible('a\u202e\u009b')).toBe('a\\u202e\\u009b')
    expect(visible('Jürgen “Ops” 北')).toBe('Jürgen “Ops” 北')
    expect(table(['NAME', 'OWNER'], [['w', 'x\ny\u0007']])).toBe(
      'NAME  OWNER\nw     x\\u000ay\\u0007',
    )
  })

  it('is the same JSON when it is read', () => {
    const value = { a: 'x\u001b\n\u009b\u{e0001}', b: ['ü'] }
    const text = json(value)
    expect(JSON.parse(text)).toEqual(value)
    expect(text).not.toMatch(/[^\P{C}\n]/u)
    expect(text.split('\n')).toHaveLength(6)
  })
})
