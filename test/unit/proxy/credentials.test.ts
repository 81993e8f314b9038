import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { findCredential, flawOfForm, valuesOf } from '../../../src/proxy/credentials.ts'
import { canonicalTarget } from '../../../src/proxy/target.ts'
import { aCatalog } from '../../kit/a-route.ts'
import { FakeExchange } from '../../kit/fakes.ts'

const form = 'application/x-www-form-urlencoded'
const { credentials: places } = aCatalog()

async function take(
  line: string,
  headers: Record<string, string> | readonly string[] = {},
  body = '',
) {
  const exchange = new FakeExchange(line, headers, body)
  const found = await findCredential(exchange, canonicalTarget(exchange.raw.target), places)
  if (found.flaw !== undefined) throw found.flaw
  const { formUnread, ...credential } = found
  if (formUnread !== true) return credential
  const flaw = await flawOfForm(() => exchange.body(), places)
  if (flaw !== undefined) throw flaw
  return credential
}

async function codeOf(...args: Parameters<typeof take>): Promise<string> {
  try {
    return `took ${(await take(...args)).token}`
  } catch (error) {
    return error instanceof Problem ? error.code : `threw ${String(error)}`
  }
}

describe('findCredential', () => {
  it('takes a bearer header, a query parameter or a form field, and takes it out', async () => {
    expect(await take('GET /v1/x?page=2', { authorization: 'Bearer U' })).toEqual({
      token: 'U',
      target: { segments: ['v1', 'x'], query: [{ key: 'page', value: '2' }] },
      inForm: false,
    })
    expect(await take('GET /v1/x?access%5Ftoken=U&page=2')).toMatchObject({
      token: 'U',
      target: { query: [{ key: 'page', value: '2' }] },
    })
    const posted = await take('POST /v1/x', { 'Content-Type': form }, 'arg=1&access%5Ftoken=U')
    expect(posted).toMatchObject({ token: 'U', inForm: true })
  })

  it('answers none at all with missing_token', async () => {
    expect(await codeOf('GET /v1/x')).toBe('missing_token')
    expect(await codeOf('POST /v1/x', { 'content-type': form }, 'arg=1')).toBe('missing_token')
  })

  it('H01 refuses two Authorization headers, in any letter case and also when both are equal', async () => {
    const twice = ['Authorization', 'Bearer U', 'AUTHORIZATION', 'Bearer U']
    expect(await codeOf('GET /v1/x', twice)).toBe('several_credentials')
  })

  it('H03 reads no token from a header that is not plainly one bearer token', async () => {
    const odd = [
      'Bearer  U',
      'Bearer U,Bearer x',
      'bearer\tU',
      'bearer U',
      'Bearer "U"',
      'Bearer U x',
    ]
    odd.push('Bearer é', `Bearer ${'a'.repeat(8192)}`, 'Basic dTpw', '', 'Bearer ', ' Bearer U')
    for (const header of odd) {
      expect([header, await codeOf('GET /v1/x', { authorization: header })]).toEqual([
        header,
        'took undefined',
      ])
    }
    expect(await codeOf('GET /v1/x', { authorization: 'Bearer U.-_~+/=' })).toBe('took U.-_~+/=')
  })

  it('T01 refuses a header beside a query token or a form token, Basic too', async () => {
    const header = { authorization: 'Bearer U' }
    expect(await codeOf('GET /v1/x?access_token=x', header)).toBe('several_credentials')
    expect(await codeOf('GET /v1/x?access_token=', header)).toBe('several_credentials')
    expect(await codeOf('GET /v1/x?access_token=x', { authorization: 'Basic dTpw' })).toBe(
      'several_credentials',
    )
    const both = { ...header, 'content-type': form }
    expect(await codeOf('POST /v1/x', both, 'access_token=x')).toBe('several_credentials')
    expect(await codeOf('POST /v1/x', both, 'arg=1')).toBe('took U')
  })

  it('T02 refuses a form field that comes twice', async () => {
    const body = 'access_token=U&access_token=U'
    expect(await codeOf('POST /v1/x', { 'content-type': form }, body)).toBe('several_credentials')
  })

  it('T04 refuses a form of more fields than are looked at', async () => {
    const body = `${'a=1&'.repeat(1000)}access_token=x`
    const headers = { authorization: 'Bearer U', 'content-type': form }
    expect(await codeOf('POST /v1/x', headers, body)).toBe('invalid_body')
  })

  it('T05 takes no token from JSON, multipart or a method the cloud does not take it with', async () => {
    const json = { 'content-type': 'application/json' }
    expect(await codeOf('POST /v1/x', json, '{"access_token":"U"}')).toBe('missing_token')
    expect(await codeOf('DELETE /v1/x', { 'content-type': form }, 'access_token=U')).toBe(
      'missing_token',
    )
    expect(await codeOf('POST /v1/x?access_token=U')).toBe('invalid_request')
    expect(await codeOf('HEAD /v1/x?access_token=U')).toBe('invalid_request')
  })

  it('T06 takes keys that merely look alike for no credential', async () => {
    const type = { 'content-type': `${form}; charset=utf-8` }
    for (const body of ['ACCESS_TOKEN=U', 'access_token[]=U', 'access_token%00=U']) {
      expect([body, await codeOf('POST /v1/x', type, body)]).toEqual([body, 'missing_token'])
    }
    expect(await codeOf('POST /v1/x', type, 'a=1;access_token=U')).toBe('invalid_body')
    expect(await codeOf('POST /v1/x', type, 'access_token=U')).toBe('took U')
    expect(await codeOf('GET /v1/x?ACCESS_TOKEN=U')).toBe('missing_token')
  })

  it('does not read a body that cannot hold a token', async () => {
    const exchange = new FakeExchange('POST /v1/x', { authorization: 'Bearer U' }, '{}')
    exchange.body = () => Promise.reject(new Error('read'))
    const credential = await findCredential(exchange, canonicalTarget('/v1/x'), places)
    expect(credential.token).toBe('U')
  })

  it('does not wait for a form before it is known whose the token elsewhere is', async () => {
    const find = async (line: string, headers: Record<string, string> = {}) => {
      const exchange = new FakeExchange(line, { ...headers, 'content-type': form }, 'arg=1')
      exchange.body = exchange.unknownBody = () => Promise.reject(new Error('read'))
      return findCredential(exchange, canonicalTarget(exchange.raw.target), places)
    }
    for (const authorization of ['Bearer U', 'Basic dTpw', '']) {
      expect(await find('POST /v1/x', { authorization })).toMatchObject({ formUnread: true })
    }
    await expect(find('POST /v1/x')).rejects.toThrow('read')
    await expect(find('POST /v1/x?access_token=U', { authorization: '' })).rejects.toThrow(
      'several_credentials',
    )
  })

  it('reads a form in which the token stands as of a caller whom nobody knows', async () => {
    const exchange = new FakeExchange('POST /v1/x', { 'content-type': form }, 'access_token=U')
    exchange.body = () => Promise.reject(new Error('read'))
    const credential = await findCredential(exchange, canonicalTarget('/v1/x'), places)
    expect(credential).toMatchObject({ token: 'U', inForm: true })
    exchange.unknownBody = () => Promise.reject(new Problem('overloaded'))
    expect(await findCredential(exchange, canonicalTarget('/v1/x'), places)).toMatchObject({
      token: undefined,
      flaw: { code: 'overloaded' },
    })
  })
})

describe('valuesOf', () => {
  it('H15 finds every line of a header and nothing else', () => {
    const raw = ['A', '1', 'constructor', 'y', 'a', '2', '__proto__', 'z', 'b', 'a']
    expect(valuesOf(raw, 'a')).toEqual(['1', '2'])
    expect(valuesOf(raw, '__proto__')).toEqual(['z'])
    expect(valuesOf(raw, 'hasownproperty')).toEqual([])
  })
})
