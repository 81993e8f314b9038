/** What many API users in the store cost: the start, memory, and finding one by its token. */

import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Config } from '../src/config/config.ts'
import { loadConfig } from '../src/config/load.ts'
import { systemClock } from '../src/domain/clock.ts'
import { Mistakes } from '../src/lib/mistake.ts'
import { openStore, openTokens } from '../src/open-parts.ts'
import { findToken } from '../src/store/sql/token-rows.ts'
import { createDatabase, startPostgres } from '../test/kit/postgres.ts'
import { addUsers, postgresFill, sqliteFill, type Fill } from './many-users.ts'
import { percentiles, type Percentiles } from './percentiles.ts'
import { residentMb } from './processes.ts'
import { build, serve } from './served.ts'
import { startUpstream } from './upstream.ts'

export type Users = {
  users: number
  sqlite: Subject
  postgres: Subject
  ratios: Record<string, number>
}

type Start = {
  /** From the start of the process to the answer to its first request, milliseconds. */
  firstAnswerMs: number
  /** After it. */
  residentMb: number | undefined
}

type Subject = {
  /** With one API user, and with all. */
  one: Start
  all: Start
  /** Microseconds from a token to its principal. */
  cold: Percentiles
  warm: Percentiles
  /** How the database finds a token, as it says itself. */
  plan: string[]
}

type Place = { config: string; fill: Fill; explain: (text: string) => Promise<string[]> }

const DEVICE = '0123456789abcdef00000000'
const PATH = `/v1/products/12345/devices/${DEVICE}/temperature`
const POLICIES = `
users:
  in-git: { owner: bench@acme.example, product: 12345, devices: all, scopes: [devices:get], expires: never }
`
const COLD = 2000
const WARM = 20_000

export async function measureUsers(
  { users }: { users: number },
  say: (line: string) => void,
): Promise<Users> {
  build()
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-bench-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  await using upstream = await startUpstream(1)
  const measureIn = (place: Place) => measure(place, { users, upstream: upstream.url, folder, say })

  const path = join(folder, 'users.sqlite')
  using sqliteRows = lazily(() => sqliteFill(path))
  const sqlite = await measureIn({
    config: `store: ${path}\n`,
    fill: sqliteRows.fill,
    async explain(text) {
      using db = new DatabaseSync(path)
      const rows = db.prepare(`explain query plan ${text.replaceAll('$', '?')}`).all('machine')
      return rows.map((row) => String(row['detail']))
    },
  })
  await using server = await startPostgres('durable')
  await using database = await createDatabase(server.url)
  await using postgresRows = await postgresFill(database.url, database.password.reveal())
  const postgres = await measureIn({
    config: database.config(),
    fill: postgresRows,
    async explain(text) {
      await database.query('analyze')
      const rows = await database.query(`explain ${text.replace('$1', `'machine'`)}`)
      return rows.map((row) => String(row['QUERY PLAN']))
    },
  })
  return {
    users,
    sqlite,
    postgres,
    ratios: {
      many_users_start_sqlite: sqlite.all.firstAnswerMs / sqlite.one.firstAnswerMs,
      many_users_start_postgres: postgres.all.firstAnswerMs / postgres.one.firstAnswerMs,
    },
  }
}

async function measure(
  { config: lines, fill, explain }: Place,
  { users, upstream, folder, say }: MeasureOptions,
): Promise<Subject> {
  const config = await configOf(lines, upstream, folder)
  await using store = await openStore(config, systemClock)
  const [first = ''] = await addUsers(config, store, fill, { from: 0, to: 1, device: DEVICE })
  const begin = () => startOnce(join(folder, 'fleetgate.yaml'), first)
  const one = await begin()
  const rest = await addUsers(config, store, fill, { from: 1, to: users, device: DEVICE })
  const all = await begin()
  say(
    `${store.kind}: first answer after ${all.firstAnswerMs.toFixed(0)} ms with ${users} API users`,
  )
  await using tokens = openTokens(config, store, systemClock)
  const look = async (token: string) => {
    const from = performance.now()
    await tokens.authenticate(token)
    return (performance.now() - from) * 1000
  }
  // Far from each other, so that no page of the database is warm by chance.
  const step = Math.max(1, Math.floor(rest.length / COLD))
  const cold: number[] = []
  for (let at = 0; at < rest.length; at += step) cold.push(await look(rest[at] ?? first))
  const warm: number[] = []
  for (let n = 0; n < WARM; n += 1) warm.push(await look(rest[0] ?? first))
  return {
    one,
    all,
    cold: percentiles(Float64Array.from(cold)),
    warm: percentiles(Float64Array.from(warm)),
    plan: await explain(`${findToken} where tokens.id = $1`),
  }
}

type MeasureOptions = {
  users: number
  upstream: string
  folder: string
  say: (line: string) => void
}

async function startOnce(configFile: string, token: string): Promise<Start> {
  const from = performance.now()
  await using gate = await serve(configFile, 0)
  const answer = await fetch(gate.url + PATH, { headers: { authorization: `Bearer ${token}` } })
  await answer.text()
  if (answer.status !== 200) throw new Error(`the first answer was ${answer.status}`)
  return { firstAnswerMs: performance.now() - from, residentMb: residentMb(gate.pid) }
}

async function configOf(lines: string, upstream: string, folder: string): Promise<Config> {
  await mkdir(join(folder, 'policies'), { recursive: true })
  await writeFile(join(folder, 'policies', 'users.yaml'), POLICIES)
  await writeFile(join(folder, 'credential'), 'benchmark', { mode: 0o600 })
  const text = `
upstream: { url: '${upstream}', credentials: { default: { file: credential } } }
listen: { data: '127.0.0.1:0' }
${lines}`
  await writeFile(join(folder, 'fleetgate.yaml'), text)
  const loaded = loadConfig(text, join(folder, 'fleetgate.yaml'), {})
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  return loaded.config
}

/** The file is the store's to create; its rows are written by a connection of its own. */
function lazily(open: () => Fill & Disposable): Disposable & { fill: Fill } {
  let opened: (Fill & Disposable) | undefined
  return {
    fill: (...args) => (opened ??= open())(...args),
    [Symbol.dispose]: () => opened?.[Symbol.dispose](),
  }
}
