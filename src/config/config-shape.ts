/** The keys of `fleetgate.yaml`: each with its check, its default, and one line of documentation. */

import { durationMs, mapping, z } from '../lib/shape.ts'
import { apiUsers, operators } from './accounts-shape.ts'
import { limits, timeouts } from './bounds-shape.ts'
import { contradictions } from './contradictions.ts'
import {
  catalogChoice,
  choice,
  count,
  credential,
  date,
  duration,
  key,
  listenAddress,
  networks,
  path,
  section,
  size,
  storePlace,
  toggle,
  wait,
  type Surroundings,
} from './keys.ts'
import { upstream } from './upstream-shape.ts'

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
      wait: wait('1s', 'How long a request waits for its record; then it gets 503.'),
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
      requests: count(
        3000,
        'Requests a minute of all callers together that the gate does not know; then 429. Each writes up to 1.4 KB to the audit log.',
      ),
      requests_per_address: count(
        600,
        'Of these from one address, an IPv6 one counted by its /64; then 429.',
      ),
    }),
    timeouts: timeouts(),
    limits: limits(),
    trusted_proxies: networks(
      'Addresses of your own proxies in front of the gate (unix: a peer on a unix socket); only theirs is X-Forwarded-For believed.',
    ),
    trusted_hops: count(1, 'How many of your own proxies a request passes.', 1, 16),
    tokens: section('How tokens are kept.', {
      last_used_flush: wait('30s', 'How often last uses are written to the store.'),
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
      heartbeat: wait('8s', 'How long a stream may be silent before the gate writes a comment.'),
      buffer: size('64KB', 'What a slow reader may have waiting; then its stream is ended.'),
      event: size('1MB', 'The largest event; a larger one is left out, counted and logged.'),
      // Who loses a right sees what it let him see for a quarter of a second at most.
      recheck: wait('200ms', 'How often the right to listen is checked again.', '250ms'),
      unanswered: wait(
        '40s',
        'How long a client’s system may answer nothing of what is sent to it; then its stream is ended. On Linux.',
      ),
    }),
    rations: section('What one API user may use up of what all share.', {
      unknown_lookups: count(30, 'Look-ups of unknown names per API user and minute; then 429.'),
      list_pages: count(
        300,
        'Pages of lists, the largest the cloud gives, read for one API user per minute, five minutes’ worth at once; then 429. What is in memory and young enough costs nothing.',
      ),
      streams: count(100, 'Event streams open at a time per API user; then 429.'),
    }),
  }).superRefine((value, context) => {
    for (const { path: at, message } of contradictions(value)) {
      context.addIssue({ code: 'custom', path: at, message })
    }
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
