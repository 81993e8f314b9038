/** What changed in the store, by any process: how each gate keeps what it holds in memory true. */

export const changeKinds = [
  'token_issued',
  'token_adopted',
  'token_rotated',
  'token_extended',
  'token_revoked',
  'user_created',
  'user_updated',
  'user_deleted',
  'user_suspended',
  'user_resumed',
  'user_displaced',
  'operator_created',
  'operator_revoked',
] as const

export type ChangeKind = (typeof changeKinds)[number]

/** `user`: the API user it is about; of operators' changes the operator. `by`: who did it, as `cli:NAME`, `operator:NAME`, `gate:NAME`, `self`. */
export type Change = { seq: number; atMs: number; user: string; kind: ChangeKind; by: string }

export interface ChangeFeed extends AsyncDisposable {
  /**
   * Takes in what others have committed, as far as that is known without waiting, and tells the listeners. SQLite: at
   * most once a turn. PostgreSQL: nothing to do, its notices and polls come by themselves. Cheap: called twice a request.
   */
  look(): void
  /** Takes in everything committed until now: after own writes, before they are answered. */
  refresh(): Promise<void>
  /**
   * What is in memory may be believed: the last good look is no older than the fence (2 s; SQLite always).
   * @throws Problem `store_unavailable`
   */
  assertFresh(): void
  /** `unknown`: it cannot be told what has changed; everything in memory is to be dropped. Called in the turn in which it becomes known. */
  onChange(listener: (changes: readonly Change[] | 'unknown') => void): Disposable
  /** For status pages: the number of the last change taken in, and when that was last known to be the last (wall clock). */
  state(): { seq: number; confirmedAtMs: number; listening: boolean }
}
