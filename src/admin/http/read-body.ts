/** Reads the JSON body of a request to the admin port: bounded, strict, and of one content type. */

import type { IncomingMessage } from 'node:http'
import { Problem } from '../../domain/problem.ts'
import { JsonFault, parseStrictJson } from '../../lib/strict-json.ts'

const maxBytes = 64 * 1024

/**
 * `undefined` where there is none.
 * @throws Problem `payload_too_large`, `unsupported_media_type`, `invalid_body`
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const { headers } = request
  const body = await readAll(request)
  if (body.length === 0) return undefined
  const type = (headers['content-type'] ?? '').split(';', 1)[0] ?? ''
  const coding = headers['content-encoding'] ?? 'identity'
  if (type.trim().toLowerCase() !== 'application/json' || coding.toLowerCase() !== 'identity') {
    throw new Problem('unsupported_media_type', { says: 'The body must be application/json.' })
  }
  try {
    return parseStrictJson(body)
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    throw new Problem('invalid_body', { says: error.message, cause: error.message })
  }
}

function readAll(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = () =>
    new Problem('payload_too_large', { says: `A body has ${maxBytes} bytes at most.` })
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBytes) chunks.push(chunk)
      else reject(tooLarge())
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', (cause) => reject(new Problem('invalid_body', { cause })))
    request.on('close', () => reject(new Problem('invalid_body')))
  })
}
