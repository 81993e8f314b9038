/** The token of something that stays open, asked about again and again: never twice at once, and the store has not for ever to answer. */

import { Problem } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'

export type OpenToken = {
  /** Since when the store is being asked about it; monotonic milliseconds. */
  askingSinceMs: number | undefined
}

/** Looks at least so often, however seldom rights are checked. */
export const tickMs = 250
/** As long as the store may take over a token: with a look each `tickMs` a second at most. */
const storeMs = 700

/** `dead` is told what was thrown, at once or later. */
export function askAgain(
  open: OpenToken,
  nowMs: number,
  ask: () => MaybePromise<void>,
  dead: (thrown: unknown) => void,
): void {
  if (open.askingSinceMs !== undefined) return
  try {
    const asked = ask()
    if (!(asked instanceof Promise)) return
    open.askingSinceMs = nowMs
    asked.then(() => {
      open.askingSinceMs = undefined
    }, dead)
  } catch (thrown) {
    dead(thrown)
  }
}

export function isAskedTooLong({ askingSinceMs }: OpenToken, nowMs: number): boolean {
  return nowMs - (askingSinceMs ?? nowMs) >= storeMs
}

/** What something open is ended as when its token is refused. */
export function endedBy(thrown: unknown): string {
  const { code } = Problem.from(thrown)
  switch (code) {
    case 'invalid_token':
    case 'missing_token':
      return 'revoked'
    case 'expired_token':
      return 'expired'
    default:
      return code
  }
}
