/** Reads a request's whole body, bounded. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Problem } from '../domain/problem.ts'
import { offBrokenBody, onBrokenBody } from './broken-body.ts'
import { expectsContinue, hasBody } from './early-end.ts'

const empty = Buffer.alloc(0)

/**
 * `100 Continue` is sent here, when the body is first wanted.
 * @throws Problem `payload_too_large`, `unsupported_media_type` (encoded), `invalid_body` (cut short)
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<Buffer> {
  if (!hasBody(request)) return empty
  refuseEncoded(request)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    throw new Problem('payload_too_large')
  }
  if (expectsContinue(request)) response.writeContinue()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) fail(new Problem('payload_too_large'))
      else chunks.push(chunk)
    }
    const onEnd = () => {
      stop()
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
    }
    const cutShort = (cause?: unknown) => fail(new Problem('invalid_body', { cause }))
    const fail = (problem: Problem) => {
      stop()
      request.pause()
      reject(problem)
    }
    const stop = () => {
      request.off('data', onData).off('end', onEnd).off('close', cutShort)
      offBrokenBody(request, fail)
    }
    request.on('error', cutShort)
    request.on('close', cutShort).on('end', onEnd).on('data', onData)
    onBrokenBody(request, fail)
  })
}

/** What is read or guarded must be readable: a coding hides it (B07). */
export function refuseEncoded({ headers }: IncomingMessage): void {
  const coding = headers['content-encoding']
  if (coding !== undefined && coding.trim().toLowerCase() !== 'identity') {
    throw new Problem('unsupported_media_type')
  }
}
