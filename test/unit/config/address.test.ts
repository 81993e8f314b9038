import { describe, expect, it } from 'vitest'
import { formatListenAddress, parseListenAddress } from '../../../src/config/address.ts'

const inEtc = (path: string) => (path.startsWith('/') ? path : `/etc/${path}`)
const parse = (text: string) => parseListenAddress(text, inEtc)

describe('parseListenAddress', () => {
  it.each([
    ['127.0.0.1:8080', { kind: 'tcp', host: '127.0.0.1', port: 8080 }],
    ['[::1]:443', { kind: 'tcp', host: '::1', port: 443 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['0.0.0.0:65535', { kind: 'tcp', host: '0.0.0.0', port: 65_535 }],
    ['unix:/run/gate.sock', { kind: 'unix', path: '/run/gate.sock' }],
    ['unix:gate.sock', { kind: 'unix', path: '/etc/gate.sock' }],
  ])('takes %s', (text, address) => {
    expect(parse(text)).toEqual({ ok: true, address })
  })

  it.each([
    ':8080',
    '8080',
    '*:8080',
    '127.0.0.1',
    '127.0.0.1:65536',
    '127.0.0.1:08080x',
    '127.0.0.1:-1',
    '127.0.0.256:80',
    '::1:8080',
    '[127.0.0.1]:80',
    '[fe80::1%eth0]:80',
    'gate.example:80',
    'http://127.0.0.1:80',
    'unix:',
    `unix:/${'x'.repeat(110)}`,
  ])('refuses %s', (text) => {
    expect(parse(text)).toMatchObject({ ok: false })
  })
})

describe('formatListenAddress', () => {
  it.each(['127.0.0.1:8080', '[::1]:443', 'unix:/run/gate.sock'])('writes %s back', (text) => {
    const parsed = parse(text)
    expect(parsed.ok && formatListenAddress(parsed.address)).toBe(text)
  })
})
