/** Checks a value against a shape, and says of each fault where it is and which word was meant. */

import { didYouMean } from '../../lib/nearest.ts'
import type { z } from '../../lib/shape.ts'
import type { Fault } from '../unprocessable.ts'

/** Each unknown word is looked up among the known ones: thousands would hold up everybody. */
const maxFaults = 100

export type Shaped<T> = { ok: true; value: T } | { ok: false; faults: Fault[] }

export function fit<T>(shape: z.ZodType<T>, value: unknown): Shaped<T> {
  const result = shape.safeParse(value)
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, faults: result.error.issues.flatMap((issue) => faultsOf(issue)) }
}

/** RFC 6901. */
export function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const pointer = pointerTo(issue.path)
  if (issue.code === 'unrecognized_keys') {
    // `mapping` puts the known keys where the message would be.
    const known = issue.message.split(' ')
    return issue.keys.slice(0, maxFaults).map((key) => ({
      pointer: pointerTo([...issue.path, key]),
      detail: `unknown key "${key.slice(0, 100)}"${didYouMean(key, known)}`,
    }))
  }
  if (issue.code === 'invalid_value') {
    return [{ pointer, detail: `must be one of: ${issue.values.map(String).join(', ')}` }]
  }
  if (issue.code === 'invalid_type')
    return [{ pointer, detail: `must be ${words(issue.expected)}` }]
  return [{ pointer, detail: issue.message }]
}

function words(expected: string): string {
  const known: Record<string, string> = {
    object: 'an object',
    record: 'an object',
    array: 'a list',
    string: 'a text',
  }
  return known[expected] ?? `a ${expected}`
}
