import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { errorBody, rawRejection } from '../../../src/proxy/reject.ts'

const shape = { body: { ok: 'no', error: '$error', code: '$code', error_description: '$says' } }
const bodyOf = (problem: Problem): unknown => JSON.parse(errorBody(shape, problem).toString())

describe('errorBody', () => {
  it('fills the shape of the cloud', () => {
    expect(
      bodyOf(new Problem('forbidden', { says: 'Only in daylight.', cause: 'private' })),
    ).toEqual({
      ok: 'no',
      error: 'permission_denied',
      code: 'forbidden',
      error_description: 'Only in daylight.',
    })
  })

  it.each(['Your access token may not', 'ACCESS_TOKEN', 'access-token'])(
    'never says %s in a 403, which would end a login',
    (says) => {
      expect(errorBody(shape, new Problem('forbidden', { says })).toString()).not.toMatch(
        /access.?token/i,
      )
      expect(errorBody(shape, new Problem('invalid_token', { says })).toString()).toMatch(
        /access.?token/i,
      )
    },
  )

  it('tells nothing of an unknown error', () => {
    const text = errorBody(shape, Problem.from(new Error('secret detail'))).toString()
    expect(text).toContain('server_error')
    expect(text).not.toContain('secret detail')
  })
})

describe('rawRejection', () => {
  it('is a whole answer that closes the connection', () => {
    const text = rawRejection(new Problem('invalid_request'), shape, 'r1').toString()
    const [head, body] = text.split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(head).toMatch(/\r\nx-request-id: r1\r\n/)
    expect(head).toMatch(/\r\nconnection: close$/)
    expect(head).toContain(`content-length: ${body?.length}`)
  })

  it('asks for a bearer token with 401 and for patience with 429', () => {
    expect(rawRejection(new Problem('missing_token'), shape, 'r').toString()).toContain(
      'www-authenticate: Bearer\r\n',
    )
    expect(
      rawRejection(new Problem('rationed', { retryAfterS: 7 }), shape, 'r').toString(),
    ).toContain('retry-after: 7\r\n')
  })
})
