/** What must hold of a request's head before anything in it is believed. */

import { Problem } from '../domain/problem.ts'
import { methods } from '../domain/words.ts'
import type { RawRequest } from './exchange.ts'
import { headProblem } from './headers.ts'

const served: ReadonlySet<string> = new Set(methods)

/** @throws Problem `method_not_allowed`, `invalid_request` for other versions of HTTP, and what `headProblem` finds */
export function requirePlainHead(raw: RawRequest): void {
  if (!served.has(raw.method)) {
    throw new Problem('method_not_allowed', { headers: { allow: methods.join(', ') } })
  }
  // HTTP/0.9 has no headers to judge by (M08); nothing else is spoken here (M09).
  if (raw.httpVersion !== '1.1' && raw.httpVersion !== '1.0') {
    throw new Problem('invalid_request', { says: 'This version of HTTP is not served here.' })
  }
  const problem = headProblem(raw)
  if (problem !== undefined) throw problem
}
