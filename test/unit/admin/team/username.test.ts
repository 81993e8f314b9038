import { describe, expect, it } from 'vitest'
import { isMadeHere, makeUsername } from '../../../../src/admin/team/username.ts'
import { isUserName } from '../../../../src/policy/roles.ts'

const counting = (count: number) => Uint8Array.from({ length: count }, (_, i) => i + 30)

describe('makeUsername', () => {
  it('is a slug of the name, a random tail and the domain of the cloud', () => {
    expect(makeUsername('Night Build', counting)).toBe('night-build+uvwxyz0123@api.particle.io')
    expect(isMadeHere(makeUsername('Night Build', counting))).toBe(true)
    expect(isMadeHere('night-build')).toBe(false)
    expect(isMadeHere('someone@api.particle.io.example')).toBe(false)
  })

  it.each([
    ['Zürich, Größe 3!', 'zurich-gro-e-3'],
    ['--- a  b ---', 'a-b'],
    ['日本', 'api-user'],
    ['../../etc/passwd', 'etc-passwd'],
    ['x'.repeat(100), 'x'.repeat(36)],
    [`${'x'.repeat(35)} y`, 'x'.repeat(35)],
  ])('makes of %s the slug %s', (name, slug) => {
    const username = makeUsername(name, counting)
    expect(username).toBe(`${slug}+uvwxyz0123@api.particle.io`)
    expect(username.length).toBeLessThanOrEqual(63)
    expect(isUserName(username)).toBe(true)
  })
})
