import { describe, expect, it } from 'vitest'
import { personOf } from '../../../../src/admin/sign-in/claims.ts'
import { Problem } from '../../../../src/domain/problem.ts'

const config = {
  nameClaim: 'email',
  roleClaim: 'groups',
  roles: { viewer: ['staff'], editor: ['fleet'], owner: ['admins', 'root'] },
}
const alice = { sub: 'a1', email: 'alice@acme.example', groups: ['fleet'] }

function outcome(claims: Record<string, unknown>, more: Partial<typeof config> = {}): string {
  try {
    return personOf(claims, { ...config, ...more }).role
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

describe('personOf', () => {
  it('takes name, subject and the role that a group makes', () => {
    expect(personOf(alice, config)).toEqual({
      name: 'alice@acme.example',
      role: 'editor',
      subject: 'a1',
    })
  })

  it('takes the highest role of several groups, and refuses who is in none', () => {
    expect(outcome({ ...alice, groups: ['staff', 'root', 'fleet'] })).toBe('owner')
    expect(outcome({ ...alice, groups: ['staff'] })).toBe('viewer')
    expect(outcome({ ...alice, groups: 'fleet' })).toBe('editor')
    expect(outcome({ ...alice, groups: ['Fleet', 'fleet admins'] })).toBe('sign_in_refused')
    expect(outcome({ ...alice, groups: [] })).toBe('sign_in_refused')
    expect(outcome({ ...alice, groups: undefined })).toBe('sign_in_refused')
    expect(outcome({ ...alice, groups: { fleet: true } })).toBe('sign_in_refused')
    expect(outcome({ ...alice, groups: 'staff fleet' })).toBe('sign_in_refused')
  })

  it('reads a claim within a claim, and prefers the one whose name has the dots', () => {
    const nested = { ...alice, realm_access: { roles: ['root'] } }
    expect(outcome(nested, { roleClaim: 'realm_access.roles' })).toBe('owner')
    expect(outcome(nested, { roleClaim: 'realm_access.groups' })).toBe('sign_in_refused')
    const dotted = { ...alice, 'https://acme.example/roles': ['staff'] }
    expect(outcome(dotted, { roleClaim: 'https://acme.example/roles' })).toBe('viewer')
  })

  it('refuses who has no name, or an address that nobody has verified', () => {
    expect(outcome({ ...alice, email: undefined })).toBe('sign_in_refused')
    expect(outcome({ ...alice, email: ['alice@acme.example'] })).toBe('sign_in_refused')
    expect(outcome({ ...alice, email_verified: false })).toBe('sign_in_refused')
    expect(outcome({ ...alice, email_verified: 'false' })).toBe('sign_in_refused')
    expect(outcome({ ...alice, email_verified: true })).toBe('editor')
  })

  it('takes nothing from the prototype for a claim', () => {
    expect(outcome(alice, { nameClaim: 'constructor.name' })).toBe('sign_in_refused')
  })
})
