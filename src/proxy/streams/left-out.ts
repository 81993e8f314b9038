/** An event that was dropped for its size: who may be told, and what. */

import type { Resource } from '../../domain/access-request.ts'
import { judged } from './audience.ts'
import type { Listening } from './listening.ts'

/** A comment: programs that read events by the grammar pass over it, people see it. */
export const leftOut = Buffer.from(': an event was too large and is left out\n\n')

/**
 * Whether this listener may hear any device of the place, whatever it says. To everybody else the event may have been
 * foreign, and then there is no trace of it.
 * @param atMs wall clock
 */
export function mayHearAll({ seat: { taken } }: Listening, place: Resource, atMs: number): boolean {
  if (taken === undefined) return false
  // Allowed for a device that nobody knows and a name that says nothing: by rules that look at neither.
  const event = { name: '', data: '', source: 'device' as const, device: nobody }
  const resource = { ...place, type: 'device' as const, device: nobody }
  return judged(taken, { event, resource }, undefined, atMs).outcome === 'allow'
}

const nobody = ''
