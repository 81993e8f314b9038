import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import {
  createTokenWatch,
  refuseOwnToken,
  refuseOwnTokenIn,
} from '../../../src/proxy/own-tokens.ts'
import { mintToken } from '../../../src/store/token-format.ts'

const { token } = mintToken('u', randomBytes)
const almost = token.slice(0, -1)

function codeOf(look: () => unknown): string | undefined {
  try {
    look()
    return undefined
  } catch (thrown) {
    return Problem.from(thrown).code
  }
}

/** What went on, and why no more did. */
function watched(pieces: readonly string[]) {
  const watch = createTokenWatch()
  let passed = ''
  const code = codeOf(() => {
    for (const piece of pieces) passed += watch.push(Buffer.from(piece)).toString()
    passed += watch.end().toString()
  })
  return { passed, code }
}

describe('a token of the gate’s own', () => {
  it('is found anywhere in a text, and what is no whole one is not', () => {
    for (const text of [token, `{"a":"${token}"}`, `x${token}`, `${token}y`, `_${token}_`]) {
      expect(codeOf(() => refuseOwnToken(text))).toBe('invalid_token')
    }
    for (const text of ['', 'fg_', almost, token.replace('fg_', 'gf_')]) {
      expect(codeOf(() => refuseOwnToken(text))).toBeUndefined()
    }
  })

  it('is found in base64, as credentials of a Basic header are', () => {
    for (const text of [`x:${token}`, `${token}:`, `user name:${token}`]) {
      expect(codeOf(() => refuseOwnTokenIn(`Basic ${btoa(text)}`))).toBe('invalid_token')
      expect(codeOf(() => refuseOwnTokenIn(`basic   ${btoa(text)}`))).toBe('invalid_token')
    }
    expect(codeOf(() => refuseOwnTokenIn(`Bearer ${token}`))).toBe('invalid_token')
    expect(codeOf(() => refuseOwnTokenIn(`Basic ${btoa('particle:particle')}`))).toBeUndefined()
    expect(codeOf(() => refuseOwnTokenIn(`Basic ${btoa(`x:${almost}`)}`))).toBeUndefined()
  })

  it('is found in a body wherever that is broken into pieces, and never goes on whole', () => {
    const body = `${'a'.repeat(100)}${token}${'b'.repeat(100)}`
    for (let at = 0; at <= body.length; at += 1) {
      const { passed, code } = watched([body.slice(0, at), body.slice(at)])
      expect(code).toBe('invalid_token')
      expect(passed).not.toContain('fg_')
    }
    const { passed, code } = watched([...body])
    expect(code).toBe('invalid_token')
    expect(passed).not.toContain(token.slice(0, -1))
  })

  it('lets go on byte for byte what holds none', () => {
    for (const body of ['', 'a', almost, `${'a'.repeat(500)}${almost}-`]) {
      expect(watched([...body])).toEqual({ passed: body, code: undefined })
      expect(watched([body])).toEqual({ passed: body, code: undefined })
    }
  })
})
