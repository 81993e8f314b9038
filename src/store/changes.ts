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

/** What a change made of what, for people: names, ids and ends, never a secret. */
export type ChangeDetail = {
  /** Public id of the token that it is about: the new one of two. */
  token_id?: string
  before?: ChangeSide
  after?: ChangeSide
}

export type ChangeSide = Readonly<Record<string, string | number | undefined>>

/** A change as it is kept, with what it was before and after; `detail` is absent where an older gate wrote the row. */
export type KeptChange = Omit<Change, 'kind'> & {
  /** Also of a newer gate. */
  kind: string
  detail: Readonly<Record<string, unknown>> | undefined
}

/** Some of the changes after a number, in order. */
export type ChangePage = {
  /** The number of the last change there is. */
  lastSeq: number
  /** Changes up to this number may be gone. */
  prunedSeq: number
  changes: readonly KeptChange[]
}

/** Changes as they lie in the database, for who writes them down; what is held in memory is kept true by the feed. */
export interface ChangeHistory {
  /** At most `limit` of those after that number. */
  after(seq: number, limit: number): Promise<ChangePage>
}

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
