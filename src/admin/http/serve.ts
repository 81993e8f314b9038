/** The whole life of one request to the admin port, top to bottom: nothing else finds, admits, runs or answers it. */

import type { AuditLog } from '../../audit/audit-log.ts'
import type { ErrorShape } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import { StoreUnavailable } from '../../store/sql/sql.ts'
import { scannerPattern } from '../../store/token-format.ts'
import type { AdminAnswer, AnyOperation, Operation, Operator } from '../operation.ts'
import { Unprocessable } from '../unprocessable.ts'
import { cookiesOf } from './cookies.ts'
import { valueOf, type Head } from './head.ts'
import { problemBody } from './problem-body.ts'
import { fit } from './shape-faults.ts'
import { isAtLeast, tokenIdIn, type SignOn } from './sign-on.ts'
import type { Table } from './table.ts'
import { readTarget } from './target.ts'

export type ServeParts = {
  table: Table
  signOn: SignOn
  audit: Pick<AuditLog, 'reject'>
  /** The cloud's, for its own team API. */
  errorShape: ErrorShape
  /** What was no caller's fault. */
  onFault: (error: Problem, requestId: string) => void
}

export type Answer = {
  status: number
  headers: Readonly<Record<string, string>>
  /** Absent: an empty answer. */
  content: { type: string; bytes: Uint8Array } | undefined
}

const token = new RegExp(`${scannerPattern}|(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])`)

/** Far more than any operation takes. */
const maxKeys = 50

/** `body` reads the request's body; it is called once the operator is known and may do it. */
export type Serve = (head: Head, body: () => Promise<unknown>) => Promise<Answer>

export function createServe({ table, signOn, audit, errorShape, onFault }: ServeParts): Serve {
  return async (head, body) => {
    let errors: AnyOperation['errors'] = 'problem'
    let operator: Operator | undefined
    let admitted = false
    try {
      const target = readTarget(head.target)
      errors = table.errorsAt(target.segments)
      const { operation, params } = table.find(head.method, target.segments)
      errors = operation.errors
      const { requestId, address, agent } = head
      if (operation.role === 'none') {
        const query = readQuery(operation, target.query)
        admitted = true
        const cookies = cookiesOf(head)
        const request = { params, query, cookies, requestId, address, agent }
        return written(await operation.handle(request))
      }
      operator = await signOn(head)
      requireRole(operator, operation)
      const query = readQuery(operation, target.query)
      const ifMatch = readIfMatch(head, operation)
      const value = readShape(operation, await body())
      // A body may take its time: whoever was revoked meanwhile changes nothing.
      operator = await signOn(head)
      requireRole(operator, operation)
      admitted = true
      const request = { operator, params, query, body: value, ifMatch, requestId, address, agent }
      return written(await operation.handle(request))
    } catch (error) {
      const problem = problemOf(error)
      if (problem.code === 'internal') onFault(problem, head.requestId)
      // What was beyond an operator's role or reach tells of people as much as of strangers.
      if (!admitted || tellsOfReach(problem)) record(head, problem, operator)
      return refused(problem, head, errors)
    }
  }

  function record(head: Head, { code, status }: Problem, operator: Operator | undefined): void {
    const { target, rawHeaders: _, ...envelope } = head
    const tokenId = operator?.tokenId ?? tokenIdIn(head)
    audit.reject({
      ...envelope,
      ...{ rawTarget: target.split('?', 1)[0] ?? '', reason: code, status, port: 'admin' },
      ...(tokenId !== undefined && { tokenId }),
      ...(operator !== undefined && { by: `operator:${operator.name}` }),
    })
  }

  function refused(problem: Problem, head: Head, errors: AnyOperation['errors']): Answer {
    const { contentType, body } = problemBody(problem, head.requestId, errors, errorShape)
    const { status, retryAfterS } = problem
    return {
      status,
      headers: {
        ...(status === 401 && { 'www-authenticate': 'Bearer realm="fleetgate admin"' }),
        ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
        ...problem.headers,
      },
      content: { type: contentType, bytes: Buffer.from(JSON.stringify(body)) },
    }
  }
}

function tellsOfReach({ code }: Problem): boolean {
  return code === 'role_forbids' || code === 'not_found'
}

function problemOf(error: unknown): Problem {
  return error instanceof StoreUnavailable
    ? new Problem('store_unavailable', { cause: error, retryAfterS: 1 })
    : Problem.from(error)
}

function written({ status, body, json, headers = {} }: AdminAnswer): Answer {
  const bytes = json ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)))
  const type = 'application/json; charset=utf-8'
  return { status, headers, content: bytes && { type, bytes } }
}

function requireRole({ role }: Operator, { role: least }: Operation): void {
  if (isAtLeast(role, least)) return
  throw new Problem('role_forbids', { says: `This takes the role ${least}; yours is ${role}.` })
}

function readQuery(
  { query: declared = {} }: AnyOperation,
  given: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const faults = [...given].slice(0, maxKeys).flatMap(([parameter, value]) => {
    const shape = Object.hasOwn(declared, parameter) ? declared[parameter] : undefined
    if (shape === undefined) {
      const known = Object.keys(declared).join(', ') || 'none'
      return [{ parameter: parameter.slice(0, 40), detail: `is not taken here; taken: ${known}` }]
    }
    const checked = fit(shape, value)
    return checked.ok ? [] : checked.faults.map(({ detail }) => ({ parameter, detail }))
  })
  if (given.size > maxKeys) faults.push({ parameter: '…', detail: 'are too many keys' })
  if (faults.length > 0) throw new Unprocessable('invalid_request', faults)
  return Object.fromEntries(given)
}

/** RFC 9110 §13.1.1. Any version at all is not what `conditional` asks for. */
function readIfMatch(head: Head, { conditional }: Operation): string | undefined {
  const value = valueOf(head, 'if-match')?.trim()
  if (conditional !== true) return value
  if (value === undefined) throw new Problem('precondition_required')
  if (/^"[\x21\x23-\x7e]*"$/.test(value)) return value
  throw new Problem('invalid_request', {
    says: 'If-Match takes the one ETag that you have read; no list, no *.',
  })
}

function readShape({ body: shape }: Operation, value: unknown): unknown {
  if (shape === undefined) {
    const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0
    if (value === undefined || isEmpty) return undefined
    throw new Problem('invalid_body', { says: 'This call takes no body.' })
  }
  if (value === undefined) throw new Problem('invalid_body', { says: 'This call needs a body.' })
  // It would be kept, and shown to others.
  if (token.test(JSON.stringify(value))) {
    throw new Problem('invalid_body', { says: 'A token has no place in a body.' })
  }
  const checked = fit(shape, value)
  if (!checked.ok) throw new Unprocessable('invalid_body', checked.faults)
  return checked.value
}
