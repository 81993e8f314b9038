/** A real gate in this process, in a folder of its own, in front of an upstream that the caller started. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { OpenAuditFile } from '../../src/audit/file.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/config.ts'
import { systemClock, type Clock } from '../../src/domain/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { Mistakes } from '../../src/lib/mistake.ts'
import { openParts, openStore, openTokens } from '../../src/open-parts.ts'
import { startGate } from '../../src/server.ts'

export type TestGateOptions = {
  upstream: { url: string; token: string }
  /** File name to text, written to the policies folder. */
  policies: Readonly<Record<string, string>>
  /** YAML lines added to the configuration. */
  config?: string
  /** YAML of `upstream.quota`. */
  quota?: string
  clock?: Clock
  /** Plays a failing disk under the audit log. */
  openAuditFile?: OpenAuditFile
  /** API users that get a token; all of the policy files where absent. */
  mint?: readonly string[]
}

export type AuditRow = Readonly<Record<string, unknown>>

export type TestGate = AsyncDisposable & {
  url: string
  port: number
  /** Of the admin port, where the configuration has one. */
  adminUrl: string | undefined
  folder: string
  config: Config
  /** Token in plain by API user. */
  tokens: Readonly<Record<string, string>>
  /** Rows of kind `decision`, oldest first, once all accepted rows are on disk. */
  decisions(): Promise<AuditRow[]>
  outcomes(): Promise<AuditRow[]>
  rejects(): Promise<AuditRow[]>
  /** Rows that stand for many rejects of a flood. */
  summaries(): Promise<AuditRow[]>
  /** Everything the gate logged. */
  log(): string
  writePolicy(file: string, text: string): Promise<void>
  reload(): Promise<void>
}

export async function startTestGate(options: TestGateOptions): Promise<TestGate> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-test-'))
  const writePolicy = async (file: string, text: string) => {
    const path = join(folder, 'policies', file)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
  for (const [file, text] of Object.entries(options.policies)) await writePolicy(file, text)
  await writeFile(join(folder, 'upstream-token'), options.upstream.token, { mode: 0o600 })
  const config = configOf(folder, options)
  const clock = options.clock ?? systemClock
  const tokens = await mintTokens(config, clock, options.mint)
  const lines: string[] = []
  const log = createLog({ write: (line) => void lines.push(line), clock })
  const { openAuditFile } = options
  const gate = await startGate(config, {
    clock,
    log,
    ...(openAuditFile !== undefined && { openAuditFile }),
  })

  const rows = async (path: string, kind: string): Promise<AuditRow[]> => {
    await settled(gate.auditPaths.decisions)
    const all = parseLines(await readFile(path, 'utf8'))
    return all.filter((row) => row['kind'] === kind)
  }
  return {
    url: gate.url,
    port: Number(new URL(gate.url).port),
    adminUrl: gate.adminUrl,
    folder,
    config,
    tokens,
    decisions: () => rows(gate.auditPaths.decisions, 'decision'),
    outcomes: () => rows(gate.auditPaths.decisions, 'outcome'),
    rejects: () => rows(gate.auditPaths.rejects, 'reject'),
    summaries: () => rows(gate.auditPaths.rejects, 'summary'),
    log: () => lines.join(''),
    writePolicy,
    reload: () => gate.reload(),
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function configOf(
  folder: string,
  { upstream, config = '', quota = '{}' }: TestGateOptions,
): Config {
  const text = `
upstream:
  url: ${upstream.url}
  credentials: { default: { file: upstream-token } }
  quota: ${quota}
${config.includes('listen:') ? '' : "listen: { data: '127.0.0.1:0' }"}
${config}
`
  const loaded = loadConfig(text, join(folder, 'fleetgate.yaml'), {})
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  return loaded.config
}

async function mintTokens(
  config: Config,
  clock: Clock,
  wanted: readonly string[] | undefined,
): Promise<Record<string, string>> {
  const { set } = openParts(config)
  await using store = await openStore(config, clock)
  await using tokens = openTokens(config, store, clock)
  const minted: Record<string, string> = {}
  for (const [name, user] of set.users) {
    if (wanted !== undefined && !wanted.includes(name)) continue
    // oxlint-disable-next-line no-await-in-loop -- one writer at a time
    minted[name] = (await tokens.issue(user, 'cli:test')).token.reveal()
  }
  return minted
}

/** Outcome rows follow their answers, a little later: reads until the file has stopped growing. */
async function settled(path: string): Promise<void> {
  let before = -1
  for (;;) {
    const { length } = await readFile(path)
    if (length === before) return
    before = length
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
}

export function parseLines(text: string): AuditRow[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const row: unknown = JSON.parse(line)
      if (typeof row !== 'object' || row === null) throw new Error(`not a record: ${line}`)
      return { ...row }
    })
}
