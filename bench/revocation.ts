/** How long a revoked token is still served, on replicas that hear notices and on replicas that do not. */

import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../src/domain/clock.ts'
import { openPostgresStore } from '../src/store/postgres/postgres.ts'
import type { Store } from '../src/store/store.ts'
import { createDatabase, startPostgres, type TestDatabase } from '../test/kit/postgres.ts'
import { startRelay } from '../test/kit/relay.ts'
import { gateArgument, tokenOf } from './gate-argument.ts'
import { program } from './paths.ts'
import { percentiles, type Percentiles } from './percentiles.ts'
import { startService, type Service } from './processes.ts'
import { load, PRODUCT, DEVICE, type Life, type Replica, type Seen } from './revocation-load.ts'
import { startUpstream } from './upstream.ts'

export type RevocationOptions = {
  revocations: number
  /** Requests a second to each replica. */
  perSecond: number
}

/** Milliseconds from the revocation to the sending of the last request that was allowed, and of the first that was refused. */
type Half = { lastAllowed: Percentiles; firstRefused: Percentiles; measured: number }

export type Revocation = RevocationOptions & {
  replicas: number
  requests: number
  /** To each replica, as far as the machine kept up. */
  sentPerSecond: number
  /** Answers by status; 0: none came. */
  statuses: Record<string, number>
  /** Requests that were sent after a refusal was in hand, and allowed. */
  relapses: number
  /** Milliseconds that a revocation took, commit and own memory included. */
  revoking: Percentiles
  notified: Half
  polled: Half
  ratios: Record<string, number>
}

/** So many tokens are on trial at a time; each gets its share of the requests. */
const TOGETHER = 4
const BEFORE_MS = 150
/** Nothing may be allowed this long after; it is waited for. */
const AFTER_MS = 2100

export async function measureRevocation(
  options: RevocationOptions,
  say: (line: string) => void,
): Promise<Revocation> {
  await using server = await startPostgres('durable')
  await using database = await createDatabase(server.url)
  await using relay = await startRelay({
    host: '127.0.0.1',
    port: Number(new URL(server.url).port),
  })
  relay.refuse('listen fleetgate_changes')
  await using upstream = await startUpstream(1)
  await using stack = new AsyncDisposableStack()
  const users = Array.from({ length: options.revocations }, (_, n) => `user-${n}`)
  const replicas: Replica[] = []
  for (const [n, kind] of (['notified', 'polled', 'notified', 'polled'] as const).entries()) {
    const service = await startReplica(n, kind === 'polled' ? relay.port : undefined)
    replicas.push({ service: stack.use(service), kind, statuses: new Map() })
  }
  const [first] = replicas
  if (first === undefined) throw new Error('there are no replicas')
  const tokens = new Map(users.map((user) => [user, tokenOf(first.service, user)]))
  const store = stack.use(await openStore(database))

  const lives: Life[] = []
  store.changes.onChange((changes) => {
    if (changes === 'unknown') return
    for (const { user, kind, atMs } of changes) {
      const life = lives.find((each) => each.user === user)
      // The database's clock, right before the commit: what is measured is never too short. All are on one machine.
      if (kind === 'token_revoked' && life !== undefined) {
        life.revokedAt = atMs - (Date.now() - performance.now())
      }
    }
  })
  let seconds = 0
  for (let at = 0; at < users.length; at += TOGETHER) {
    const round = users.slice(at, at + TOGETHER).map((user) => aLife(user, replicas))
    lives.push(...round)
    const from = performance.now()
    await trial(round, { replicas, tokens, store, perSecond: options.perSecond })
    seconds += (performance.now() - from) / 1000
    if ((at / TOGETHER) % 10 === 9) say(`${at + TOGETHER} of ${users.length} revoked`)
  }
  const statuses = new Map<number, number>()
  for (const [status, count] of replicas.flatMap((one) => [...one.statuses])) {
    statuses.set(status, (statuses.get(status) ?? 0) + count)
  }
  const requests = [...statuses.values()].reduce((all, count) => all + count, 0)
  const notified = half(lives, 'notified')
  const polled = half(lives, 'polled')
  say(
    `notices: p99 ${notified.lastAllowed.p99.toFixed(0)} ms; none: max ${polled.lastAllowed.max.toFixed(0)} ms`,
  )
  return {
    ...options,
    replicas: replicas.length,
    requests,
    sentPerSecond: requests / replicas.length / seconds,
    statuses: Object.fromEntries(statuses),
    relapses: lives.reduce(
      (all, { seen }) => all + [...seen.values()].reduce((n, { relapses }) => n + relapses, 0),
      0,
    ),
    revoking: percentiles(Float64Array.from(lives, ({ commitMs }) => commitMs)),
    notified,
    polled,
    ratios: {
      revocation_notified_p99_ms: notified.lastAllowed.p99,
      revocation_polled_max_ms: polled.lastAllowed.max,
    },
  }

  function startReplica(n: number, port: number | undefined): Promise<Service> {
    const argument = gateArgument({
      upstream: { url: upstream.url },
      policies: policies(users),
      config: `replica: replica-${n}\n${database.config(port)}`,
      mint: n === 0 ? 'all' : 'none',
    })
    return startService(`replica ${n}`, [program('gate.ts'), argument], n % 2)
  }
}

