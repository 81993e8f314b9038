import { describe, expect, it } from 'vitest'
import { parseUpstreamOrigin } from '../../../src/upstream/origin.ts'

describe('parseUpstreamOrigin', () => {
  it('takes a URL with or without a path', () => {
    expect(parseUpstreamOrigin('https://api.particle.io')).toEqual({
      protocol: 'https:',
      origin: 'https://api.particle.io',
      host: 'api.particle.io',
      basePath: '',
    })
    expect(parseUpstreamOrigin('http://127.0.0.1:8080/a/b/')).toMatchObject({
      origin: 'http://127.0.0.1:8080',
      host: '127.0.0.1:8080',
      basePath: '/a/b',
    })
    expect(parseUpstreamOrigin('http://[::1]:80').origin).toBe('http://[::1]')
  })

  it.each([
    'api.particle.io',
    'ftp://api.particle.io',
    'https://api.particle.io/?a=b',
    'https://api.particle.io/#a',
    'https://api.particle.io/a/../b',
    'https://api.particle.io/a/..',
    'https://api.particle.io/a//b',
    'https://api.particle.io/a%2fb',
    String.raw`https://api.particle.io\a`,
  ])('refuses %s, naming it', (text) => {
    expect(() => parseUpstreamOrigin(text)).toThrow(JSON.stringify(text))
  })

  it('refuses credentials without repeating them', () => {
    const parse = () => parseUpstreamOrigin('https://me:s3cret@api.particle.io')
    expect(parse).toThrow('must not carry')
    expect(parse).not.toThrow('s3cret')
  })
})
