/** All that is kept: one database behind it, embedded or shared. */

import type { ChangeFeed, ChangeHistory } from './changes.ts'
import type { CountStore } from './count-store.ts'
import type { OperatorStore } from './operator-store.ts'
import type { ReplicaStore } from './replica-store.ts'
import type { TokenStore } from './token-store.ts'
import type { UserStore } from './user-store.ts'

/** Writes resolve once they are committed and taken in here: the next request of this process sees them. */
export interface Store extends AsyncDisposable {
  readonly kind: 'sqlite' | 'postgres'
  readonly tokens: TokenStore
  readonly users: UserStore
  readonly operators: OperatorStore
  readonly replicas: ReplicaStore
  readonly counts: CountStore
  readonly changes: ChangeFeed
  readonly history: ChangeHistory
}
