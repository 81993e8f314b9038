/** The keys of `fleetgate.yaml`: each with its check, its default, and one line of documentation. */

import { durationMs, mapping, text, z } from '../lib/shape.ts'
import { apiUsers, operators } from './accounts-shape.ts'
import {
  catalogChoice,
  choice,
  count,
  credential,
  duration,
  key,
  listenAddress,
  networks,
  path,
  date,
  section,
  size,
  storePlace,
  toggle,
  upstreamUrl,
  type Surroundings,
} from './keys.ts'

const durability = ['written', 'synced'] as const

/** Decoding resolves paths and reads credentials, so that their mistakes are reported with all others. */
export const configShape = (around: Surroundings) =>
  mapping({
    upstream: upstream(around),
    catalog: catalog(around),
    policies: policies(around),
    store: storePlace(
      around,
      'SQLite file that holds tokens, created where missing; or postgres://USER@HOST/DATABASE for several gates.',
    ),
    store_password: credential({ ...around, ...around.store })
      .optional()
      .describe('Of PostgreSQL, from an environment variable or from a file of mode 0600.'),
    store_connections: count(10, 'Connections to PostgreSQL at most.', 3, 1000),
    replica: key(
      z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be a name of letters, digits, . _ -')
        .optional(),
      'name',
      'Name of this gate among those that share a store; absent: the host’s.',
    ),
    audit: section('What the audit log promises, and where it lies.', {
      folder: path(around, 'audit', 'Folder of the audit log.'),
      read: choice(
        durability,
        'written',
        'How durable the record of a read is before it is served: written survives the process, synced the machine.',
      ),
      change: choice(durability, 'synced', 'The same for whatever changes something.'),
      queue_records: count(8192, 'Records that may wait to be written; then requests get 503.'),
      queue_bytes: size('8MB', 'Bytes that may wait to be written; then requests get 503.'),
      wait: duration('1s', 'How long a request waits for its record; then it gets 503.'),
      reject_bytes: size('256MB', 'Disk that records of callers without a valid token may take.'),
    }),
    listen: section('Where the gate listens.', {
      data: listenAddress(
        around,
        '127.0.0.1:8080',
        'For clients: HOST:PORT, or unix:PATH. Put TLS in front of it.',
      ),
      admin: listenAddress(
        around,
        undefined,
        'For operators, the same; absent: there is no admin port. Keep clients away from it.',
      ),
    }),
    operators: operators(around),
    api_users: apiUsers(),
    observe: section('Observation: everything is forwarded, and recorded as it would be decided.', {
      until: key(
        date().optional(),
        'date',
        'Until 00:00 UTC of then everybody is observed, and nobody is refused. Absent: API users alone that say so themselves.',
      ),
    }),
    timeouts: timeouts(),
    limits: section('Sizes; what is larger is refused.', {
      body: size(
        '1MB',
        'A request body that the gate reads. Streamed uploads are not bounded by it.',
      ),
      answer: size('32MB', 'An answer that the gate reads to cut it down.'),
      header: size('16KB', 'A request’s head.'),
      connections: count(10_000, 'Client connections at a time.'),
    }),
    trusted_proxies: networks(
      'Addresses of your own proxies in front of the gate (unix: a peer on a unix socket); only theirs is X-Forwarded-For believed.',
    ),
    trusted_hops: count(1, 'How many of your own proxies a request passes.', 1, 16),
    tokens: section('How tokens are kept.', {
      last_used_flush: duration('30s', 'How often last uses are written to the store.'),
      cache: count(10_000, 'Tokens kept in memory.'),
      max_lifetime: key(
        durationMs().optional(),
        'duration',
        'Longest that a new token may live; absent: as long as its API user says.',
      ),
      warn_before: duration('14d', 'How long before its end a token’s end is spoken of.'),
    }),
    reload: section('What a policy reload may do.', {
      allow_mass_revocation: toggle(
        false,
        'Take a policy set that drops more than a tenth of the API users; their tokens die for good.',
      ),
    }),
    attributes: section(
      'Facts about products and devices, asked of the cloud and kept for a while.',
      {
        max_age: duration(
          '30s',
          'How old a device’s attributes may be when a decision hangs on them.',
        ),
        places_max_age: duration('10m', 'How long the product of a device, and so on, is kept.'),
        unknown_max_age: duration(
          '30s',
          'How long it is kept that the cloud does not know a name.',
        ),
        cache: count(50_000, 'Facts kept in memory.'),
      },
    ),
    lists: section('Whole lists of the cloud, kept to cut pages out of them.', {
      max_age: duration('30s', 'How old a list may be before it is read again.'),
      max_stale: duration(
        '5m',
        'How old a list of many pages may be while it is read again in the background.',
      ),
      calls: count(1200, 'Calls per minute that reading lists may cost of the cloud’s quota.'),
      memory: size('256MB', 'Memory that kept lists may take.'),
    }),
    streams: section('Event streams. Clients of one product share one connection to the cloud.', {
      heartbeat: duration(
        '8s',
        'How long a stream may be silent before the gate writes a comment.',
      ),
      buffer: size('64KB', 'What a slow reader may have waiting; then its stream is ended.'),
      event: size('1MB', 'The largest event; a larger one breaks the stream.'),
      recheck: duration('200ms', 'How often the right to listen is checked again.'),
    }),
    rations: section('What one API user may use up of what all share.', {
      unknown_lookups: count(30, 'Look-ups of unknown names per API user and minute; then 429.'),
      list_pages: count(
        300,
        'Pages of lists, the largest the cloud gives, read for one API user per minute, five minutes’ worth at once; then 429. What is in memory and young enough costs nothing.',
      ),
      streams: count(100, 'Event streams open at a time per API user; then 429.'),
    }),
  })

