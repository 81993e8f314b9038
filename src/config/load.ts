/** Reads `fleetgate.yaml`: a whole configuration, or every mistake in it at once. */

import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { Mistake } from '../lib/mistake.ts'
import { Secret } from '../lib/secret.ts'
import { decode } from '../lib/shape.ts'
import { readYaml, type YamlFile } from '../lib/yaml.ts'
import { configShape, partsShape, type ConfigSource } from './config-shape.ts'
import type {
  ApiUsersConfig,
  Config,
  OfflineConfig,
  OidcConfig,
  StoreConfig,
  UpstreamConfig,
} from './config.ts'
import type { Surroundings } from './keys.ts'
import { secretFromEnvironment, secretFromFile, type Environment } from './secret-source.ts'

export type LoadedConfig = { ok: true; config: Config } | { ok: false; mistakes: Mistake[] }

/** Relative paths start at the folder of `file`. Credential files are read now, once. */
export function loadConfig(text: string, file: string, env: Environment): LoadedConfig {
  return load(text, file, { toPath: pathFrom(file), ...secretsOf(env) })
}

/**
 * For what never calls the cloud: checked alike, but no credential of the cloud is looked for, and none is in the result.
 * @param env where the store's password is looked for; absent: that is not looked for either
 */
export function loadOfflineConfig(
  text: string,
  file: string,
  env?: Environment,
): { ok: true; config: OfflineConfig } | { ok: false; mistakes: Mistake[] } {
  const unread = { ok: true, secret: new Secret('') } as const
  const loaded = load(text, file, {
    toPath: pathFrom(file),
    environmentSecret: () => unread,
    fileSecret: () => unread,
    ...(env !== undefined && { store: secretsOf(env) }),
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
  return decoded.ok ? { ok: true, config: toConfig(decoded.value, source.file) } : decoded
}

function secretsOf(env: Environment): Pick<Surroundings, 'environmentSecret' | 'fileSecret'> {
  return {
    environmentSecret: (name) => secretFromEnvironment(name, env),
    fileSecret: secretFromFile,
  }
}

function pathFrom(file: string): Surroundings['toPath'] {
  const folder = dirname(file)
  return (path) => resolve(folder, path)
}

function toConfig(value: ConfigSource, { file, keyAt }: YamlFile): Config {
  const { operators, audit, timeouts, limits, tokens, attributes, lists, streams, rations } = value
  return {
    file: resolve(file),
    keyAt: (...path) => ({ file, ...keyAt(path) }),
    upstream: toUpstream(value.upstream),
    credentialsFor: {
      products: Object.keys(value.upstream.credentials.products ?? {}),
      organizations: Object.keys(value.upstream.credentials.organizations ?? {}),
    },
    catalog: value.catalog,
    policies: value.policies,
    store: toStore(value),
    audit: {
      folder: audit.folder,
      read: audit.read,
      change: audit.change,
      queueRecords: audit.queue_records,
      queueBytes: audit.queue_bytes,
      waitMs: audit.wait,
      rejectBytes: audit.reject_bytes,
    },
    listen: { data: value.listen.data, admin: value.listen.admin },
    replica: value.replica ?? hostname(),
    operators: {
      sessionMs: operators.session,
      oidc: operators.oidc && toOidc(operators.oidc),
    },
    apiUsers: {
      outsideGit: value.api_users.outside_git,
      teamApiExpiry: value.api_users.team_api && toExpiry(value.api_users.team_api),
    },
    observeUntilMs: value.observe.until,
    strangers: {
      perMinute: value.observe.requests_per_address,
      allPerMinute: value.observe.requests,
    },
    timeouts: {
      headersMs: timeouts.headers,
      requestMs: timeouts.request,
      keepAliveMs: timeouts.keep_alive,
      upstreamConnectMs: timeouts.upstream_connect,
      upstreamFirstByteMs: timeouts.upstream_first_byte,
      upstreamBodyMs: timeouts.upstream_body,
      unreadMs: timeouts.unread,
      shutdownMs: timeouts.shutdown,
    },
    limits: {
      bodyBytes: limits.body,
      answerBytes: limits.answer,
      headerBytes: limits.header,
      connections: limits.connections,
      unreadBytes: limits.unread,
    },
    trustedProxies: { networks: value.trusted_proxies ?? [], hops: value.trusted_hops },
    tokens: {
      lastUsedFlushMs: tokens.last_used_flush,
      cacheSize: tokens.cache,
      maxLifetimeMs: tokens.max_lifetime,
      warnBeforeMs: tokens.warn_before,
    },
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
      unansweredMs: streams.unanswered,
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
    origin: value.url,
    credentials: {
      ...(one === undefined ? {} : { default: one }),
      products: new Map(Object.entries(products)),
      organizations: new Map(Object.entries(organizations)),
    },
    connections: value.connections,
    streams: value.streams,
    maxCalls: value.queue,
    quota: {
      calls: value.quota.calls,
      perMs: value.quota.per,
      reserve: value.quota.reserve / 100,
    },
  }
}

function toStore({
  store,
  store_password: password,
  store_connections,
}: ConfigSource): StoreConfig {
  return store.kind === 'sqlite' ? store : { ...store, password, connections: store_connections }
}

function toOidc(value: NonNullable<ConfigSource['operators']['oidc']>): OidcConfig {
  const { viewer = [], editor = [], owner = [] } = value
  return {
    issuer: value.issuer,
    clientId: value.client_id,
    clientSecret: value.client_secret,
    redirectUri: value.redirect_uri,
    scopes: value.scopes,
    claimsFrom: value.claims_from,
    nameClaim: value.name_claim,
    roleClaim: value.role_claim,
    roles: { viewer, editor, owner },
  }
}

function toExpiry(
  value: NonNullable<ConfigSource['api_users']['team_api']>,
): NonNullable<ApiUsersConfig['teamApiExpiry']> {
  const { never, lifetime, idle } = value
  if (never) return { never }
  return {
    ...(lifetime !== undefined && { lifetimeMs: lifetime }),
    ...(idle !== undefined && { idleMs: idle }),
  }
}
