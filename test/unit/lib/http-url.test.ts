import { describe, expect, it } from 'vitest'
import { isHttpsOrLoopback, parseHttpOrigin, parseHttpUrl } from '../../../src/lib/http-url.ts'

describe('the URL of a place that requests go to', () => {
  it.each([
    ['https://api.particle.io', 'https://api.particle.io', ''],
    ['http://127.0.0.1:8080/a/b/', 'http://127.0.0.1:8080', '/a/b'],
    ['http://[::1]:80', 'http://[::1]', ''],
  ])('is taken with or without a path: %s', (text, origin, basePath) => {
    const protocol = text.slice(0, text.indexOf('/'))
    expect(parseHttpOrigin(text)).toEqual({ ok: true, origin: { protocol, origin, basePath } })
  })

  it.each([
    ['api.particle.io', 'must be a URL that begins with'],
    ['ftp://api.particle.io', 'must be a URL that begins with'],
    ['https://api.particle.io/?a=b', 'must end with its path'],
    ['https://api.particle.io/#a', 'must end with its path'],
    ['https://api.particle.io/a/../b', 'dot segments'],
    ['https://api.particle.io/a/..', 'dot segments'],
    [String.raw`https://api.particle.io\a`, 'backslashes'],
    ['https://api.particle.io/a//b', 'plain segments'],
    ['https://api.particle.io/a%2fb', 'plain segments'],
  ])('is refused: %s', (text, says) => {
    expect(parseHttpOrigin(text)).toEqual({ ok: false, says: expect.stringContaining(says) })
  })

  it('is refused with a password in it, which is not repeated', () => {
    const parsed = parseHttpOrigin('https://me:s3cret@api.particle.io')
    expect(parsed).toEqual({ ok: false, says: expect.stringContaining('must not hold') })
    expect(JSON.stringify(parsed)).not.toContain('s3cret')
  })
})

describe('the URL of another server', () => {
  it('may have a path of any kind, and neither query nor password', () => {
    expect(parseHttpUrl('https://login.example.com/realms/My%20Realm')).toMatchObject({ ok: true })
    expect(parseHttpUrl('https://login.example.com/?a=b')).toMatchObject({ ok: false })
    expect(parseHttpUrl('https://me:x@login.example.com/')).toMatchObject({ ok: false })
  })
})

describe('a way on which nothing is read by others', () => {
  it.each([
    'https://a.example',
    'http://127.0.0.1:1',
    'http://127.9.9.9',
    'http://[::1]:9',
    'http://localhost',
  ])('is %s', (url) => expect(isHttpsOrLoopback(url)).toBe(true))
  it.each([
    'http://a.example',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
    'http://[::2]',
    'a',
    'ftp://127.0.0.1',
  ])('is not %s', (url) => expect(isHttpsOrLoopback(url)).toBe(false))
})
