/** Reads `fleetgate.yaml`: a whole configuration, or every mistake in it at once. */

import { dirname, resolve } from 'node:path'
import type { Mistake } from '../lib/mistake.ts'
import { Secret } from '../lib/secret.ts'
import { decode } from '../lib/shape.ts'
import { readYaml } from '../lib/yaml.ts'
import { configShape, partsShape, type ConfigSource } from './config-shape.ts'
import type { Config, OfflineConfig, UpstreamConfig } from './config.ts'
import type { Surroundings } from './keys.ts'
import { secretFromEnvironment, secretFromFile, type Environment } from './secret-source.ts'

export type LoadedConfig = { ok: true; config: Config } | { ok: false; mistakes: Mistake[] }

/** Relative paths start at the folder of `file`. Credential files are read now, once. */
export function loadConfig(text: string, file: string, env: Environment): LoadedConfig {
  return load(text, file, {
    toPath: pathFrom(file),
    environmentSecret: (name) => secretFromEnvironment(name, env),
    fileSecret: secretFromFile,
  })
}

/** For what never calls the cloud: checked alike, but no credential is looked for, and none is in the result. */
export function loadOfflineConfig(
  text: string,
  file: string,
): { ok: true; config: OfflineConfig } | { ok: false; mistakes: Mistake[] } {
  const unread = { ok: true, secret: new Secret('') } as const
  const loaded = load(text, file, {
    toPath: pathFrom(file),
    environmentSecret: () => unread,
    fileSecret: () => unread,
  })
  if (!loaded.ok) return loaded
  const { upstream: _, ...config } = loaded.config
  return { ok: true, config }
}

/** Where catalog and policies lie, even if something else in the file is wrong; `undefined` if that is not plain. */
export function locateParts(
  text: string,
  file: string,
): Pick<Config, 'catalog' | 'policies'> | undefined {
  const source = readYaml(text, file)
  if (!source.ok) return undefined
  const decoded = decode(partsShape({ toPath: pathFrom(file) }), source.file)
  return decoded.ok ? decoded.value : undefined
}

function load(text: string, file: string, around: Surroundings): LoadedConfig {
  const source = readYaml(text, file)
  if (!source.ok) return source
  const decoded = decode(configShape(around), source.file)
  return decoded.ok ? { ok: true, config: toConfig(decoded.value, file) } : decoded
}

function pathFrom(file: string): Surroundings['toPath'] {
  const folder = dirname(file)
  return (path) => resolve(folder, path)
}

function toConfig(value: ConfigSource, file: string): Config {
  const { audit, timeouts, limits, tokens, attributes, lists, streams, rations } = value
  return {
    file: resolve(file),
    upstream: toUpstream(value.upstream),
    catalog: value.catalog,
    policies: value.policies,
    store: value.store,
    audit: {
      folder: audit.folder,
      read: audit.read,
      change: audit.change,
      queueRecords: audit.queue_records,
      queueBytes: audit.queue_bytes,
      waitMs: audit.wait,
      rejectBytes: audit.reject_bytes,
    },
    listen: value.listen,
    timeouts: {
      headersMs: timeouts.headers,
      requestMs: timeouts.request,
      keepAliveMs: timeouts.keep_alive,
      upstreamConnectMs: timeouts.upstream_connect,
      upstreamFirstByteMs: timeouts.upstream_first_byte,
      upstreamBodyMs: timeouts.upstream_body,
      shutdownMs: timeouts.shutdown,
    },
    limits: {
      bodyBytes: limits.body,
      answerBytes: limits.answer,
      headerBytes: limits.header,
      connections: limits.connections,
    },
    trustedProxies: { networks: value.trusted_proxies ?? [], hops: value.trusted_hops },
    tokens: { lastUsedFlushMs: tokens.last_used_flush, cacheSize: tokens.cache },
    reload: { allowMassRevocation: value.reload.allow_mass_revocation },
    attributes: {
      maxAgeMs: attributes.max_age,
      placesMaxAgeMs: attributes.places_max_age,
      unknownMaxAgeMs: attributes.unknown_max_age,
      cacheSize: attributes.cache,
    },
    lists: {
      maxAgeMs: lists.max_age,
      maxStaleMs: lists.max_stale,
      callsPerMinute: lists.calls,
      memoryBytes: lists.memory,
    },
    streams: {
      heartbeatMs: streams.heartbeat,
      bufferBytes: streams.buffer,
      eventBytes: streams.event,
      recheckMs: streams.recheck,
    },
    rations: {
      unknownPerMinute: rations.unknown_lookups,
      listPagesPerMinute: rations.list_pages,
      streams: rations.streams,
    },
  }
}

function toUpstream(value: ConfigSource['upstream']): UpstreamConfig {
  const { default: one, products = {}, organizations = {} } = value.credentials
  return {
    url: value.url,
    credentials: {
      ...(one === undefined ? {} : { default: one }),
      products: new Map(Object.entries(products)),
      organizations: new Map(Object.entries(organizations)),
    },
    connections: value.connections,
    streams: value.streams,
    maxCalls: value.queue,
  }
}
