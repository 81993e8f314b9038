/** What `fleetgate.yaml` says, checked and whole: paths are absolute, defaults filled, credentials `Secret`. */

import type { HttpOrigin } from '../lib/http-url.ts'
import type { Mistake } from '../lib/mistake.ts'
import type { Secret } from '../lib/secret.ts'
import type { ListenAddress } from './address.ts'

export type Config = {
  /** The file it was read from. */
  file: string
  /** Where a key stands in it, for what only shows beside other files. */
  keyAt: (...path: string[]) => Omit<Mistake, 'message'>
  upstream: UpstreamConfig
  /** For whom there are credentials, as they were spelled: only the catalog knows what an id is. */
  credentialsFor: { products: readonly string[]; organizations: readonly string[] }
  catalog: CatalogChoice
  /** Folder of the policy files. */
  policies: string
  store: StoreConfig
  audit: AuditConfig
  /** No admin address: no admin port. */
  listen: { data: ListenAddress; admin: ListenAddress | undefined }
  /** Name of this gate among those that share a store, and on its audit records. */
  replica: string
  operators: OperatorsConfig
  apiUsers: ApiUsersConfig
  /** Everybody is observed until then (milliseconds since the epoch), and nobody is refused. */
  observeUntilMs: number | undefined
  /** Requests a minute of callers that the gate does not know, while everybody is observed. */
  strangers: { perMinute: number; allPerMinute: number }
  timeouts: Timeouts
  limits: Limits
  trustedProxies: TrustedProxiesConfig
  tokens: {
    lastUsedFlushMs: number
    cacheSize: number
    /** Longest a token may live; absent: no limit. */
    maxLifetimeMs: number | undefined
    /** How long before its end a token's end is spoken of. */
    warnBeforeMs: number
  }
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
  origin: HttpOrigin
  /** At least one is there. Keys are as they were spelled. */
  credentials: {
    default?: Secret
    products: ReadonlyMap<string, Secret>
    organizations: ReadonlyMap<string, Secret>
  }
  /** Sockets at most for answers that are read whole, and for those that stream. */
  connections: number
  streams: number
  /** Calls that may be under way or wait for a socket, of each of the two. */
  maxCalls: number
  quota: QuotaConfig
}

/** What the cloud lets one address call, of all the gate's own and its clients' calls together. */
export type QuotaConfig = {
  calls: number
  perMs: number
  /** Share kept for the gate's own look-ups, 0 to 1. */
  reserve: number
}

export type StoreConfig =
  | { kind: 'sqlite'; path: string }
  /** The URL has no password in it. */
  | { kind: 'postgres'; url: string; password: Secret | undefined; connections: number }

export type OperatorsConfig = {
  /** How long a sign-in lasts. */
  sessionMs: number
  oidc: OidcConfig | undefined
}

export type OidcConfig = {
  issuer: string
  clientId: string
  /** Absent: a public client. */
  clientSecret: Secret | undefined
  /** Where the provider sends people back to: this admin port as they see it, with `/sign-in/callback`. */
  redirectUri: string
  scopes: readonly string[]
  /** `userinfo`: what the ID token lacks is asked for there. */
  claimsFrom: 'id_token' | 'userinfo'
  /** Claim that is the operator's name. */
  nameClaim: string
  /** Claim with groups, and which of them make which role; in none: not let in. */
  roleClaim: string
  roles: Readonly<Record<'viewer' | 'editor' | 'owner', readonly string[]>>
}

export type ApiUsersConfig = {
  /** Whether API users may live outside the policy files. */
  outsideGit: boolean
  /** What end the API users get that are made by the cloud's own team API; absent: that API makes none. */
  teamApiExpiry: { never: true } | { lifetimeMs?: number; idleMs?: number } | undefined
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
  /** As long as a client may take nothing of its answer. */
  unreadMs: number
  /** How long requests under way may go on after a signal to stop. */
  shutdownMs: number
}

export type Limits = {
  bodyBytes: number
  answerBytes: number
  headerBytes: number
  connections: number
  /** Of answers that clients have not read yet, all together. */
  unreadBytes: number
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
  /** As long as a client's system may leave unanswered what is sent to it. */
  unansweredMs: number
}

export type TrustedProxiesConfig = {
  /** CIDRs, addresses, or `unix` for peers on a unix socket. Empty: nobody is believed. */
  networks: readonly string[]
  /** How many proxies stand in front of the gate. */
  hops: number
}
