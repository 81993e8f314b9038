/** Makes conditional writes until one holds: there is no If-Match in the cloud's API, and the last writer wins. */

import { Problem } from '../../domain/problem.ts'
import { Unprocessable } from '../unprocessable.ts'

const attempts = 5

/**
 * @param write reads afresh each time, and changes only what it has read
 * @throws what it throws; what cannot be taken is a plain 400, as in the cloud
 */
export async function untilItHolds<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the next only where this one has lost
      return await write()
    } catch (error) {
      if (attempt < attempts && isLostRace(error)) continue
      throw asInCloud(error)
    }
  }
}

function isLostRace(error: unknown): boolean {
  if (!(error instanceof Problem)) return false
  return error.code === 'conflict' || error.code === 'precondition_failed'
}

function asInCloud(error: unknown): unknown {
  if (!(error instanceof Problem) || error.code !== 'unprocessable') return error
  const { says, cause } = error
  return error instanceof Unprocessable
    ? new Unprocessable('invalid_request', error.faults, { says, cause })
    : new Problem('invalid_request', { says, cause })
}
