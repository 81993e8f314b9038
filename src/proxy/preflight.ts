/** CORS preflights (Fetch standard §3.2.2), answered here: they carry no token and say nothing of the fleet. */

import type { AuditLog, OutcomeFields } from '../audit/audit-log.ts'
import type { HttpExchange } from './http-exchange.ts'

const HEADERS = [
  ...['access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE'],
  ...['access-control-allow-headers', 'authorization, content-type, accept'],
  ...['access-control-max-age', '600', 'allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
]

/** Never forwarded; one row in the reject stream. */
export function answerPreflight(exchange: HttpExchange, audit: AuditLog): OutcomeFields {
  audit.reject({ ...exchange.envelope, reason: 'preflight', status: 204 })
  return exchange.answer(204, undefined, HEADERS)
}
