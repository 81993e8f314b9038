/** What was sent on under observation: it ends with the observation, or with its token, however far it has come. */

import type { AuditLog } from '../audit/audit-log.ts'
import type { Clock } from '../domain/clock.ts'
import type { Principal } from '../domain/principal.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Tokens } from '../store/tokens.ts'
import { knownByNow, type ObservedUntil, type Observee, type Stranger } from './caller.ts'
import type { BreakOff, Hold } from './exchange.ts'
import { askAgain, endedBy, isAskedTooLong, tickMs, type OpenToken } from './open-token.ts'

export interface Passages extends Disposable {
  /** Kept an eye on until it is disposed of. */
  hold(caller: Observee | Stranger, breakOff: BreakOff): Hold
}

export type PassagesParts = {
  tokens: Pick<Tokens, 'authenticate' | 'recheck'>
  observedUntil: ObservedUntil
  audit: Pick<AuditLog, 'state'>
  clock: Clock
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
  recheckMs: number
}

type Passage = OpenToken & {
  caller: Observee | Stranger
  breakOff: BreakOff
  hasNoEnd: boolean
}

/** As long as the audit log may be unwritable: with a look each `tickMs` 2 s at most. */
const auditMs = 1_700

export function createPassages(parts: PassagesParts): Passages {
  const { tokens, observedUntil, audit, clock } = parts
  const open = new Set<Passage>()
  let illSinceMs: number | undefined

  function endOf(passage: Passage, nowMs: number): string | undefined {
    if (illSinceMs !== undefined && nowMs - illSinceMs >= auditMs) return 'audit_unavailable'
    if (isAskedTooLong(passage, nowMs)) return 'store_unavailable'
    const { caller } = passage
    const principal = caller.kind === 'stranger' ? undefined : caller.principal
    return observedUntil(principal, clock.now()) === undefined ? 'observation_over' : undefined
  }

  /** A stranger's token may be adopted meanwhile, and from then on it dies as any other. */
  function askOfStranger(passage: Passage, caller: Stranger): MaybePromise<void> {
    const settle = (principal: Principal | undefined) => {
      if (principal === undefined) return
      passage.caller = { kind: 'observed', principal, observed: caller.observed, flaw: undefined }
    }
    const found = knownByNow(tokens, caller)
    return found instanceof Promise ? found.then(settle) : settle(found)
  }

  function askOfToken(passage: Passage, nowMs: number): void {
    const { caller, breakOff } = passage
    const ask = () =>
      caller.kind === 'stranger' ? askOfStranger(passage, caller) : tokens.recheck(caller.principal)
    askAgain(passage, nowMs, ask, (thrown) => breakOff(endedBy(thrown)))
  }

  function look(): void {
    const nowMs = clock.monotonic()
    illSinceMs = audit.state().healthy ? undefined : (illSinceMs ?? nowMs)
    for (const passage of open) {
      const ended = endOf(passage, nowMs)
      if (ended === undefined) askOfToken(passage, nowMs)
      else passage.breakOff(ended)
    }
  }

  const watch = parts.every(Math.min(tickMs, parts.recheckMs), look)
  return {
    hold(caller, breakOff) {
      const passage: Passage = { caller, breakOff, askingSinceMs: undefined, hasNoEnd: false }
      open.add(passage)
      return {
        hasNoEnd() {
          passage.hasNoEnd = true
        },
        [Symbol.dispose]: () => void open.delete(passage),
      }
    },
    [Symbol.dispose]() {
      watch[Symbol.dispose]()
      // All else is answered first, as without observation.
      for (const { breakOff, hasNoEnd } of open) if (hasNoEnd) breakOff('shutdown')
    },
  }
}
