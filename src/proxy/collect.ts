/** Reads an upstream answer whole, within a bound, and tells a broken one from a whole one. */

import type { IncomingMessage } from 'node:http'
import { Problem } from '../domain/problem.ts'

/** Rejects with Problem `unfilterable_answer` (too large) or `upstream_failed` (broke off). */
export async function collect(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of answer) {
      if (!Buffer.isBuffer(chunk)) continue
      size += chunk.length
      if (size > maxBytes) throw new Problem('unfilterable_answer', { cause: 'too large to cut' })
      chunks.push(chunk)
    }
  } catch (cause) {
    throw cause instanceof Problem ? cause : new Problem('upstream_failed', { cause })
  }
  // An answer that broke off ends too; only `complete` tells them apart (F04).
  if (!answer.complete) throw new Problem('upstream_failed', { cause: 'answer cut short' })
  return Buffer.concat(chunks)
}
