/** What was sent on under observation: it ends with the observation, or with its token, however far it has come. */

import type { AuditLog } from '../audit/audit-log.ts'
import type { Clock } from '../domain/clock.ts'
import type { Tokens } from '../store/tokens.ts'
import type { ObservedUntil, Observee, Stranger } from './caller.ts'
import type { BreakOff, Hold } from './exchange.ts'
import { endedBy } from './streams/rights.ts'

export interface Passages extends Disposable {
  /** Kept an eye on until it is disposed of. */
  hold(caller: Observee | Stranger, breakOff: BreakOff): Hold
}

export type PassagesParts = {
  tokens: Pick<Tokens, 'recheck'>
  observedUntil: ObservedUntil
  audit: Pick<AuditLog, 'state'>
  clock: Clock
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
  recheckMs: number
}

type Passage = {
  caller: Observee | Stranger
  breakOff: BreakOff
  /** Since when the store is being asked about its token; monotonic milliseconds. */
  askingSinceMs: number | undefined
  hasNoEnd: boolean
}

const tickMs = 250
/** As long as the store may take over a token, and the audit log be unwritable: with a look each `tickMs` 1 s and 2 s at most. */
const storeMs = 700
const auditMs = 1_700

export function createPassages(parts: PassagesParts): Passages {
  const { tokens, observedUntil, audit, clock } = parts
  const open = new Set<Passage>()
  let illSinceMs: number | undefined

  function endOf({ caller, askingSinceMs }: Passage, nowMs: number): string | undefined {
    if (illSinceMs !== undefined && nowMs - illSinceMs >= auditMs) return 'audit_unavailable'
    if (nowMs - (askingSinceMs ?? nowMs) >= storeMs) return 'store_unavailable'
    const principal = caller.kind === 'stranger' ? undefined : caller.principal
    return observedUntil(principal, clock.now()) === undefined ? 'observation_over' : undefined
  }

  function askOfToken(passage: Passage, nowMs: number): void {
    const { caller, breakOff } = passage
    if (caller.kind === 'stranger' || passage.askingSinceMs !== undefined) return
    try {
      const asked = tokens.recheck(caller.principal)
      if (!(asked instanceof Promise)) return
      passage.askingSinceMs = nowMs
      asked.then(
        () => {
          passage.askingSinceMs = undefined
        },
        (thrown: unknown) => breakOff(endedBy(thrown)),
      )
    } catch (thrown) {
      breakOff(endedBy(thrown))
    }
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
