/** The data port put together: pool, directory, lists, streams and pipeline behind one listener. */

import type { OpenedAuditLog } from './audit/log.ts'
import type { Server } from 'node:http'
import { createRouteTable } from './catalog/route-table.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { Problem } from './domain/problem.ts'
import type { Log } from './lib/log.ts'
import { createSeldom } from './lib/seldom.ts'
import { openFleetLists } from './open-lists.ts'
import { openObserve, type Observing } from './open-observe.ts'
import { openStreams } from './open-streams.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import { createDataPort } from './proxy/app.ts'
import { createAddressOf } from './proxy/client-address.ts'
import { chargeDeadEnds } from './proxy/dead-ends.ts'
import { createMeter } from './proxy/create-meter.ts'
import { createDecide } from './proxy/decide.ts'
import { createDescribe } from './proxy/describe.ts'
import { createEnforce } from './proxy/enforce.ts'
import { createForwarder } from './proxy/forward.ts'
import { compileAnswerHeaders } from './proxy/headers.ts'
import { createIdResolver } from './proxy/ids.ts'
import { createLists } from './proxy/lists/create-lists.ts'
import { countDecisions } from './proxy/limits.ts'
import type { Meter } from './proxy/meter.ts'
import { createPipeline, type Pipeline } from './proxy/pipeline.ts'
import { createRelate } from './proxy/relations.ts'
import { createMatchRoute } from './proxy/routing.ts'
import type { Streams } from './proxy/streams/streams.ts'
import type { Tokens } from './store/tokens.ts'
import { createCredentials } from './upstream/credentials.ts'
import { createDirectory } from './upstream/directory-cache.ts'
import { createDirectoryClient } from './upstream/directory-client.ts'
import type { Directory } from './upstream/directory.ts'
import type { FleetLists } from './upstream/fleet-lists.ts'
import { parseUpstreamOrigin } from './upstream/origin.ts'
import { countOwnCalls } from './upstream/own-calls.ts'
import { createUpstreamPool, type UpstreamPool } from './upstream/pool.ts'
import { createQuota, type Forecast, type Quota } from './upstream/quota.ts'
import { createSweep } from './upstream/sweep.ts'

export type DataPortParts = {
  config: Config
  catalog: Catalog
  policy: PolicyEngine
  tokens: Tokens
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
  const origin = parseUpstreamOrigin(upstream.url)
  const pool = stack.use(
    createUpstreamPool({
      origin,
      connections: upstream.connections,
      connectTimeoutMs: timeouts.upstreamConnectMs,
      headersTimeoutMs: timeouts.upstreamFirstByteMs,
      bodyTimeoutMs: timeouts.upstreamBodyMs,
      maxAnswerBytes: limits.answerBytes,
      maxCalls: upstream.maxCalls,
    }),
  )
  const answerHeaders = compileAnswerHeaders(catalog.returnHeaders, origin)
  const forwarder = stack.use(
    createForwarder({
      origin,
      connections: upstream.streams,
      firstByteTimeoutMs: timeouts.upstreamFirstByteMs,
      answerHeaders,
      maxAnswerBytes: limits.answerBytes,
    }),
  )
  const quota = createQuota({ ...upstream.quota, clock })
  const meter = createMeter(clock)
  const path = requestPath(parts, { pool, quota, meter })
  const { pipeline, streams, observing, fleetLists, directory } = path
  stack.use(fleetLists)
  stack.use(streams)
  stack.use(observing)
  const server = createDataPort({
    onFault: (error) => log.error('a request was dropped', { error }),
    pipeline,
    audit,
    clock,
    exchange: {
      pool,
      answerHeaders,
      forwarder,
      shape: catalog.errors,
      maxBodyBytes: limits.bodyBytes,
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
    },
  }
}

type Shared = { pool: UpstreamPool; quota: Quota; meter: Meter }
type RequestPath = {
  pipeline: Pipeline
  streams: Streams
  observing: Observing
  fleetLists: FleetLists
  directory: Directory
}

function requestPath(parts: DataPortParts, { pool, quota, meter }: Shared): RequestPath {
  const { config, catalog, policy, tokens, audit, clock, log } = parts
  const credentials = createCredentials(config.upstream.credentials)
  const send = countOwnCalls((request, signal) => pool.request(request, signal), quota)
  const fleetLists = openFleetLists(config, { catalog, send, clock })
  const sweep = createSweep({ catalog, credentials, fleetLists })
  const directory = createDirectory({
    client: createDirectoryClient({
      ...{ catalog, credentials },
      send: (request) => send(request),
    }),
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
  const streams = openStreams(config, {
    ...{ catalog, policy, tokens, directory, decide, audit, clock },
    onFault: (error) => log.error('a shared event stream was broken off', { error }),
  })
  const lists = createLists({
    ...{ policy, tokens, catalog, credentials, directory, fleetLists, pool, quota, clock },
    maxAnswerBytes: config.limits.answerBytes,
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
    ...{ ...stages, catalog, policy, tokens, directory, audit },
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
    }),
  })
  return { pipeline, streams, observing, fleetLists, directory }
}
