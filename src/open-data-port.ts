/** The data port put together: pool, directory, lists, streams and pipeline behind one listener. */

import type { OpenedAuditLog } from './audit/log.ts'
import type { Server } from 'node:http'
import { createRouteTable } from './catalog/route-table.ts'
import type { Config } from './config/config.ts'
import { credentialsById } from './credential-places.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { Problem } from './domain/problem.ts'
import { every } from './lib/every.ts'
import type { Log } from './lib/log.ts'
import { createSeldom } from './lib/seldom.ts'
import { openFleetLists } from './open-lists.ts'
import { openObserve, type Observing } from './open-observe.ts'
import { openStreams } from './open-streams.ts'
import { openWays, type Ways } from './open-ways.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import { createDataPort } from './proxy/app.ts'
import { createAddressOf } from './proxy/client-address.ts'
import { chargeDeadEnds } from './proxy/dead-ends.ts'
import { createMeter } from './proxy/create-meter.ts'
import { createDecide } from './proxy/decide.ts'
import { createDescribe } from './proxy/describe.ts'
import { createEnforce } from './proxy/enforce.ts'
import { createIdResolver } from './proxy/ids.ts'
import { createKeptCounts } from './proxy/kept-counts.ts'
import { createLists } from './proxy/lists/create-lists.ts'
import { countDecisions } from './proxy/limits.ts'
import type { Meter } from './proxy/meter.ts'
import { createPipeline, type Pipeline } from './proxy/pipeline.ts'
import { bodyLimits } from './proxy/read-body.ts'
import { createRelate } from './proxy/relations.ts'
import { createMatchRoute } from './proxy/routing.ts'
import { createStandings } from './proxy/standing.ts'
import { createOpenings, type Openings } from './proxy/streams/openings.ts'
import type { Streams } from './proxy/streams/streams.ts'
import type { KeptCount } from './store/count-store.ts'
import type { Store } from './store/store.ts'
import type { Tokens } from './store/tokens.ts'
import { createCredentials } from './upstream/credentials.ts'
import { createDirectory } from './upstream/directory-cache.ts'
import { createDirectoryClient } from './upstream/directory-client.ts'
import type { Directory } from './upstream/directory.ts'
import type { FleetLists } from './upstream/fleet-lists.ts'
import { countOwnCalls } from './upstream/own-calls.ts'
import { createQuota, type Forecast, type Quota } from './upstream/quota.ts'
import { createSweep } from './upstream/sweep.ts'

export type DataPortParts = {
  config: Config
  catalog: Catalog
  policy: PolicyEngine
  tokens: Tokens
  store: Pick<Store, 'users' | 'counts'>
  /** Of limits, as this gate had counted them when it stopped. */
  counts: readonly KeptCount[]
  audit: OpenedAuditLog
  clock: Clock
  log: Log
}

export type DataPort = {
  /** Not listening yet. */
  server: Server
  streams: Streams
  observing: Disposable
  directory: Directory
  forecast(): Forecast
  /** How many replicas share limits and the cloud's quota. */
  share(replicas: number): void
}

/** What it opens is disposed of with the stack. */
export function openDataPort(parts: DataPortParts, stack: AsyncDisposableStack): DataPort {
  const { config, catalog, audit, clock, log } = parts
  const { upstream, timeouts, limits } = config
  const ways = openWays(config, { catalog, clock }, stack)
  const quota = createQuota({ ...upstream.quota, clock })
  const keptCounts = stack.use(
    createKeptCounts({
      ...{ store: parts.store.counts, replica: config.replica, every },
      onFault: (error) => log.error('counts of limits could not be written', { error }),
    }),
  )
  const meter = createMeter({ clock, kept: parts.counts, onCount: keptCounts.note })
  const openings = createOpenings(clock)
  const path = requestPath(parts, { ways, quota, meter, openings })
  const { pipeline, streams, observing, fleetLists, directory } = path
  stack.use(path.standings)
  stack.use(fleetLists)
  stack.use(streams)
  stack.use(observing)
  const server = createDataPort({
    onFault: (error) => log.error('a request was dropped', { error }),
    pipeline,
    audit,
    clock,
    exchange: {
      ...ways,
      shape: catalog.errors,
      bodies: bodyLimits(limits.bodyBytes, timeouts.requestMs),
      streamBufferBytes: config.streams.bufferBytes,
    },
    limits: {
      headersTimeoutMs: timeouts.headersMs,
      requestTimeoutMs: timeouts.requestMs,
      keepAliveTimeoutMs: timeouts.keepAliveMs,
      maxHeaderBytes: limits.headerBytes,
      maxConnections: limits.connections,
    },
    addressOf: createAddressOf(config.trustedProxies),
  })
  return {
    ...{ server, streams, observing, directory, forecast: () => quota.forecast() },
    share(replicas) {
      quota.share(replicas)
      meter.share(replicas)
      openings.share(replicas)
    },
  }
}

