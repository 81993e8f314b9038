/** Event streams as the gate runs them: connections to the cloud, limits and timers put together. */

import type { Config } from './config/config.ts'
import { every } from './lib/every.ts'
import { createStreams, type StreamsParts } from './proxy/streams/create-streams.ts'
import type { Streams } from './proxy/streams/streams.ts'
import { createEventSource } from './upstream/event-source.ts'
import { parseUpstreamOrigin } from './upstream/origin.ts'

/** Disposing of them breaks off every open stream, so that nobody waits for their end. */
export function openStreams(
  { upstream, timeouts, streams, rations }: Config,
  parts: Omit<StreamsParts, 'source' | 'every' | 'limits'>,
): Streams {
  const source = createEventSource({
    origin: parseUpstreamOrigin(upstream.url),
    connectTimeoutMs: timeouts.upstreamConnectMs,
    headersTimeoutMs: timeouts.upstreamFirstByteMs,
  })
  const { heartbeatMs, eventBytes, recheckMs } = streams
  const limits = { heartbeatMs, eventBytes, recheckMs, perUser: rations.streams }
  const open = createStreams({ ...parts, source, every, limits })
  return {
    serve: (served) => open.serve(served),
    [Symbol.dispose]() {
      open[Symbol.dispose]()
      source[Symbol.dispose]()
    },
  }
}
