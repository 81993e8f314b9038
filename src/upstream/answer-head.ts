/** What makes an answer of the cloud unfit to be passed on, seen from its head: one rule for both ways. */

import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../domain/problem.ts'
import type { Secret } from '../lib/secret.ts'

/** `read`: the gate reads the body and cannot look into an encoded one. `passed`: it goes through as it is. */
export function answerHeadProblem(
  status: number,
  headers: IncomingHttpHeaders,
  body: 'read' | 'passed',
): Problem | undefined {
  // We never ask for a range, so a part cannot be an answer.
  if (status === 206) return new Problem('unfilterable_answer', { cause: 'the answer is partial' })
  if (status < 200 || status > 599) {
    return new Problem('upstream_failed', { cause: `status ${status}` })
  }
  if (status === 204 && promisesBody(headers)) {
    return new Problem('upstream_failed', { cause: 'a 204 with a body' })
  }
  const coding = headers['content-encoding']
  if (body === 'read' && coding !== undefined && coding !== 'identity') {
    return new Problem('unfilterable_answer', { cause: 'the answer is encoded' })
  }
  return undefined
}

/** The cloud does not take our credential: the client's own is not at fault and must not look so. */
export function refusalProblem(status: number, credential?: Secret): Problem | undefined {
  if (status !== 401 && status !== 407) return undefined
  const which = credential?.source === undefined ? '' : ` from ${credential.source}`
  const cause = `the cloud answered ${status} to the credential${which}`
  return new Problem('upstream_refused', { cause })
}

/** Whole seconds of `Retry-After`; a date (RFC 9110 §10.2.3 allows one) says nothing where clocks differ. */
export function retryAfterOf(headers: IncomingHttpHeaders): number | undefined {
  const said = headers['retry-after']
  return said !== undefined && /^\d{1,5}$/.test(said) ? Number(said) : undefined
}

function promisesBody(headers: IncomingHttpHeaders): boolean {
  const length = headers['content-length']
  return (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined
}
