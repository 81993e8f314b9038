/** Starts everything of the example: a simulated cloud, a PostgreSQL, two gates that share it, and nginx in front of them. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { startPostgres } from '../../test/kit/postgres.ts'
import { startDeviceCloud } from '../device-cloud/cloud.ts'

const here = import.meta.dirname
const data = join(here, 'data')
const program = join(here, '..', '..', 'src', 'main.ts')
const config = (gate: number) => join(here, `gate-${gate}.yaml`)
const say = (line: string) => void process.stdout.write(`${line}\n`)

if (spawnSync('nginx', ['-v']).status !== 0) {
  process.stderr.write('This example needs nginx: apt-get install nginx\n')
  process.exit(1)
}

await rm(data, { recursive: true, force: true })
await mkdir(data)
await using stack = new AsyncDisposableStack()
stack.defer(() => rm(data, { recursive: true, force: true }))
const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])

const cloud = stack.adopt(await startDeviceCloud({ port: 9400 }), (each) => each.close())
const postgres = stack.use(await startPostgres('durable', { port: 9432, database: 'fleetgate' }))
await secret('cloud-token', cloud.token)
await secret('store-password', decodeURIComponent(new URL(postgres.url).password))

const tokens = Object.fromEntries(['dashboard', 'technician'].map((name) => [name, issue(name)]))
const gates = [await serve(1), await serve(2)]
child('nginx', ['-p', data, '-c', join(here, 'nginx.conf')])

say(`
Both gates are behind http://127.0.0.1:9480. Each of them answers, in turn:

  curl -H 'Authorization: Bearer ${tokens['dashboard']}' 'http://127.0.0.1:9480/v1/products/12345/devices?perPage=1'

A revocation by any process counts at both within a quarter of a second:

  npm run -s fleetgate -- token revoke dashboard --config examples/replicas/gate-1.yaml

The technician sees and reboots the devices of site-7 alone:

  curl -H 'Authorization: Bearer ${tokens['technician']}' 'http://127.0.0.1:9480/v1/products/12345/devices'

A gate may die, and no client notices:

  kill -KILL ${gates[0]}

Where PostgreSQL stands still nobody is served: 503 within two seconds. When it goes on, so does all else:

  kill -STOP ${postgres.pid} && kill -STOP $(pgrep -P ${postgres.pid})
  kill -CONT ${postgres.pid} $(pgrep -P ${postgres.pid})

Ctrl-C ends it all.`)
await stopped

/** Its process id, once it serves. */
async function serve(gate: number): Promise<number | undefined> {
  const serving = child(process.execPath, [program, 'serve', '--config', config(gate)])
  const line = once(createInterface({ input: serving.stdout }), 'line')
  const [said]: unknown[] = await Promise.race([line, once(serving, 'exit')])
  if (typeof said !== 'string') throw new Error(`gate ${gate} ended at its start`)
  say(`gate ${gate}, process ${serving.pid}: ${said}`)
  return serving.pid
}

function child(
  command: string,
  args: readonly string[],
): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const started = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
  const exited = once(started, 'exit')
  stack.defer(async () => {
    started.kill('SIGTERM')
    await exited
  })
  return started
}

function issue(user: string): string {
  const args = [program, 'token', 'mint', user, '--config', config(1)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

async function secret(name: string, value: string): Promise<void> {
  await writeFile(join(data, name), value, { mode: 0o600 })
}
