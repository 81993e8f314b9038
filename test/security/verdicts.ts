/** The three things that every attack must leave: the client's answer, the upstream's bytes, one row of the audit log. */

import { expect } from 'vitest'
import type { Aftermath } from '../kit/attacked-gate.ts'

/** Refused before it was known who asks: nothing upstream, one reject row under the answer's request id. */
export function expectRejected(got: Aftermath, status: number, reason: string): void {
  expect(told(got)).toEqual([{ status, truncated: false }])
  expect(got.upstream).toBe('')
  expect(got.traces).toBe(1)
  const requestId = got.answers[0]?.headers.get('x-request-id')
  expect(got.rejects).toMatchObject([{ reason, status, request_id: requestId }])
}

/** Refused to a known API user: nothing upstream, one deny under the answer's request id. */
export function expectDenied(got: Aftermath, status: number, reason: string): void {
  expect(told(got)).toEqual([{ status, truncated: false }])
  expect(got.upstream).toBe('')
  expect(got.traces).toBe(1)
  const requestId = got.answers[0]?.headers.get('x-request-id')
  expect(got.decisions).toMatchObject([{ decision: 'deny', reason, request_id: requestId }])
}

/** Served: the upstream got exactly `sent`, and one allow stands under the answer's request id. */
export function expectServed(got: Aftermath, sent: string, status = 200): void {
  expect(told(got)).toEqual([{ status, truncated: false }])
  expect(got.upstream).toBe(sent)
  expect(got.traces).toBe(1)
  const requestId = got.answers[0]?.headers.get('x-request-id')
  expect(got.decisions).toMatchObject([{ decision: 'allow', request_id: requestId }])
}

function told({ answers }: Aftermath): { status: number; truncated: boolean }[] {
  return answers.map(({ status, truncated }) => ({ status, truncated }))
}
