import { describe, expect, it } from 'vitest'
import {
  compileAnswerHeaders,
  compileForwardList,
  forwardableHeaders,
  headProblem,
} from '../../../src/proxy/headers.ts'
import { ownLocation, upstreamRequestId } from '../../../src/proxy/answer-head.ts'
import { anOrigin } from '../../kit/an-origin.ts'

const raw = (...rawHeaders: string[]) => ({
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  rawHeaders,
})

describe('forwardableHeaders', () => {
  const list = compileForwardList([
    'accept',
    'user-agent',
    'authorization',
    'x-forwarded-for',
    'range',
  ])

  it('passes listed headers and drops the rest', () => {
    expect(
      forwardableHeaders(raw('Accept', 'a', 'X-Other', 'b', 'CONTENT-TYPE', 'c'), list),
    ).toEqual({
      ...{ accept: 'a', 'content-type': 'c' },
    })
  })

  it('never passes what frames, authenticates or routes, even where a catalog lists it', () => {
    expect(
      forwardableHeaders(raw('Authorization', 'a', 'X-Forwarded-For', 'b', 'Range', 'c'), list),
    ).toEqual({})
  })

  it('joins lists and refuses other repetitions', () => {
    expect(forwardableHeaders(raw('Accept', 'a', 'accept', 'b'), list)).toEqual({ accept: 'a, b' })
    expect(() => forwardableHeaders(raw('User-Agent', 'a', 'user-agent', 'b'), list)).toThrow(
      'invalid_request',
    )
  })

  it('drops what Connection names, before or after it (H04)', () => {
    expect(
      forwardableHeaders(raw('User-Agent', 'a', 'Connection', 'close, User-Agent'), list),
    ).toEqual({})
    expect(forwardableHeaders(raw('connection', 'user-agent', 'User-Agent', 'a'), list)).toEqual({})
  })
})

describe('headProblem', () => {
  it('lets a plain head pass', () => {
    expect(headProblem(raw('Host', 'a', 'Transfer-Encoding', 'Chunked'))).toBeUndefined()
  })

  it.each([
    ['H13 two Hosts', raw('Host', 'a', 'HOST', 'b'), 'invalid_request'],
    ['S04 an extra coding', raw('Transfer-Encoding', 'gzip, chunked'), 'unsupported_coding'],
    ['S03 identity', raw('transfer-encoding', 'identity'), 'unsupported_coding'],
    ['H16 too many lines', raw(...Array.from({ length: 600 }, () => 'a')), 'headers_too_large'],
  ])('refuses %s', (_, request, code) => {
    expect(headProblem(request)?.code).toBe(code)
  })
})

describe('answer headers', () => {
  const origin = anOrigin('https://api.example.com/base')
  const build = compileAnswerHeaders(
    ['x-kept', 'set-cookie', 'access-control-allow-origin'],
    origin,
  )
  const head = { status: 200, requestId: 'r1', credential: 'cred' }
  const asMap = (list: string[]) =>
    new Map(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? ''] as const] : [])))

  it('keep the catalog from returning what is never returned', () => {
    const got = asMap(
      build({ ...head, mode: 'whole', headers: { 'x-kept': 'cred', 'set-cookie': ['a'] } }),
    )
    expect(got.get('x-kept')).toBe('****')
    expect(got.has('set-cookie')).toBe(false)
    expect(got.get('access-control-allow-origin')).toBe('*')
  })

  it('tell versions of whole answers, not of cut ones', () => {
    const headers = { etag: '"1"', 'last-modified': 'x' }
    expect(asMap(build({ ...head, mode: 'whole', headers })).get('etag')).toBe('"1"')
    const cut = asMap(build({ ...head, mode: 'cut', headers }))
    expect(cut.has('etag') || cut.has('last-modified')).toBe(false)
  })

  it('keep an event stream from being stored or buffered', () => {
    const headers = { 'content-type': 'text/event-stream' }
    const got = asMap(build({ ...head, mode: 'stream', headers }))
    expect(got.get('cache-control')).toBe('no-store')
    expect(got.get('x-accel-buffering')).toBe('no')
  })
})

describe('ownLocation', () => {
  const origin = anOrigin('https://api.example.com/base')
  it.each([
    ['/base/v1/x?y=1', '/v1/x?y=1'],
    ['https://api.example.com/base/v1', '/v1'],
    ['https://api.example.com/other', undefined],
    ['https://api.example.com/base//evil.example', undefined],
    ['http://api.example.com/base/v1', undefined],
    ['https://evil.example/base/v1', undefined],
    ['https://api.example.com@evil.example/base/', undefined],
    ['//evil.example/base/', undefined],
    ['/base/..//evil', undefined],
    [String.raw`/\evil`, undefined],
    ['relative', undefined],
    ['javascript:alert(1)', undefined],
    [undefined, undefined],
  ])('F16 turns %s into %s', (location, path) => {
    expect(ownLocation(location, origin)).toBe(path)
  })
})

describe('upstreamRequestId', () => {
  it('keeps plain characters only', () => {
    expect(upstreamRequestId({ 'x-request-id': 'a-1\u0007"}é' })).toBe('a-1')
    expect(upstreamRequestId({ 'x-request-id': '"' })).toBeUndefined()
    expect(upstreamRequestId({})).toBeUndefined()
  })
})
