import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createLoginSeal, loginMaxAgeMs } from '../../../../src/admin/sign-in/login-cookie.ts'
import { Secret } from '../../../../src/lib/secret.ts'

const login = { state: 'st4te', nonce: 'n0nce', verifier: 'v3rifier' }
const secret = () => new Secret('client-secret-0123456789')
const nowMs = Date.UTC(2026, 10, 23)

describe('createLoginSeal', () => {
  it('is opened by another replica with the same client secret, and by none with another', () => {
    const sealed = createLoginSeal(secret(), 'issuer', randomBytes).seal(login, nowMs)
    expect(createLoginSeal(secret(), 'issuer', randomBytes).open(sealed, nowMs)).toEqual(login)
    const others = [
      createLoginSeal(new Secret('another'), 'issuer', randomBytes),
      createLoginSeal(secret(), 'another issuer', randomBytes),
    ]
    for (const other of others) expect(other.open(sealed, nowMs)).toBeUndefined()
  })

  it('has a key of each process where the client is public', () => {
    const one = createLoginSeal(undefined, 'issuer', randomBytes)
    const sealed = one.seal(login, nowMs)
    expect(one.open(sealed, nowMs)).toEqual(login)
    expect(createLoginSeal(undefined, 'issuer', randomBytes).open(sealed, nowMs)).toBeUndefined()
  })

  it('is good for ten minutes and not before its time', () => {
    const seal = createLoginSeal(secret(), 'issuer', randomBytes)
    const sealed = seal.seal(login, nowMs)
    expect(seal.open(sealed, nowMs + loginMaxAgeMs - 1)).toEqual(login)
    expect(seal.open(sealed, nowMs + loginMaxAgeMs)).toBeUndefined()
    expect(seal.open(sealed, nowMs - 1)).toBeUndefined()
  })

  it('shows nothing of what is in it, and opens nothing that was touched', () => {
    const seal = createLoginSeal(secret(), 'issuer', randomBytes)
    const sealed = seal.seal(login, nowMs)
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain(login.verifier)
    for (const place of [0, 20, sealed.length - 2]) {
      const other = sealed[place] === 'A' ? 'B' : 'A'
      const touched = `${sealed.slice(0, place)}${other}${sealed.slice(place + 1)}`
      expect(seal.open(touched, nowMs)).toBeUndefined()
    }
    for (const odd of ['', 'A', sealed.slice(0, 30), sealed.repeat(20)]) {
      expect(seal.open(odd, nowMs)).toBeUndefined()
    }
  })
})
