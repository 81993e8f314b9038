/** Which gates share the store: each says once a second that it lives, and under which policies. */

export type ReplicaRow = {
  /** Name and boot, as in the audit log. */
  name: string
  boot: string
  version: string
  /** Of its policies in force, and the git commit where there is one. */
  revision: string
  commit: string | undefined
  startedAtMs: number
  /** By the store's clock. */
  beatAtMs: number
  /** Since then, by the store's clock, milliseconds. */
  silentMs: number
  /** Its clock less the store's, milliseconds. */
  skewMs: number
}

export type Beat = Omit<ReplicaRow, 'beatAtMs' | 'silentMs' | 'skewMs'> & { nowMs: number }

export interface ReplicaStore {
  /** Says that this one lives; forgets those that have not for a day. Nobody signs off: a gate that stopped is silent. */
  beat(replica: Beat): Promise<void>
  /**
   * Those that have lived within the last 5 s, and those before, newest first. A boot is left out once another of the
   * same name has taken over: one that started after its last beat, or that lives while it has been silent for 5 s.
   */
  list(): Promise<{ live: ReplicaRow[]; gone: ReplicaRow[] }>
}
