import { describe, expect, it } from 'vitest'
import { cookiesOf, countCookies, isSameOrigin } from '../../../../src/admin/http/cookies.ts'
import { createFailures } from '../../../../src/admin/http/failures.ts'
import { isAtLeast } from '../../../../src/admin/http/sign-on.ts'

const head = (...lines: string[]) => ({ rawHeaders: lines })

describe('cookies', () => {
  it('are read by name, and one that comes twice is nobody’s', () => {
    const given = head('Cookie', 'a=1; b=x=y;c', 'cookie', 'd=2; a=3')
    expect(cookiesOf(given)).toEqual({ b: 'x=y', d: '2' })
    expect(countCookies(given, 'a')).toBe(2)
    expect(countCookies(given, 'c')).toBe(1)
    expect(countCookies(given, 'e')).toBe(0)
    expect(cookiesOf(head())).toEqual({})
  })

  it.each<[boolean, ...string[]]>([
    [true, 'sec-fetch-site', 'same-origin', 'origin', 'https://else', 'host', 'here'],
    [true, 'origin', 'https://here:8443', 'host', 'HERE:8443'],
    [true, 'origin', 'http://here', 'host', 'here'],
    [false, 'sec-fetch-site', 'none', 'origin', 'http://here', 'host', 'here'],
    [false, 'sec-fetch-site', 'same-origin', 'sec-fetch-site', 'cross-site'],
    [false, 'origin', 'http://here:81', 'host', 'here'],
    [false, 'origin', 'null', 'host', 'null'],
    [false, 'origin', 'http://here', 'origin', 'http://else', 'host', 'here'],
    [false, 'origin', 'http://here'],
    [false, 'host', 'here'],
    [false, 'referer', 'http://here/', 'host', 'here'],
  ])('are believed (%s) with %s %s %s %s', (expected, ...lines) => {
    expect(isSameOrigin(head(...lines))).toBe(expected)
  })
})

describe('failed sign-ons', () => {
  it('cost an address a wait beyond so many a minute, and no other address', () => {
    let nowMs = 0
    const failures = createFailures({ monotonic: () => nowMs }, 3)
    expect([1, 2, 3].map(() => failures.add('a'))).toEqual([undefined, undefined, undefined])
    nowMs = 20_000
    expect(failures.add('a')).toBe(40)
    expect(failures.add('b')).toBeUndefined()
    nowMs = 60_000
    expect(failures.add('a')).toBeUndefined()
  })

  it('count a whole /64 of IPv6 as one address', () => {
    const failures = createFailures({ monotonic: () => 0 }, 1)
    expect(failures.add('2001:db8::1')).toBeUndefined()
    expect(failures.add('2001:db8:0:0:ffff::2')).toBe(60)
    expect(failures.add('2001:db8:0:1::2')).toBeUndefined()
  })

  it('of a flood of addresses are forgotten, the oldest first', () => {
    const failures = createFailures({ monotonic: () => 0 }, 1)
    failures.add('first')
    expect(failures.add('first')).toBe(60)
    for (let i = 0; i < 10_000; i++) failures.add(`a${i}`)
    expect(failures.add('first')).toBeUndefined()
  })
})

describe('roles', () => {
  it('stand in order', () => {
    expect(isAtLeast('owner', 'editor')).toBe(true)
    expect(isAtLeast('editor', 'editor')).toBe(true)
    expect(isAtLeast('viewer', 'editor')).toBe(false)
    expect(isAtLeast('editor', 'owner')).toBe(false)
  })
})