type Shared = { ways: Ways; quota: Quota; meter: Meter; openings: Openings }
type RequestPath = {
  pipeline: Pipeline
  streams: Streams
  standings: Disposable
  observing: Observing
  fleetLists: FleetLists
  directory: Directory
}

function requestPath(parts: DataPortParts, { ways, quota, meter, openings }: Shared): RequestPath {
  const { pool, assertRoom } = ways
  const { config, catalog, policy, tokens, store, audit, clock, log } = parts
  const credentials = createCredentials(credentialsById(config.upstream.credentials, catalog))
  // They take turns like two API users: lists that are slow do not hold up what decisions wait for.
  const sendFor = (user: string) =>
    countOwnCalls((request, signal) => pool.request(request, { user, own: true }, signal), quota)
  const fleetLists = openFleetLists(config, { catalog, send: sendFor('own lists'), clock })
  const sweep = createSweep({ catalog, credentials, fleetLists })
  const directory = createDirectory({
    client: createDirectoryClient({ catalog, credentials, send: sendFor('own look-ups') }),
    ...(sweep !== undefined && { sweep }),
    admit: (user) => fleetLists.take(user),
    clock,
    ages: {
      attributesMs: config.attributes.maxAgeMs,
      placesMs: config.attributes.placesMaxAgeMs,
      unknownMs: config.attributes.unknownMaxAgeMs,
    },
    unknownPerMinute: config.rations.unknownPerMinute,
    maxEntries: config.attributes.cacheSize,
  })
  const ids = createIdResolver(
    catalog.resources,
    directory,
    (principal) => policy.userOf(principal)?.grant.boundary,
  )
  const decide = createDecide(policy, directory)
  const rarely = createSeldom(clock, 60_000)
  const streams = openStreams(config, {
    ...{ catalog, policy, tokens, directory, decide, audit, clock, openings },
    onFault: (error) => log.error('a shared event stream was broken off', { error }),
    onTooLarge: ({ product, organization }) =>
      rarely(`${product}/${organization}`, (skipped) =>
        log.error('an event is larger than streams.event: nobody gets it', {
          ...{ product, organization, skipped },
        }),
      ),
  })
  const lists = createLists({
    ...{ policy, tokens, catalog, credentials, directory, fleetLists, pool, quota, clock },
    maxAnswerBytes: config.limits.answerBytes,
  })
  const standings = createStandings({
    ...{ tokens, policy, decide, clock, every, recheckMs: config.streams.recheckMs },
  })
  const seldom = createSeldom(clock, 1000)
  const onFault = (error: Problem, requestId: string) =>
    seldom(error.code, (skipped) =>
      log.error('a request ended in a fault', { error, requestId, skipped }),
    )
  const stages = {
    matchRoute: createMatchRoute(createRouteTable(catalog)),
    describe: createDescribe(catalog, ids, createRelate({ directory, ids, policy })),
    decide: countDecisions(chargeDeadEnds(decide, directory), meter),
  }
  const observing = openObserve(config, {
    ...{ ...stages, catalog, policy, tokens, store, directory, audit },
    ...{ clock, log, credentials, fleetLists, quota, onFault },
  })
  const pipeline = createPipeline({
    catalog,
    tokens,
    policy,
    audit,
    onFault,
    ...stages,
    identify: observing.identify,
    observe: observing.observe,
    warnBeforeMs: config.tokens.warnBeforeMs,
    durability: { read: config.audit.read, change: config.audit.change },
    enforce: createEnforce({
      ...{ catalog, credentials, directory, tokens, fleetLists, lists, streams, quota },
      grantOf: (principal) => policy.userOf(principal)?.grant,
      standingOf: standings.of,
      assertRoom,
    }),
  })
  return { pipeline, streams, standings, observing, fleetLists, directory }
}
