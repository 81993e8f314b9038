/** One raw request through a real gate and all three sides of it: the answer, the upstream's bytes, the audit rows. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { traces } from './invariant.ts'
import { headersOf, sendRaw, type RawAnswer } from './raw-socket.ts'
import { rawAnswer, startRecordingUpstream, type RecordingUpstream } from './recording-upstream.ts'
import {
  parseLines,
  startTestGate,
  type AuditRow,
  type TestGate,
  type TestGateOptions,
} from './start-gate.ts'

export const upstreamCredential = 'c10ddeadbeefc10ddeadbeefc10ddeadbeef0042'
export const product = '12345'
export const mine = '0123456789abcdef00000001'
export const mineToo = '0123456789abcdef00000002'
export const other = '0123456789abcdef00000009'
export const okJson = '{"id":"0123456789abcdef00000001","ok":true}'

export type Exchanged = RawAnswer & {
  headers: ReadonlyMap<string, string>
  /** Every byte that reached the upstream meanwhile, as latin1 text. */
  upstream: string
  /** Rows that this exchange added. */
  decisions: AuditRow[]
  rejects: AuditRow[]
  /** Decisions + rejects + summarised. */
  traces: number
}

export type Bench = AsyncDisposable & {
  gate: TestGate
  upstream: RecordingUpstream
  /** All bytes that clients of this bench got. */
  answers: readonly string[]
  send(bytes: string, options?: Parameters<typeof sendRaw>[2]): Promise<Exchanged>
  /** A head as written, then the body with its length; `Connection: close` and a Host are added. */
  ask(user: string | undefined, line: string, headers?: string[], body?: string): Promise<Exchanged>
}

export async function startBench(options: Omit<TestGateOptions, 'upstream'>): Promise<Bench> {
  const upstream = await startRecordingUpstream()
  upstream.answerWith(rawAnswer(200, okJson))
  const gate = await startTestGate({
    ...options,
    upstream: { url: upstream.url, token: upstreamCredential },
  })
  const answers: string[] = []

  async function send(
    bytes: string,
    sending: Parameters<typeof sendRaw>[2] = {},
  ): Promise<Exchanged> {
    const before = await rowsNow(gate)
    upstream.clear()
    const answer = await sendRaw(gate.port, bytes, sending)
    answers.push(answer.text)
    const after = await traces(gate)
    return {
      ...answer,
      headers: headersOf(answer.text),
      upstream: upstream.seen(),
      decisions: after.decisions.slice(before.decisions),
      rejects: after.rejects.slice(before.rejects),
      traces: after.total - before.decisions - before.rejects - before.summarised,
    }
  }

  return {
    gate,
    upstream,
    answers,
    send,
    ask: (user, line, headers = [], body) =>
      send(
        requestBytes(
          line,
          user === undefined ? headers : [`Authorization: Bearer ${gate.tokens[user]}`, ...headers],
          body,
        ),
      ),
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

/** `line` is method and target; a body is latin1 text. */
export function requestBytes(line: string, headers: readonly string[] = [], body?: string): string {
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`]
  return `${[`${line} HTTP/1.1`, 'Host: gate.example', 'Connection: close', ...headers, ...length].join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** The exact bytes of a request that the gate sends by the small way. */
export function sentOn(
  { port }: RecordingUpstream,
  line: string,
  headers: readonly string[] = [],
  body?: string,
): string {
  const head = [
    `${line} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    'connection: keep-alive',
    `authorization: Bearer ${upstreamCredential}`,
    'accept-encoding: identity',
    ...headers,
    ...(body === undefined ? [] : [`content-length: ${body.length}`]),
  ]
  return `${head.join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** What has been written by now; each exchange before this one waited for its own rows. */
async function rowsNow({ folder }: TestGate) {
  const rows = async (file: string, kind: string): Promise<AuditRow[]> => {
    const text = await readFile(join(folder, 'audit', file), 'utf8')
    const whole = parseLines(text.slice(0, text.lastIndexOf('\n') + 1))
    return whole.filter((row) => row['kind'] === kind)
  }
  const decisions = await rows('decisions.jsonl', 'decision')
  const rejects = await rows('rejects.jsonl', 'reject')
  const summaries = await rows('rejects.jsonl', 'summary')
  return {
    decisions: decisions.length,
    rejects: rejects.length,
    summarised: summaries.reduce((sum, row) => sum + Number(row['summarised']), 0),
  }
}
