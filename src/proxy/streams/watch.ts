/** One look at all open streams, again and again: heartbeats, rights, progress, who takes nothing or is gone, what waits too long, which hub nobody holds. */

import type { AuditLog } from '../../audit/audit-log.ts'
import type { Clock } from '../../domain/clock.ts'
import { isAskedTooLong, tickMs } from '../open-token.ts'
import type { Hub } from './hub.ts'
import type { Listening } from './listening.ts'
import type { Recheck } from './rights.ts'
import type { Vanished } from './vanished.ts'

export type WatchParts = {
  hubs: Map<string, Hub>
  recheck: Recheck
  vanished: Vanished
  audit: Pick<AuditLog, 'state'>
  clock: Clock
  onFault: (cause: unknown) => void
  every: (ms: number, callback: () => void) => Disposable
  limits: { heartbeatMs: number; recheckMs: number }
}

/** As long as a connection may take nothing of what waits for it. */
const stuckMs = 60_000
const progressMs = 60_000
/** As long as the audit log may be unwritable before nothing is served any more. */
const auditGraceMs = 2_000

const heartbeat = Buffer.from(':\n\n')

export function createWatch(parts: WatchParts): Disposable {
  const { hubs, recheck, vanished, audit, clock, limits } = parts
  let checkedAtMs = clock.monotonic()
  let illSinceMs: number | undefined

  function look(): void {
    const nowMs = clock.monotonic()
    const due = nowMs - checkedAtMs >= limits.recheckMs * 0.9
    if (due) checkedAtMs = nowMs
    const unaudited = isUnaudited(nowMs)
    for (const [key, hub] of hubs) {
      lookThrough(hub, nowMs)
      for (const listening of hub.listeners) {
        if (unaudited) listening.sink.end('audit_unavailable')
        else lookAt(listening, nowMs, due)
      }
      if (hub.closed || hub.isForsaken(nowMs)) {
        hub[Symbol.dispose]()
        hubs.delete(key)
      }
    }
    vanished.look(everybody, nowMs)
  }

  function* everybody(): Iterable<Listening> {
    for (const hub of hubs.values()) yield* hub.listeners
  }

  function lookThrough(hub: Hub, nowMs: number): void {
    try {
      hub.look(nowMs)
    } catch (cause) {
      parts.onFault(cause)
      hub[Symbol.dispose]()
    }
  }

  /** A fault with one stream must not be the end of all. */
  function lookAt(listening: Listening, nowMs: number, due: boolean): void {
    try {
      if (due) recheck(listening)
      if (listening.sink.open) tend(listening, nowMs)
    } catch (cause) {
      parts.onFault(cause)
      listening.sink.end('internal')
    }
  }

  function isUnaudited(nowMs: number): boolean {
    illSinceMs = audit.state().healthy ? undefined : (illSinceMs ?? nowMs)
    return illSinceMs !== undefined && nowMs - illSinceMs >= auditGraceMs
  }

  function tend(listening: Listening, nowMs: number): void {
    if (isAskedTooLong(listening, nowMs)) return listening.sink.end('store_unavailable')
    if (listening.stuckMs(nowMs) >= stuckMs) return listening.sink.end('slow_reader')
    if (nowMs - listening.wroteAtMs >= limits.heartbeatMs) listening.write(heartbeat, nowMs)
    if (nowMs - listening.progressAtMs < progressMs) return
    listening.progressAtMs = nowMs
    listening.served.progress(listening.count())
  }

  return parts.every(Math.min(tickMs, limits.recheckMs, limits.heartbeatMs / 4), look)
}
