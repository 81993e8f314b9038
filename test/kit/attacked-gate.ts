/** The gate that the attacks are played against: its users, its raw upstream, and what one attack left on all three sides. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { traces } from './invariant.ts'
import { exchangeRaw, type Received, type ReceiveOptions } from './raw-client.ts'
import { upstreamCredential } from './raw-exchange.ts'
import { rawAnswer, startRecordingUpstream, type RecordingUpstream } from './recording-upstream.ts'
import { parseLines, startTestGate, type AuditRow, type TestGate } from './start-gate.ts'

export const product = '1337'
export const organization = '5f0000000000000000000aa1'
export const mine = '0123456789abcdef00000001'
export const other = '0123456789abcdef00000009'
export const device = `/v1/products/${product}/devices/${mine}`
export const foreign = `/v1/products/${product}/devices/${other}`
export const answerOfMine = `{"id":"${mine}","name":"pump","product_id":1337}`

/** What one attack left behind. */
export type Aftermath = Received & {
  /** Every byte that reached the upstream meanwhile, as latin1 text. */
  upstream: string
  decisions: AuditRow[]
  rejects: AuditRow[]
  /** Decisions + rejects + summarised. */
  traces: number
}

export type AttackedGate = AsyncDisposable & {
  gate: TestGate
  upstream: RecordingUpstream
  /** The Authorization line of an API user. */
  bearer(user?: User): string
  attack(bytes: string | Buffer, options?: AttackOptions): Promise<Aftermath>
  /** The same for whatever is done in between. */
  watch(act: () => Promise<Received>, rows?: number): Promise<Aftermath>
  /** Rows that came after the last attack was over. */
  lateRows(): Promise<number>
  /** A plain head and body of `user`, closed after its answer, then attacked with. */
  ask(line: string, asking?: Asking): Promise<Aftermath>
}

type AttackOptions = ReceiveOptions & {
  halfClose?: boolean
  /** Rows to wait for where they are not one for each answer. */
  rows?: number
}

/** `limited` may do a few things on MINE; `broad` what streams and lists, on all devices of the product. */
export type User = 'limited' | 'broad' | 'partner'

export type Asking = AttackOptions & {
  user?: User | 'nobody'
  headers?: readonly string[]
  body?: string
}

export const attackedPolicies = {
  'users.yaml': `
users:
  limited:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
    rules:
      - can: [devices:get, devices.variable:get]
      - can: devices.function:call
        functions: [blink]
    expires: never
  broad:
    owner: field@acme.example
    product: ${product}
    devices: all
    scopes: [events:get]
    rules:
      - can: [devices:list, devices:get, devices:update.name, devices:remove.device, firmware:create]
    expires: never
  partner:
    owner: field@acme.example
    organization: ${organization}
    devices: { ids: [${mine}] }
    rules:
      - can: [devices:get, products:list]
    expires: never
`,
}

export async function startAttackedGate(config = ''): Promise<AttackedGate> {
  const upstream = await startRecordingUpstream()
  upstream.answerWith(rawAnswer(200, answerOfMine))
  const gate = await startTestGate({
    upstream: { url: upstream.url, token: upstreamCredential },
    policies: attackedPolicies,
    config,
  })

  // Kept between attacks: a row that comes late is counted against the next one, and fails it.
  let before = await rowsOf(gate)
  async function watch(act: () => Promise<Received>, rows?: number): Promise<Aftermath> {
    const earlier = before
    upstream.clear()
    const received = await act()
    const after = await settledRows(gate, earlier, rows ?? received.answers.length)
    before = after
    const decisions = after.decisions.slice(earlier.decisions.length)
    const rejects = after.rejects.slice(earlier.rejects.length)
    const summarised = after.summarised - earlier.summarised
    const upstreamGot = upstream.seen()
    const total = decisions.length + rejects.length + summarised
    return { ...received, upstream: upstreamGot, decisions, rejects, traces: total }
  }

  const bearer = (user: User = 'limited') => `Authorization: Bearer ${gate.tokens[user]}`
  const attack = (bytes: string | Buffer, options: AttackOptions = {}) =>
    watch(() => exchangeRaw(gate.port, bytes, options), options.rows)
  return {
    gate,
    upstream,
    bearer,
    attack,
    watch,
    async lateRows() {
      return (await traces(gate)).total - countOf(before)
    },
    ask(line, { user = 'limited', headers = [], body, ...options } = {}) {
      const token = user === 'nobody' ? [] : [bearer(user)]
      return attack(plain(line, ['Connection: close', ...token, ...headers], body), {
        head: line.startsWith('HEAD '),
        ...options,
      })
    },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

type Rows = { decisions: AuditRow[]; rejects: AuditRow[]; summarised: number }

async function rowsOf({ config }: TestGate): Promise<Rows> {
  const read = async (file: string) =>
    wholeLines(await readFile(join(config.audit.folder, file), 'utf8'))
  const [decided, rejected] = await Promise.all([read('decisions.jsonl'), read('rejects.jsonl')])
  const summaries = rejected.filter(({ kind }) => kind === 'summary')
  return {
    decisions: decided.filter(({ kind }) => kind === 'decision'),
    rejects: rejected.filter(({ kind }) => kind === 'reject'),
    summarised: summaries.reduce((sum, row) => sum + Number(row['summarised']), 0),
  }
}

function countOf({ decisions, rejects, summarised }: Rows): number {
  return decisions.length + rejects.length + summarised
}

/** A row may be being written. */
function wholeLines(text: string): AuditRow[] {
  return parseLines(text.slice(0, text.lastIndexOf('\n') + 1))
}

/** Waits for a row per answer, at most some seconds. What nobody expects and comes later fails the next attack, or `lateRows`. */
async function settledRows(gate: TestGate, earlier: Rows, wanted: number): Promise<Rows> {
  const end = performance.now() + 5000
  let last = -1
  for (;;) {
    const rows = await rowsOf(gate)
    const now = countOf(rows)
    if (now === last && (now - countOf(earlier) >= wanted || performance.now() > end)) return rows
    last = now
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}

/** `line` is method and target; a Host, and the body's length where there is one, are added. */
export function plain(line: string, headers: readonly string[] = [], body?: string): string {
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`]
  return `${[`${line} HTTP/1.1`, 'Host: gate.example', ...headers, ...length].join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** Answers each request by its line, e.g. `GET /v1/devices`; anything else is 404. */
export function answerByLine(
  upstream: RecordingUpstream,
  table: Readonly<Record<string, string>>,
): void {
  upstream.use(({ socket, text }) => {
    const lines = [...text.matchAll(/^([A-Z]+ [^\r\n]*) HTTP\/1\.1\r$/gm)]
    const line = lines.at(-1)?.[1] ?? ''
    socket.write(table[line] ?? rawAnswer(404, '{"error":"not_found"}'))
  })
}
