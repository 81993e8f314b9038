/** An exchange with neither client nor cloud: it has a request, and nothing can be done with it. */

import type { Exchange } from '../proxy/exchange.ts'

export type UnsentRequest = {
  method: string
  target: string
  headers: readonly (readonly [string, string])[]
  body: Buffer | undefined
  atMs: number
}

export function unsentExchange({ method, target, headers, body, atMs }: UnsentRequest): Exchange {
  return {
    raw: { method, target, httpVersion: '1.1', rawHeaders: headLines(headers, body) },
    envelope: {
      requestId: 'explain',
      atMs,
      method,
      rawTarget: target,
      address: 'explain',
      agent: undefined,
    },
    body: async () => body ?? Buffer.alloc(0),
    unknownBody: async () => body ?? Buffer.alloc(0),
    bodyIfRead: async () => body,
    isOf: () => undefined,
    tokenEnds: () => undefined,
    pass: unsendable,
    filter: unsendable,
    forward: unsendable,
    send: unsendable,
    stream: unsendable,
    gone: new AbortController().signal,
    answer: unsendable,
    reject: unsendable,
  }
}

/** What a client would add by itself. */
function headLines(headers: UnsentRequest['headers'], body: Buffer | undefined): string[] {
  const lines = headers.flatMap(([name, value]) => [name, value])
  const has = (wanted: string) => headers.some(([name]) => name.toLowerCase() === wanted)
  if (!has('host')) lines.push('Host', 'gate')
  if (body === undefined) return lines
  if (!has('content-type')) lines.push('Content-Type', 'application/json')
  if (!has('content-length')) lines.push('Content-Length', String(body.length))
  return lines
}

function unsendable(): never {
  throw new Error('an explained request is not sent')
}
