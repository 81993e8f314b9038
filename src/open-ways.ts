/** Both ways to the cloud as the gate runs them, and what API users may have of them: connections, and answers left unread. */

import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import { every } from './lib/every.ts'
import type { EnforceParts } from './proxy/enforce.ts'
import { createForwarder, type Forwarder } from './proxy/forward.ts'
import { compileAnswerHeaders, type AnswerHeaders } from './proxy/headers.ts'
import { createUnreadAnswers, type UnreadAnswers } from './proxy/unread.ts'
import { createUpstreamPool, type UpstreamPool } from './upstream/pool.ts'

export type Ways = Pick<EnforceParts, 'assertRoom'> & {
  pool: UpstreamPool
  forwarder: Forwarder
  unread: UnreadAnswers
  answerHeaders: AnswerHeaders
}

/** What it opens is disposed of with the stack. */
export function openWays(
  { upstream, timeouts, limits }: Config,
  { catalog, clock }: { catalog: Pick<Catalog, 'returnHeaders'>; clock: Clock },
  stack: AsyncDisposableStack,
): Ways {
  const { origin } = upstream
  const pool = stack.use(
    createUpstreamPool({
      origin,
      connections: upstream.connections,
      connectTimeoutMs: timeouts.upstreamConnectMs,
      headersTimeoutMs: timeouts.upstreamFirstByteMs,
      bodyTimeoutMs: timeouts.upstreamBodyMs,
      maxAnswerBytes: limits.answerBytes,
      maxCalls: upstream.maxCalls,
      clock,
    }),
  )
  const unread = stack.use(
    createUnreadAnswers({
      maxBytes: limits.unreadBytes,
      maxAnswerBytes: limits.answerBytes,
      stuckMs: timeouts.unreadMs,
      ...{ clock, every },
    }),
  )
  const answerHeaders = compileAnswerHeaders(catalog.returnHeaders, origin)
  const forwarder = stack.use(
    createForwarder({
      origin,
      connections: upstream.streams,
      maxCalls: Math.max(upstream.maxCalls, upstream.streams),
      firstByteTimeoutMs: timeouts.upstreamFirstByteMs,
      ...{ answerHeaders, unread },
      maxAnswerBytes: limits.answerBytes,
    }),
  )
  return {
    ...{ pool, unread, answerHeaders, forwarder },
    assertRoom(user, way) {
      unread.assertRoom(user)
      if (way === 'small') pool.assertRoom(user)
      if (way === 'streaming') forwarder.assertRoom(user)
    },
  }
}
