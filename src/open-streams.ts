/** Event streams as the gate runs them: connections to the cloud, limits and timers put together. */

import type { Config } from './config/config.ts'
import { every } from './lib/every.ts'
import { readUnanswered } from './lib/tcp-table.ts'
import { createStreams, type StreamsParts } from './proxy/streams/create-streams.ts'
import type { Streams } from './proxy/streams/streams.ts'
import { createEventSource } from './upstream/event-source.ts'

/** Disposing of them breaks off every open stream, so that nobody waits for their end. */
export function openStreams(
  { upstream, timeouts, streams, rations }: Config,
  parts: Omit<StreamsParts, 'source' | 'every' | 'readUnanswered' | 'limits'>,
): Streams {
  const source = createEventSource({
    origin: upstream.origin,
    connectTimeoutMs: timeouts.upstreamConnectMs,
    headersTimeoutMs: timeouts.upstreamFirstByteMs,
  })
  const { bufferBytes: _, ...bounds } = streams
  const limits = { ...bounds, perUser: rations.streams }
  const open = createStreams({ ...parts, source, every, readUnanswered, limits })
  return {
    serve: (served) => open.serve(served),
    [Symbol.dispose]() {
      open[Symbol.dispose]()
      source[Symbol.dispose]()
    },
  }
}
