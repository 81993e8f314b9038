/** The error bodies of the device cloud, one function each, thrown as values that the app turns into answers. */

export class Refusal extends Error {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Record<string, string>

  constructor(status: number, body: Record<string, unknown>, headers: Record<string, string> = {}) {
    super(JSON.stringify(body))
    this.status = status
    this.body = body
    this.headers = headers
  }
}

const noStore = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }

/** The shape of the authorization layer. */
export function authRefusal(
  status: number,
  error: string,
  description: string,
  headers: Record<string, string> = {},
): Refusal {
  const body = { error, error_description: description }
  return new Refusal(status, body, { ...noStore, ...headers })
}

export function invalidToken(): Refusal {
  return authRefusal(401, 'invalid_token', 'The access token provided is invalid.')
}

export function invalidRequest(description: string): Refusal {
  return authRefusal(400, 'invalid_request', description)
}

export function invalidScope(): Refusal {
  return authRefusal(400, 'invalid_scope', 'The access token lacks the scope of this endpoint.')
}

export function notForApiUsers(): Refusal {
  const description = 'API users are not allowed to call this endpoint'
  return new Refusal(403, { error: 'unauthorized', error_description: description })
}

/** Unknown and foreign devices get the same words: existence is not revealed. */
export function permissionDenied(): Refusal {
  const list = 'https://api.particle.io/v1/devices?access_token=undefined'
  return new Refusal(403, {
    error: 'Permission Denied',
    info: `I didn't recognize that device name or ID, try opening ${list}`,
  })
}

export function failed(status: number, error: string): Refusal {
  return new Refusal(status, { ok: false, error })
}
