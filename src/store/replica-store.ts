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
  /** Its clock less the store's, milliseconds. */
  skewMs: number
}

export type Beat = Omit<ReplicaRow, 'beatAtMs' | 'skewMs'> & { nowMs: number }

export interface ReplicaStore {
  /** Says that this one lives; forgets those that have not for a day. */
  beat(replica: Beat): Promise<void>
  /** Those that have lived within the last 5 s, and those before, newest first. */
  list(): Promise<{ live: ReplicaRow[]; gone: ReplicaRow[] }>
  /** At an orderly stop. */
  leave(name: string, boot: string): Promise<void>
}
