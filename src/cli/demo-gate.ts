/** The demo's world: a simulated cloud and a gate in front of it, on an embedded store in a temporary folder. */

import { randomBytes } from 'node:crypto'
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
import type { PolicySet } from '../policy/policy-set.ts'
import type { Log } from '../lib/log.ts'
import { Mistakes } from '../lib/mistake.ts'
import { openParts } from '../open-parts.ts'
import { startGate } from '../server.ts'
import { createOperatorTokens } from '../store/operator-tokens.ts'
import { TokenRefused } from '../store/tokens.ts'
import { openLedger } from './accounts.ts'
import { author } from './author.ts'

export type DemoGate = AsyncDisposable & {
  gate: string
  admin: string
  cloud: string
  folder: string
  policies: string
  audit: { decisions: string; rejects: string }
  upstreamToken: string
  /** Plain token of one who may do everything on the admin port. */
  operator: string
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
  const { users, operator } = await mintAll(set, config, clock, log)
  const gate = stack.use(await startGate(config, { clock, log }))
  if (gate.adminUrl === undefined) throw new Error('the demo has no admin port')
  const disposables = stack.move()
  return {
    gate: gate.url,
    admin: gate.adminUrl,
    cloud: cloud.url,
    folder,
    policies: config.policies,
    audit: gate.auditPaths,
    upstreamToken: cloud.token,
    operator,
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
listen: { data: "127.0.0.1:${port}", admin: "127.0.0.1:0" }
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

async function mintAll(
  set: PolicySet,
  config: Config,
  clock: Clock,
  log: Log,
): Promise<Pick<DemoGate, 'users' | 'operator'>> {
  await using ledger = await openLedger(config, clock)
  const operators = createOperatorTokens({ store: ledger.store, clock, random: randomBytes })
  const { token } = await operators.create({ name: 'demo', role: 'owner', via: 'token' }, author())
  const minted: Record<string, string> = {}
  for (const [name, user] of set.users) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one write at a time: there is one writer
      minted[name] = (await ledger.tokens.issue(user, author())).token.reveal()
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error
      log.warn('no token for an API user whose date has passed', { user: name })
    }
  }
  return { users: minted, operator: token.reveal() }
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
