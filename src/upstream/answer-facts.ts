/** Reads a cloud's answers to look-ups: ids out of them, and what to say where they are none. */

import { Problem } from '../domain/problem.ts'
import { valueAtPath } from '../lib/cloud-json.ts'

/** Ids are strings inside the gate; clouds also write them as whole numbers. */
export function pickText(root: unknown, path: string | undefined): string | undefined {
  const value = path === undefined ? undefined : valueAtPath(root, path)
  if (typeof value === 'string' && value !== '') return value
  return Number.isSafeInteger(value) ? String(value) : undefined
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
