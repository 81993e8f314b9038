/** Who calls: an API user, through one live token, under the grant that token was issued with. */

import type { Grant } from './grant.ts'

export type Principal = {
  user: string
  /** Public id of the token (12 characters); never the token. */
  tokenId: string
  issued: Grant
  issuedHash: string
  /** Milliseconds since the epoch; undefined: no fixed end. */
  expiresAtMs: number | undefined
  /** The store's epoch at which this principal was read. */
  epoch: number
}
