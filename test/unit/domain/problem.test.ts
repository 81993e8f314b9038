import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'

describe('Problem', () => {
  it('carries status, word and public sentence by its code', () => {
    const expected: Readonly<Record<string, readonly [number, string]>> = {
      missing_token: [401, 'invalid_token'],
      invalid_token: [401, 'invalid_token'],
      several_credentials: [400, 'invalid_request'],
      ambiguous_target: [400, 'invalid_request'],
      forbidden: [403, 'permission_denied'],
      unmapped_route: [404, 'not_found'],
      method_not_allowed: [405, 'method_not_allowed'],
      rationed: [429, 'rate_limit_exceeded'],
      audit_unavailable: [503, 'server_error'],
    }
    for (const [code, answer] of Object.entries(expected)) {
      const problem = new Problem(code as 'forbidden')
      expect([code, problem.status, problem.error]).toEqual([code, ...answer])
    }
  })

  it('never says "access token" in a policy deny: the cloud’s tools would take the login for dead', () => {
    for (const code of ['forbidden', 'refused_route'] as const) {
      expect(new Problem(code).says).not.toMatch(/access.?token/i)
    }
  })

  it('becomes a bare internal of anything unknown, its cause kept private', () => {
    const problem = Problem.from(new TypeError('secret detail'))
    expect([problem.status, problem.code, problem.says]).toEqual([
      ...[500, 'internal', 'Something went wrong.'],
    ])
    expect(`${problem.message}${problem.error}${JSON.stringify(problem.headers)}`).not.toContain(
      'secret',
    )
    expect(problem.cause).toBeInstanceOf(TypeError)
    expect(Problem.from(undefined).code).toBe('internal')
    const known = new Problem('forbidden')
    expect(Problem.from(known)).toBe(known)
  })
})
