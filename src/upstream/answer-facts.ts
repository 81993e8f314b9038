/** Reads a cloud's answers to look-ups: ids out of them, and what to say where they are none. */

import { Problem } from '../domain/problem.ts'
import { plainText, valueAtPath } from '../lib/cloud-json.ts'

export function pickText(root: unknown, path: string | undefined): string | undefined {
  return path === undefined ? undefined : plainText(valueAtPath(root, path))
}

/** @throws Problem `attribute_unavailable` */
export function parseAnswer(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new Problem('attribute_unavailable', { cause })
  }
}

export function unavailable(cause: unknown): Problem {
  return new Problem('attribute_unavailable', { cause })
}
