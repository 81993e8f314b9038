/** Two ways to the cloud behind one shape: what a request to it is, and what came back. */

import type { IncomingHttpHeaders } from 'node:http'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Secret } from '../lib/secret.ts'

/** Built by the gate alone: nothing of the client's raw request is in it but allow-listed header values. */
export type UpstreamRequest = {
  method: string
  /** Origin-form target, rebuilt from the route's upstream pattern and the decided ids. */
  target: string
  /** Lower-case names; no authorization, no hop-by-hop. */
  headers: Readonly<Record<string, string>>
  /** `undefined`: no body. Streaming bodies are taken from the exchange. */
  body: Buffer | undefined
  credential: Secret
}

/** A whole answer, read within the bound. `identity` coding only. */
export type UpstreamAnswer = {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** On whose behalf a call is made. */
export type Behalf = {
  /** Whose turn it takes among all who want a connection. */
  readonly user: string
  /** A call of the gate's own; absent: a client's. */
  readonly own?: true
  /** Asked where it had to wait, right before it goes up. @throws Problem where it may not any more */
  confirm?(): MaybePromise<void>
}
