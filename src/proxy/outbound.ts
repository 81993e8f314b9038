/** The request and response that http-proxy-middleware gets to see: ours from the first byte, never the client's. */

import { IncomingMessage, ServerResponse } from 'node:http'
import type { PassedRequest } from './exchange.ts'
import { hasBody } from './early-end.ts'

/** What the library reports on one request. */
export type OutboundOwner = {
  failed(error: Error): void
  answered(answer: IncomingMessage): void
  /** All of the request has been handed to the connection. */
  sent(): void
  readonly state: 'waiting' | 'answering' | 'settled'
}

/**
 * Method, target, headers and credential are set before the library sees the request: its hooks would be skipped
 * under `Expect`. The body is what the owner pushes.
 */
export class Outbound extends IncomingMessage {
  readonly owner: OutboundOwner
  readonly #pull: () => void

  constructor(
    client: IncomingMessage,
    request: PassedRequest,
    owner: OutboundOwner,
    pull: () => void,
  ) {
    super(client.socket)
    this.owner = owner
    this.#pull = pull
    this.method = request.method
    this.url = request.target
    this.httpVersion = '1.1'
    this.httpVersionMajor = 1
    this.httpVersionMinor = 1
    this.headers = {
      ...request.headers,
      ...framing(client, request),
      ...authorizationOf(request),
      'accept-encoding': 'identity',
    }
  }

  override _read(): void {
    this.#pull()
  }

  /** Not the inherited one: that would take the client's connection down with it. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    callback(error)
  }
}

/** True where the client's own body is what goes upstream. */
export function streamsBody(client: IncomingMessage, request: PassedRequest): boolean {
  return request.body === undefined && hasBody(client)
}

function authorizationOf({ authorization }: PassedRequest): Record<string, string> {
  if (authorization.of === 'gate') {
    return { authorization: `Bearer ${authorization.credential.reveal()}` }
  }
  return authorization.value === undefined ? {} : { authorization: authorization.value.reveal() }
}

function framing(client: IncomingMessage, request: PassedRequest): Record<string, string> {
  if (request.body !== undefined) return { 'content-length': String(request.body.length) }
  const length = client.headers['content-length']
  if (!hasBody(client)) {
    return request.method === 'GET' || request.method === 'HEAD' ? {} : { 'content-length': '0' }
  }
  return length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }
}

/**
 * The library only listens to its response for the end of the client. This one never sends anything; cutting it
 * destroys whatever is under way upstream.
 */
export class Tether extends ServerResponse<Outbound> {
  cut(): void {
    this.emit('close')
  }
}
