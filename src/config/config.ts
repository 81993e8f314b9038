/** What `fleetgate.yaml` says, checked and whole: paths are absolute, defaults filled, credentials `Secret`. */

import type { Secret } from '../lib/secret.ts'
import type { ListenAddress } from './address.ts'

export type Config = {
  /** The file it was read from. */
  file: string
  upstream: UpstreamConfig
  catalog: CatalogChoice
  /** Folder of the policy files. */
  policies: string
  /** The SQLite file. */
  store: string
  audit: AuditConfig
  listen: { data: ListenAddress }
  timeouts: Timeouts
  limits: Limits
  trustedProxies: TrustedProxiesConfig
  tokens: { lastUsedFlushMs: number; cacheSize: number }
  reload: { allowMassRevocation: boolean }
  attributes: {
    maxAgeMs: number
    placesMaxAgeMs: number
    unknownMaxAgeMs: number
    cacheSize: number
  }
  lists: ListsConfig
  streams: StreamsConfig
  rations: { unknownPerMinute: number; listPagesPerMinute: number; streams: number }
}

/** What commands need that never call the cloud. */
export type OfflineConfig = Omit<Config, 'upstream'>

export type UpstreamConfig = {
  /** An absolute http or https URL without credentials, query or fragment. */
  url: string
  /** Keys are canonical ids. At least one credential is there. */
  credentials: {
    default?: Secret
    products: ReadonlyMap<string, Secret>
    organizations: ReadonlyMap<string, Secret>
  }
  /** Sockets at most for answers that are read whole, and for those that stream. */
  connections: number
  streams: number
  /** Calls that may be under way or wait for a socket. */
  maxCalls: number
}

/** One that ships with the gate, by name, or a file of the user's own. */
export type CatalogChoice =
  | { kind: 'shipped'; name: ShippedCatalog }
  | { kind: 'file'; path: string }

export type ShippedCatalog = 'particle'

type Durability = 'written' | 'synced'

export type AuditConfig = {
  folder: string
  /** By what an action does: reads, and actions that change something. */
  read: Durability
  change: Durability
  /** Records and bytes that may wait to be written, and how long one may. */
  queueRecords: number
  queueBytes: number
  waitMs: number
  /** Disk budget of the reject stream. */
  rejectBytes: number
}

export type Timeouts = {
  headersMs: number
  requestMs: number
  keepAliveMs: number
  upstreamConnectMs: number
  upstreamFirstByteMs: number
  upstreamBodyMs: number
  /** How long requests under way may go on after a signal to stop. */
  shutdownMs: number
}

export type Limits = {
  bodyBytes: number
  answerBytes: number
  headerBytes: number
  connections: number
}

export type ListsConfig = {
  maxAgeMs: number
  /** Of a list of many pages, while it is read again. */
  maxStaleMs: number
  callsPerMinute: number
  memoryBytes: number
}

export type StreamsConfig = {
  heartbeatMs: number
  /** Per stream. */
  bufferBytes: number
  eventBytes: number
  recheckMs: number
}

export type TrustedProxiesConfig = {
  /** CIDRs, addresses, or `unix` for peers on a unix socket. Empty: nobody is believed. */
  networks: readonly string[]
  /** How many proxies stand in front of the gate. */
  hops: number
}
