/** How an API user stands once it was changed. The change is made: no failure to look again may hide it, or lose a new token. */

import { runsOutAt } from '../../store/expiry.ts'
import type { Replacement } from '../../store/token-store.ts'
import type { TokenInfo } from '../../store/tokens.ts'
import type { Actor, ApiUserRecord } from '../api-users.ts'
import { isVisible } from './bounds.ts'
import type { Found, Records } from './records.ts'

/** Read afresh; where that fails, or somebody else has deleted or moved it in the same moment, as this change left it. */
export async function lookAgain(
  actor: Actor,
  records: Pick<Records, 'find'>,
  left: ApiUserRecord,
): Promise<ApiUserRecord> {
  const found: Found | undefined = await records.find(left.name).catch(() => undefined)
  return found !== undefined && isVisible(actor, found) ? found.record : left
}

/** Of a token that was kept a moment ago. */
export function infoOf({ row }: Replacement, nowMs: number): TokenInfo {
  const { id: tokenId, hash: _, ...rest } = row
  const { notBeforeMs } = row
  return {
    ...{ ...rest, tokenId },
    state: notBeforeMs !== undefined && notBeforeMs > nowMs ? 'not_yet_valid' : 'valid',
    endsAtMs: runsOutAt(row, undefined, undefined),
  }
}