function openStore({ url, password }: TestDatabase): Promise<Store> {
  const onFault = (error: unknown) => void process.stderr.write(`${String(error)}\n`)
  return openPostgresStore({ url, password, connections: 6, clock: systemClock, onFault })
}

function aLife(user: string, replicas: readonly Replica[]): Life {
  const seen = replicas.map((replica): [Replica, Seen] => [
    replica,
    { lastAllowed: -Infinity, firstRefused: Infinity, knownAt: Infinity, relapses: 0 },
  ])
  return { user, revokedAt: undefined, commitMs: 0, seen: new Map(seen) }
}

type Trial = {
  replicas: readonly Replica[]
  tokens: ReadonlyMap<string, string>
  store: Store
  perSecond: number
}

/** All replicas under load with the tokens of this round, each of which is revoked at a moment of its own. */
async function trial(round: readonly Life[], { replicas, tokens, store, perSecond }: Trial) {
  const over = new AbortController()
  const loads = replicas.map((replica) => load(replica, round, tokens, perSecond, over.signal))
  await Promise.all(
    round.map(async (life) => {
      await pause(BEFORE_MS + Math.random() * 1000)
      const row = await store.tokens.live(life.user)
      if (row === undefined) throw new Error(`${life.user} has no token`)
      const from = performance.now()
      await store.tokens.revoke(row.id, Date.now(), 'cli:bench')
      life.commitMs = performance.now() - from
      await pause(AFTER_MS)
    }),
  )
  over.abort()
  await Promise.all(loads)
}

function half(lives: readonly Life[], kind: Replica['kind']): Half {
  const all = lives.flatMap(({ revokedAt, seen }) =>
    [...seen].flatMap(([replica, times]) =>
      replica.kind === kind && revokedAt !== undefined ? [{ revokedAt, ...times }] : [],
    ),
  )
  // Refused before the clock was read again: the request and the revocation crossed.
  const since = (of: (times: (typeof all)[number]) => number) =>
    percentiles(Float64Array.from(all, (times) => Math.max(0, of(times) - times.revokedAt)))
  return {
    lastAllowed: since(({ lastAllowed }) => lastAllowed),
    firstRefused: since(({ firstRefused }) => firstRefused),
    measured: all.length,
  }
}

function policies(users: readonly string[]): string {
  const user = (name: string) => `
  ${name}:
    owner: bench@acme.example
    product: ${PRODUCT}
    devices: { ids: [${DEVICE}] }
    rules:
      - can: devices.variable:get
        variables: [temperature]
    expires: never
`
  return `users:\n${users.map(user).join('')}`
}
