/** Whole lists as the gate keeps them, and what is cut out of them, put together from the configuration. */

import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { FleetLists } from './upstream/fleet-lists.ts'
import { createFleetLists } from './upstream/lists/cached-lists.ts'
import type { OwnSend } from './upstream/own-calls.ts'

/** Disposing of them ends what is being read. */
export function openFleetLists(
  { lists, rations }: Config,
  parts: { catalog: Catalog; send: OwnSend; clock: Clock },
): FleetLists {
  const { catalog, send, clock } = parts
  const { maxAgeMs, maxStaleMs, callsPerMinute, memoryBytes } = lists
  return createFleetLists({
    send,
    clock,
    resources: catalog.resources,
    limits: {
      ...{ maxAgeMs, maxStaleMs, callsPerMinute, memoryBytes },
      pagesPerMinute: rations.listPagesPerMinute,
    },
  })
}
