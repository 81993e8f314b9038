/** Who calls: an API user, through one live token, under the grant that token was issued with. */

import type { Grant, StoredDefinition } from './grant.ts'

export type Principal = {
  user: string
  /** Public id of the token (12 characters); never the token. */
  tokenId: string
  /** `minted`: a token of the gate's own. `adopted`: one of the cloud's, taken as it is until its first rotation. */
  tokenKind: 'minted' | 'adopted'
  issued: Grant
  issuedHash: string
  /** Milliseconds since the epoch; undefined: no fixed end. */
  expiresAtMs: number | undefined
  /** Where the API user lives in the store and not in the policy files (which win). */
  stored: StoredDefinition | undefined
}
