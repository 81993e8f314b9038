/** A PostgreSQL of its own, as a program: says where it listens in one line of JSON, and is gone with its files when its input ends. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from './free-port.ts'
import { postgresPrograms } from './postgres-programs.ts'

const password = 'of-a-database-for-tests'
const durable = process.argv[2] === 'durable'
const setting = (text: string) => ['-c', text]
const hasty = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'].flatMap(setting)

const folder = mkdtempSync(join(tmpdir(), 'fleetgate-postgres-'))
chmodSync(folder, 0o755)
const leave = () => rmSync(folder, { recursive: true, force: true })
process.once('exit', leave)

const { initdb, postgres, user } = postgresPrograms(folder)
const data = join(folder, 'data')
mkdirSync(data, { mode: 0o700 })
const passwordFile = join(folder, 'password')
writeFileSync(passwordFile, password)
if (user !== undefined) {
  for (const path of [data, passwordFile]) chownSync(path, user.uid, user.gid)
}
// Sorts as people do, unlike SQLite: statements that rely on an order of bytes must say so.
const locale = ['--locale=C', '--encoding=UTF8', '--locale-provider=icu', '--icu-locale=en-US']
const login = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
execFileSync(initdb, [`--pgdata=${data}`, '--no-sync', '--no-instructions', ...login, ...locale], {
  ...user,
  stdio: ['ignore', 'ignore', 'inherit'],
})

const port = Number(process.argv[3] ?? 0) || (await freePort())
const server = spawn(
  postgres,
  [
    ...['-D', data, '-p', String(port)],
    ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300'].flatMap(
      setting,
    ),
    ...(durable ? [] : hasty),
  ],
  // In a session of its own: an interrupt from a keyboard is ours to pass on.
  { ...user, stdio: ['ignore', 'ignore', 'pipe'], detached: true },
)
const ended = once(server, 'exit')
const lines = createInterface({ input: server.stderr })
const said: string[] = []
await new Promise<void>((resolve) => {
  lines.on('line', (line) => {
    if (line.includes('is ready to accept connections')) resolve()
    if (said.length < 50) said.push(line)
  })
  void ended.then(() => resolve())
})
if (server.exitCode !== null) {
  process.stderr.write(`PostgreSQL ended at its start:\n${said.join('\n')}\n`)
  process.exit(1)
}
const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
process.stdout.write(`${JSON.stringify({ url, pid: server.pid })}\n`)

// Whoever started it may be killed: its end of the pipe closes then, and nothing stays behind.
process.stdin.resume()
await Promise.race([
  ended,
  once(process.stdin, 'end'),
  once(process, 'SIGTERM'),
  once(process, 'SIGINT'),
])
// Immediate, and understood also after a stop signal; there is nothing worth a checkpoint.
server.kill('SIGQUIT')
server.kill('SIGCONT')
await ended
process.exit(0)
