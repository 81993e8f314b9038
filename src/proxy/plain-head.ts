/** What must hold of a request's head before anything in it is believed. */

import { Problem } from '../domain/problem.ts'
import type { RawRequest } from './exchange.ts'
import { headProblem } from './headers.ts'

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** @throws Problem `method_not_allowed`, and what `headProblem` finds */
export function requirePlainHead(raw: RawRequest): void {
  if (!METHODS.has(raw.method)) {
    throw new Problem('method_not_allowed', { headers: { allow: [...METHODS].join(', ') } })
  }
  const problem = headProblem(raw)
  if (problem !== undefined) throw problem
}
