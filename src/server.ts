/** The composition root: configuration in, everything built and started, and disposed of in reverse. */

import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { OpenAuditFile } from './audit/file.ts'
import type { OpenedAuditLog } from './audit/log.ts'
import { auditDefaults, openAuditLog } from './audit/log.ts'
import { createRouteTable } from './catalog/route-table.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { Log } from './lib/log.ts'
import { createSeldom } from './lib/seldom.ts'
import { listen, type Listening } from './listen.ts'
import { openFleetLists } from './open-lists.ts'
import { openParts, openTokens } from './open-parts.ts'
import { openStreams } from './open-streams.ts'
import { createPolicyEngine } from './policy/engine.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import { keepPolicies, type PolicyKeeper } from './policy-keeper.ts'
import { createDataPort } from './proxy/app.ts'
import { createAddressOf } from './proxy/client-address.ts'
import { chargeDeadEnds } from './proxy/dead-ends.ts'
import { createDecide } from './proxy/decide.ts'
import { createDescribe } from './proxy/describe.ts'
import { createEnforce } from './proxy/enforce.ts'
import { createForwarder } from './proxy/forward.ts'
import { compileAnswerHeaders } from './proxy/headers.ts'
import { createIdResolver } from './proxy/ids.ts'
import { createLists } from './proxy/lists/create-lists.ts'
import { createPipeline, type Pipeline } from './proxy/pipeline.ts'
import { createRelate } from './proxy/relations.ts'
import { createMatchRoute } from './proxy/routing.ts'
import type { Streams } from './proxy/streams/streams.ts'
import type { Tokens } from './store/tokens.ts'
import { createCredentials } from './upstream/credentials.ts'
import { createDirectory } from './upstream/directory-cache.ts'
import { createDirectoryClient } from './upstream/directory-client.ts'
import type { FleetLists } from './upstream/fleet-lists.ts'
import { parseUpstreamOrigin } from './upstream/origin.ts'
import { createUpstreamPool, type UpstreamPool } from './upstream/pool.ts'
import { createSweep } from './upstream/sweep.ts'

export type Gate = AsyncDisposable & {
  /** `http://HOST:PORT`, or `unix:PATH`. */
  url: string
  auditPaths: OpenedAuditLog['paths']
  /** Resolves when the policy set was loaded again, or was refused and the old one stays. */
  reload(): Promise<void>
}

export type Surroundings = {
  clock: Clock
  log: Log
  /** How audit files are opened; absent: as plain files. */
  openAuditFile?: OpenAuditFile
}

/** @throws Mistakes, AuditUnusable, StoreUnusable: each says what to do, and nothing is left running. */
export async function startGate(config: Config, around: Surroundings): Promise<Gate> {
  const { clock, log } = around
  await using stack = new AsyncDisposableStack()
  const { catalog, set } = openParts(config)
  const audit = stack.use(await openAudit(config, around))
  const policy = createPolicyEngine({ catalog, set, cacheSize: config.tokens.cacheSize })
  const tokens = stack.use(
    openTokens(config, clock, {
      currentExpiry: (user) => policy.user(user)?.expiry,
      onFlushFailure: (error) => log.error('last uses could not be written', { error }),
    }),
  )
  const keeper = stack.use(keepPolicies({ config, catalog, policy, tokens, audit, clock, log }))
  const port = dataPort({ config, catalog, policy, tokens, audit, clock, log }, stack)
  const listening: Listening = stack.use(
    await listen(port.server, config.listen.data, config.timeouts.shutdownMs),
  )
  // First of all: the listener waits for answers under way, and a stream has no end of its own.
  stack.defer(() => port.streams[Symbol.dispose]())
  log.info('serving', { url: listening.url, revision: policy.revision })
  return gateOf(listening, audit, keeper, stack.move())
}

function gateOf(
  { url }: Listening,
  { paths }: OpenedAuditLog,
  keeper: PolicyKeeper,
  stack: AsyncDisposableStack,
): Gate {
  return {
    url,
    auditPaths: paths,
    reload: () => keeper.reload(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function openAudit({ audit }: Config, around: Surroundings): Promise<OpenedAuditLog> {
  const { clock, log, openAuditFile } = around
  return openAuditLog({
    folder: audit.folder,
    stream: hostname(),
    boot: randomBytes(6).toString('hex'),
    clock,
    limits: {
      queueRecords: audit.queueRecords,
      queueBytes: audit.queueBytes,
      waitMs: audit.waitMs,
      lingerMs: auditDefaults.limits.lingerMs,
    },
    rejects: { ...auditDefaults.rejects, maxBytes: audit.rejectBytes },
    checkMs: auditDefaults.checkMs,
    log,
    ...(openAuditFile !== undefined && { openFile: openAuditFile }),
  })
}

type PortParts = {
  config: Config
  catalog: Catalog
  policy: PolicyEngine
  tokens: Tokens
  audit: OpenedAuditLog
  clock: Clock
  log: Log
}

function dataPort(parts: PortParts, stack: AsyncDisposableStack) {
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
  const { pipeline, streams, fleetLists } = requestPath(parts, pool)
  stack.use(fleetLists)
  stack.use(streams)
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
  return { server, streams }
}

type RequestPath = { pipeline: Pipeline; streams: Streams; fleetLists: FleetLists }

function requestPath(parts: PortParts, pool: UpstreamPool): RequestPath {
  const { config, catalog, policy, tokens, audit, clock, log } = parts
  const credentials = createCredentials(config.upstream.credentials)
  const fleetLists = openFleetLists(config, { catalog, pool, clock })
  const sweep = createSweep({ catalog, credentials, fleetLists })
  const directory = createDirectory({
    client: createDirectoryClient({
      ...{ catalog, credentials },
      send: (request) => pool.request(request),
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
    (user) => policy.user(user)?.grant.boundary,
  )
  const decide = createDecide(policy, directory)
  const streams = openStreams(config, {
    ...{ catalog, policy, tokens, directory, decide, audit, clock },
    onFault: (error) => log.error('a shared event stream was broken off', { error }),
  })
  const lists = createLists({
    ...{ policy, tokens, catalog, credentials, directory, fleetLists, pool, clock },
    maxAnswerBytes: config.limits.answerBytes,
  })
  const seldom = createSeldom(clock, 1000)
  const pipeline = createPipeline({
    catalog,
    tokens,
    policy,
    audit,
    onFault: (error, requestId) =>
      seldom(error.code, (skipped) =>
        log.error('a request ended in a fault', { error, requestId, skipped }),
      ),
    durability: { read: config.audit.read, change: config.audit.change },
    matchRoute: createMatchRoute(createRouteTable(catalog)),
    describe: createDescribe(catalog, ids, createRelate({ directory, ids, policy })),
    decide: chargeDeadEnds(decide, directory),
    enforce: createEnforce({
      ...{ catalog, credentials, directory, tokens, fleetLists, lists, streams },
      grantOf: (user) => policy.user(user)?.grant,
    }),
  })
  return { pipeline, streams, fleetLists }
}
