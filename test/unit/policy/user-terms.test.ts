import { describe, expect, it } from 'vitest'
import { gateOf, mistakesIn, mustLoad, userWith } from '../../kit/policies.ts'

const user = (more: string) =>
  mustLoad(userWith('- can: devices:get', `devices: all\n${more}`)).set.users.get('u')
const mistakes = (more: string) =>
  mistakesIn(userWith('- can: devices:get', `devices: all\n${more}`))
const without = (more: string) =>
  mistakesIn(
    userWith('- can: devices:get', `devices: all\n${more}`).replace('    never: true\n', ''),
  )

describe('not_before', () => {
  it('begins at 00:00 UTC, beside any end', () => {
    expect(user('not_before: 2027-03-01')?.expiry).toEqual({
      kind: 'never',
      notBeforeMs: Date.UTC(2027, 2, 1),
    })
  })

  it('is no end of its own, and none that comes first', () => {
    expect(without('not_before: 2027-03-01')).toEqual([expect.stringMatching(/needs an end/)])
    expect(without('not_before: 2027-03-01\nexpires: 2027-03-01')).toEqual([
      expect.stringMatching(/would end before it begins/),
    ])
    expect(without('not_before: 2027-03-01\nexpires: 2027-03-02')).toEqual([])
  })

  it.each(['2027-02-30', 'tomorrow', '2027-03-01T10:00:00Z'])('is no date as %s', (date) => {
    expect(mistakes(`not_before: ${date}`)).toEqual([expect.stringMatching(/date/)])
  })
})

describe('observe', () => {
  it('ends at 00:00 UTC and is no right: the hash stays', () => {
    expect(user('observe: 2027-03-01')?.observeUntilMs).toBe(Date.UTC(2027, 2, 1))
    expect(user('observe: 2027-03-01')?.grantHash).toBe(user('')?.grantHash)
    expect(user('')).not.toHaveProperty('observeUntilMs')
  })

  it('is decided as if it were not there', () => {
    const gate = gateOf(userWith('- can: devices:get', 'devices: all\nobserve: 2099-01-01'))
    expect(gate.ask('devices:get')).toBe('allow')
    expect(gate.ask('devices:ping')).toBe('not_granted')
  })

  it.each(['true', 'always', 'never', '2027-02-30'])('always has an end: %s is refused', (text) => {
    expect(mistakes(`observe: ${text}`)).toEqual([expect.stringMatching(/date/)])
  })
})

describe('names of API users', () => {
  const named = (name: string) =>
    mistakesIn(userWith('- can: devices:get').replace('  u:', `  "${name}":`))

  it.each(['acme-dash+1a2b3c4d@api.particle.io', 'a'.repeat(128), 'A.b_c-9'])(
    '%s is one',
    (name) => {
      expect(named(name)).toEqual([])
    },
  )

  it.each([
    'a'.repeat(129),
    '+a',
    '@a',
    '.a',
    'a/b',
    'a b',
    'a:b',
    'a\\\\b',
    'a\\nb',
    'a%2fb',
    'ä',
    '$a',
  ])('%s is none', (name) => {
    expect(named(name)).toEqual([expect.stringMatching(/is no name/)])
  })

  it('roles keep the narrower rule', () => {
    const role = (name: string) =>
      mistakesIn(`roles:\n  ${name}:\n    rules: [{ can: devices:get }]\n`)
    expect(role('a+b')).toEqual([expect.stringMatching(/is no name/)])
    expect(role('a@b')).toEqual([expect.stringMatching(/is no name/)])
    expect(role('a-b')).toEqual([])
  })
})
