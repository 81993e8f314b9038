/** Counts calls against limits, in memory: what one replica may let pass of a limit that all share. */

import type { Charge } from '../domain/decision.ts'

export interface Meter {
  /** Milliseconds until one more call has room; 0: as far as is known it has. Counts nothing. */
  wait(charge: Charge): number
  /**
   * Counts one call against each at once, before anything is waited for, so that no two requests take the same place.
   * Resolves with the one that had no room, and then none is counted.
   */
  take(charges: readonly Charge[]): Promise<Charge | undefined>
  /** How many replicas share each limit: each lets pass its share, at least one call. */
  share(replicas: number): void
}
