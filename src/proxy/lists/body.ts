/** The bytes of a cut list: written once, with none of the gate's credentials in them (T17). */

import type { Secret } from '../../lib/secret.ts'
import { unfilterable } from '../cut.ts'
import { redactWhole } from '../redact.ts'

/** @throws Problem `unfilterable_answer` where it is nested too deep to be written */
export function toBody(value: unknown, credentials: readonly Secret[]): Buffer {
  return withoutCredentials(Buffer.from(toText(value)), credentials)
}

export function toText(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw unfilterable('the cut answer does not serialise', cause)
  }
}

export function withoutCredentials(body: Buffer, credentials: readonly Secret[]): Buffer {
  return credentials.reduce((clean, credential) => redactWhole(clean, credential.reveal()), body)
}
