/** Two ways to the cloud behind one shape: what a request to it is, and what came back. */

import type { IncomingHttpHeaders } from 'node:http'
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
