/** A real gate in this process, in a folder of its own, in front of an upstream that the caller started. */

import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openAuditFile, type OpenAuditFile } from '../../src/audit/file.ts'
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
  /** How many calls at a time: YAML lines of `upstream`. */
  bounds?: readonly string[]
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
  const disk = watched(options.openAuditFile ?? openAuditFile)
  const gate = await startGate(config, { clock, log, openAuditFile: disk.open })

  const rows = async (path: string, kind: string): Promise<AuditRow[]> => {
    await settled(Object.values(gate.auditPaths), disk.isBusy)
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
  { upstream, config = '', quota = '{}', bounds = [] }: TestGateOptions,
): Config {
  const text = `
upstream:
  url: ${upstream.url}
  credentials: { default: { file: upstream-token } }
  quota: ${quota}
${bounds.map((line) => `  ${line}`).join('\n')}
${config.includes('listen:') ? '' : "listen: { data: '127.0.0.1:0' }"}
${config.includes('audit:') ? '' : patient}
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

/** A disk that is slow for a second is none of the matters that tests are about. */
const patient = 'audit: { wait: 10s }'

/** `isBusy`: something asked of an audit file has not been answered yet. */
function watched(openFile: OpenAuditFile): { open: OpenAuditFile; isBusy: () => boolean } {
  let under = 0
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    under += 1
    try {
      return await work
    } finally {
      under -= 1
    }
  }
  return {
    isBusy: () => under > 0,
    async open(path) {
      const file = await openFile(path)
      return {
        write: (bytes) => counted(file.write(bytes)),
        sync: () => counted(file.sync()),
        truncate: (length) => counted(file.truncate(length)),
        read: (from, length) => counted(file.read(from, length)),
        look: () => counted(file.look()),
        close: () => file.close(),
      }
    },
  }
}

const lookMs = 20
/** Longer than a row without anybody who waits for it may stay behind (20 ms), in turns of this process: one that stood still for a while has not looked. */
const looks = 3

/** Outcome rows follow their answers, a little later: waits until nothing is written any more. A test may hold the disk; then not for ever. */
async function settled(paths: readonly string[], isBusy: () => boolean): Promise<void> {
  const tooLong = performance.now() + 5000
  let before = -1
  for (let quiet = 0; quiet <= looks;) {
    const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size))
    const now = sizes.reduce((sum, size) => sum + size, 0)
    const isQuiet = now === before && (!isBusy() || performance.now() > tooLong)
    quiet = isQuiet ? quiet + 1 : 1
    before = now
    if (quiet <= looks) await new Promise((resolve) => setTimeout(resolve, lookMs))
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
