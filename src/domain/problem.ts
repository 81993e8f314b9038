/** Everything that can go wrong for a caller: one class, one table of stable codes. */

/** `status` is HTTP's, `error` the OAuth-style word (RFC 6749 §5.2, RFC 6750 §3.1), `says` a public sentence. */
const table = {
  invalid_request: [400, 'invalid_request', 'The request is malformed.'],
  ambiguous_target: [400, 'invalid_request', 'The request target is ambiguous.'],
  unknown_query_key: [400, 'invalid_request', 'A query parameter is not one this route takes.'],
  invalid_body: [400, 'invalid_request', 'The request body is malformed.'],
  no_deed: [400, 'invalid_request', 'The request body asks for nothing this route knows.'],
  invalid_scope: [400, 'invalid_scope', 'A scope is not one that is known here.'],
  misplaced_token: [
    400,
    'invalid_request',
    'A token of the gate stands where the device cloud would see it.',
  ],
  several_credentials: [
    400,
    'invalid_request',
    'Only one method may be used to authenticate at a time (Auth header, GET or POST).',
  ],
  missing_token: [401, 'invalid_token', 'This call needs a bearer token.'],
  invalid_token: [401, 'invalid_token', 'The access token provided is invalid.'],
  expired_token: [401, 'invalid_token', 'The access token provided has expired.'],
  token_not_yet_valid: [401, 'invalid_token', 'The access token provided is not valid yet.'],
  forbidden: [403, 'permission_denied', 'This API user may not do this.'],
  suspended: [403, 'permission_denied', 'This API user is suspended.'],
  outside_addresses: [403, 'permission_denied', 'This API user may not call from here.'],
  role_forbids: [403, 'permission_denied', 'The role of this operator does not allow this.'],
  sign_in_refused: [403, 'access_denied', 'This sign-in was refused.'],
  refused_route: [403, 'unauthorized', 'API users are not allowed to call this endpoint'],
  unmapped_route: [404, 'not_found', 'No such route.'],
  not_found: [404, 'not_found', 'There is no such thing.'],
  method_not_allowed: [405, 'method_not_allowed', 'This method is not served here.'],
  request_timeout: [408, 'request_timeout', 'The request took too long to arrive.'],
  conflict: [409, 'conflict', 'It was changed by somebody else, or exists already.'],
  precondition_failed: [412, 'precondition_failed', 'It has changed since you read it.'],
  payload_too_large: [413, 'payload_too_large', 'The request body is too large.'],
  unsupported_media_type: [
    415,
    'unsupported_media_type',
    'This content type or encoding is not taken here.',
  ],
  expectation_failed: [417, 'expectation_failed', 'This expectation cannot be met.'],
  unprocessable: [422, 'invalid_request', 'This cannot be taken as it is.'],
  upgrade_refused: [426, 'upgrade_refused', 'Protocol upgrades are not served here.'],
  precondition_required: [428, 'precondition_required', 'This change needs an If-Match header.'],
  over_limit: [429, 'rate_limit_exceeded', 'Too many calls; try again later.'],
  upstream_quota: [429, 'rate_limit_exceeded', 'The quota of the device cloud is used up for now.'],
  rationed: [429, 'rate_limit_exceeded', 'Too many look-ups; try again later.'],
  too_many_calls: [429, 'rate_limit_exceeded', 'Too many calls are under way or wait.'],
  too_much_unread: [429, 'rate_limit_exceeded', 'Too much has been answered and not read.'],
  too_many_streams: [429, 'rate_limit_exceeded', 'Too many event streams are open.'],
  headers_too_large: [431, 'invalid_request', 'The request head is too large.'],
  internal: [500, 'server_error', 'Something went wrong.'],
  unsupported_coding: [501, 'invalid_request', 'This transfer coding is not served here.'],
  upstream_failed: [502, 'bad_gateway', 'The device cloud did not answer properly.'],
  unfilterable_answer: [502, 'bad_gateway', 'The answer could not be cut to what you may see.'],
  upstream_refused: [502, 'bad_gateway', 'The device cloud refused the gate.'],
  audit_unavailable: [503, 'server_error', 'The audit log cannot be written.'],
  store_unavailable: [503, 'server_error', 'The token store cannot be read.'],
  attribute_unavailable: [503, 'server_error', 'A fact this decision needs is not available.'],
  sign_in_unavailable: [503, 'server_error', 'The provider of sign-ins does not answer.'],
  overloaded: [503, 'server_error', 'The gate is at its limit.'],
  upstream_timeout: [504, 'gateway_timeout', 'The device cloud took too long to answer.'],
} as const satisfies Record<string, readonly [status: number, error: string, says: string]>

export type ProblemCode = keyof typeof table

export type ProblemOptions = {
  /** Public: replaces the table's sentence. Never put a token, a foreign id or an upstream detail in it. */
  says?: string
  /** Private: for the log only. */
  cause?: unknown
  /** Whole seconds for `Retry-After` (RFC 9110 §10.2.3). */
  retryAfterS?: number
  /** Extra response headers, lower-case names. */
  headers?: Readonly<Record<string, string>>
}

/**
 * A refusal or failure that a caller may hear of. `code` is public and permanent; `cause` never leaves the process.
 */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly status: number
  /** The word for the `error` key of the cloud's error body. */
  readonly error: string
  readonly says: string
  readonly retryAfterS: number | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const [status, error, says] = table[code]
    super(`${code}: ${options.says ?? says}`, { cause: options.cause })
    this.code = code
    this.status = status
    this.error = error
    this.says = options.says ?? says
    this.retryAfterS = options.retryAfterS
    this.headers = options.headers ?? {}
  }

  /** Narrows anything thrown to a Problem; what is not one becomes a bare `internal`. */
  static from(thrown: unknown): Problem {
    return thrown instanceof Problem ? thrown : new Problem('internal', { cause: thrown })
  }
}