/** Only what says where catalog and policies lie. */
export const partsShape = (around: Pick<Surroundings, 'toPath'>) =>
  z
    .looseObject({ catalog: catalog(around), policies: policies(around) })
    .transform(({ catalog: choice, policies: folder }) => ({ catalog: choice, policies: folder }))

export type ConfigSource = z.infer<ReturnType<typeof configShape>>

function catalog(around: Pick<Surroundings, 'toPath'>) {
  return catalogChoice(around, 'What the cloud’s API is: a catalog that ships, or your own file.')
}

function policies(around: Pick<Surroundings, 'toPath'>) {
  return path(around, 'policies', 'Folder of the policy files.')
}

function upstream(around: Surroundings) {
  const byId = (says: string) =>
    key(z.record(text(), credential(around)).optional(), 'ID: credential', says)
  return mapping({
    url: upstreamUrl('The cloud behind the gate, e.g. https://api.particle.io.'),
    credentials: mapping({
      default: credential(around).optional(),
      products: byId('Credentials that speak for one product each, by its id.'),
      organizations: byId('Credentials that speak for one organization each, by its id.'),
    })
      .refine(
        ({ default: one, products = {}, organizations = {} }) =>
          one !== undefined || Object.keys({ ...products, ...organizations }).length > 0,
        'must name at least one credential, e.g. default: { env: CLOUD_TOKEN }',
      )
      .meta({
        description:
          'The gate’s own tokens of the cloud; the most specific one is used. Never written here, never printed.',
      }),
    connections: count(128, 'Connections to the cloud at most, for answers that the gate reads.'),
    streams: count(1024, 'Connections to the cloud at most, for uploads and event streams.'),
    quota: section('What the cloud lets the gate’s address call.', {
      calls: count(10_000, 'Calls at most, of all API users and of the gate’s own.'),
      per: duration('5m', 'In how long.'),
      reserve: count(10, 'Percent kept for the gate’s own look-ups.', 0, 90),
    }),
    queue: count(2048, 'Calls that may be under way or wait for a connection; then 503.'),
  }).meta({ description: 'The cloud behind the gate.' })
}

function timeouts() {
  return section('How long things may take.', {
    headers: duration('10s', 'A request’s head, from its first byte.'),
    request: duration('5m', 'A whole request with its body.'),
    keep_alive: duration('65s', 'An idle client connection between two requests.'),
    upstream_connect: duration('5s', 'Connecting to the cloud.'),
    upstream_first_byte: duration(
      '60s',
      'From the request sent to the head of the cloud’s answer.',
    ),
    upstream_body: duration('30s', 'Between two pieces of an answer that the gate reads.'),
    shutdown: duration('10s', 'Requests under way, after a signal to stop.'),
  })
}
