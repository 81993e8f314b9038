/** A real PostgreSQL for tests and benchmarks, which they bring along; databases of their own on it. */

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { Secret } from '../../src/lib/secret.ts'

export type PostgresServer = AsyncDisposable & {
  /** Of an administrator, with the password. */
  url: string
  /** Of its first process, the parent of all others. */
  pid: number
  /** All its processes stand still, as under SIGSTOP of an operator, or of a machine that swaps. */
  freeze(): Promise<void>
  thaw(): void
}

export type TestDatabase = AsyncDisposable & {
  /** As the configuration wants them: the password apart. */
  url: string
  password: Secret
  /** Lines of a configuration that keeps its store here; `port`: of a relay in between. */
  config(port?: number): string
  /** Sees the store's tables without their schema's name; integers are numbers. */
  query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
}

/**
 * One for the caller alone, which may be stopped. Ready in about two seconds.
 * @param how `durable`: as one in earnest is run; otherwise nothing waits for the disk
 */
export async function startPostgres(
  how: 'hasty' | 'durable' = 'hasty',
  { port = 0, database = 'postgres' }: { port?: number; database?: string } = {},
): Promise<PostgresServer> {
  const program = `${import.meta.dirname}/postgres-server.ts`
  // In a session of its own: an interrupt from a keyboard is for its parent, which then closes its input.
  const child = spawn(process.execPath, [program, how, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const exited = once(child, 'exit')
  const line = once(createInterface({ input: child.stdout }), 'line')
  const [said]: unknown[] = await Promise.race([line, exited])
  if (typeof said !== 'string') throw new Error('PostgreSQL did not start')
  const { url, pid }: { url: string; pid: number } = JSON.parse(said)
  if (database !== 'postgres') await ask(url, `create database ${database}`)
  let frozen: number[] = []
  const thaw = () => {
    for (const each of frozen.splice(0)) signalled(each, 'SIGCONT')
  }
  return {
    url,
    pid,
    async freeze() {
      const rows = await ask(url, 'select pid from pg_stat_activity')
      frozen = [pid, ...rows.map((row) => Number(row['pid']))]
      // The first may not start a new one meanwhile; one that has just ended needs no signal.
      frozen = frozen.filter((each) => signalled(each, 'SIGSTOP'))
    },
    thaw,
    async [Symbol.asyncDispose]() {
      thaw()
      child.stdin.end()
      await exited
    },
  }
}

/** An empty database, dropped when it is disposed of. */
export async function createDatabase(adminUrl: string): Promise<TestDatabase> {
  const name = `fleetgate_${randomBytes(6).toString('hex')}`
  await ask(adminUrl, `create database ${name}`)
  const whole = new URL(adminUrl)
  whole.pathname = `/${name}`
  const url = new URL(whole)
  url.password = ''
  const password = decodeURIComponent(whole.password)
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-test-'))
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  return {
    url: String(url),
    password: new Secret(password),
    config(port) {
      const place = new URL(url)
      if (port !== undefined) place.port = String(port)
      return `store: ${place}\nstore_password: { file: ${passwordFile} }\n`
    },
    query: (text, values) => ask(String(whole), text, values),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
      await ask(adminUrl, `drop database ${name} with (force)`)
    },
  }
}

async function ask(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, Number)
  const options = '-c search_path=fleetgate,public'
  const client = new pg.Client({ connectionString: url, types, options })
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(text, [...values])
    return rows
  } finally {
    await client.end()
  }
}

function signalled(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}
