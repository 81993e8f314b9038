/** The demo's world: a simulated cloud and a gate in front of it, on an embedded store in a temporary folder. */

import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startDeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/config.ts'
import type { Clock } from '../domain/clock.ts'
import type { PolicySet } from '../domain/grant.ts'
import type { Log } from '../lib/log.ts'
import { Mistakes } from '../lib/mistake.ts'
import { openParts, openTokens } from '../open-parts.ts'
import { startGate } from '../server.ts'
import { TokenRefused } from '../store/tokens.ts'

export type DemoGate = AsyncDisposable & {
  gate: string
  cloud: string
  folder: string
  policies: string
  audit: { decisions: string; rejects: string }
  upstreamToken: string
  /** Plain tokens by API user; one whose date has passed has none. */
  users: Readonly<Record<string, string>>
  /** Ids by API user, for those limited to listed devices. */
  devices: Readonly<Record<string, readonly string[]>>
  reload(): Promise<void>
}

export type DemoOptions = {
  /** `undefined`: the usual port, or any where that is taken. 0: any. */
  port: number | undefined
  clock: Clock
  log: Log
}

const usualPort = 8080
/** Often enough that a device of one site is heard within some seconds: devices and products take turns. */
const eventIntervalMs = 100

export async function startDemo({ port, clock, log }: DemoOptions): Promise<DemoGate> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-demo-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const cloud = stack.use(await startDeviceCloud({ eventIntervalMs }))
  const config = await writeConfig(folder, cloud, port ?? (await freePort(usualPort)))
  const { set } = openParts(config)
  const users = mintAll(set, config, clock, log)
  const gate = stack.use(await startGate(config, { clock, log }))
  const disposables = stack.move()
  return {
    gate: gate.url,
    cloud: cloud.url,
    folder,
    policies: config.policies,
    audit: gate.auditPaths,
    upstreamToken: cloud.token,
    users,
    devices: listedDevices(set),
    reload: () => gate.reload(),
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  }
}

/** The gate gets the cloud's token as it should: in a file that only its owner can read. */
async function writeConfig(
  folder: string,
  cloud: { url: string; token: string },
  port: number,
): Promise<Config> {
  await writeFile(join(folder, 'upstream-token'), cloud.token, { mode: 0o600 })
  const file = join(folder, 'fleetgate.yaml')
  const text = `upstream:
  url: ${cloud.url}
  credentials: { default: { file: upstream-token } }
policies: ${JSON.stringify(examplePolicies())}
listen: { data: "127.0.0.1:${port}" }
`
  await writeFile(file, text)
  const loaded = loadConfig(text, file, {})
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  return loaded.config
}

/** The example policies lie at the top of the package, which a build puts one level further up. */
function examplePolicies(): string {
  for (let here = import.meta.dirname; here !== dirname(here); here = dirname(here)) {
    const policies = join(here, 'policies')
    if (existsSync(policies) && existsSync(join(here, 'package.json'))) return policies
  }
  throw new Error('the example policies are not where they were installed')
}

function mintAll(set: PolicySet, config: Config, clock: Clock, log: Log): Record<string, string> {
  using tokens = openTokens(config, clock)
  const minted: Record<string, string> = {}
  for (const [name, user] of set.users) {
    try {
      minted[name] = tokens.issue(user).token.reveal()
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error
      log.warn('no token for an API user whose date has passed', { user: name })
    }
  }
  return minted
}

function listedDevices(set: PolicySet): Record<string, readonly string[]> {
  const listed: Record<string, readonly string[]> = {}
  for (const [name, { grant }] of set.users) {
    const ids = Object.values(grant.devices).flatMap((limit) => ('ids' in limit ? limit.ids : []))
    if (ids.length > 0) listed[name] = ids
  }
  return listed
}

/** The usual port where it is free, else any. */
async function freePort(port: number): Promise<number> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
    return port
  } catch {
    return 0
  } finally {
    probe.close()
  }
}
