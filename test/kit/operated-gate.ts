/** A real gate with its admin port, on either store, and the operators who work there. */

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/domain/clock.ts'
import { openStore } from '../../src/open-parts.ts'
import type { OperatorRole } from '../../src/store/operator-store.ts'
import { createOperatorTokens } from '../../src/store/operator-tokens.ts'
import { parseLines, type AuditRow, type TestGate } from './start-gate.ts'
import { testDatabase } from './test-database.ts'

export const storeKinds = ['sqlite', 'postgres'] as const
export type StoreKind = (typeof storeKinds)[number]

/** Lines of a configuration that keeps its store there; what was made for it goes with it. */
export async function storeLines(kind: StoreKind): Promise<AsyncDisposable & { lines: string }> {
  if (kind === 'sqlite') return { lines: '', [Symbol.asyncDispose]: async () => undefined }
  const database = await testDatabase()
  return {
    lines: database.config(),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

export const bothPorts = "listen: { data: '127.0.0.1:0', admin: '127.0.0.1:0' }\n"

/** What the answers have between them, and refusals too. */
export type AdminBody = {
  code: string
  detail: string
  token?: { id: string; token: string }
  user: Readonly<Record<string, unknown>>
  created: { username: string; tokens: readonly { token: string }[] }
  updated: { username: string; tokens?: readonly { token: string }[] }
}

export type AdminSaid = {
  status: number
  headers: Headers
  text: string
  body: AdminBody
  /** Of the answer; empty where it has none. */
  etag: string
  /** The token that it shows; empty where it shows none. */
  token: string
  /** When the whole answer was in hand (monotonic milliseconds). */
  atMs: number
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export type Operated = (
  method: Method,
  path: string,
  body?: unknown,
  ifMatch?: string,
) => Promise<AdminSaid>

/** As the first operator is made: by a command beside the gate. Its token. */
export async function anOperator(
  gate: Pick<TestGate, 'config'>,
  name: string,
  role: OperatorRole = 'editor',
): Promise<string> {
  await using store = await openStore(gate.config, systemClock)
  const operators = createOperatorTokens({ store, clock: systemClock, random: randomBytes })
  return (await operators.create({ name, role, via: 'token' }, 'cli:test')).token.reveal()
}

export function operate(adminUrl: string | undefined, operator: string): Operated {
  return async (method, path, body, ifMatch) => {
    const answer = await fetch(`${adminUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${operator}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const atMs = performance.now()
    const read: AdminBody = text.startsWith('{') ? JSON.parse(text) : {}
    const [shown] = read.created?.tokens ?? read.updated?.tokens ?? []
    const token = shown?.token ?? read.token?.token ?? ''
    const { status, headers } = answer
    return { status, headers, text, body: read, etag: headers.get('etag') ?? '', token, atMs }
  }
}

export type Called = { status: number; text: string; headers: Headers; sentMs: number }

/** One call on the data port. */
export async function callWith(
  url: string,
  path: string,
  token: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Called> {
  const sentMs = performance.now()
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${token}`, ...more } })
  return { status: answer.status, headers: answer.headers, text: await answer.text(), sentMs }
}

/** Every record of the decision stream in the order of the file, whatever its kind. */
export async function recordsOf(gate: TestGate): Promise<AuditRow[]> {
  await gate.decisions()
  return parseLines(await readFile(join(gate.config.audit.folder, 'decisions.jsonl'), 'utf8'))
}

/** Changes of this API user with how they ended, in the order in which they were recorded. */
export async function changesOf(gate: TestGate, target: string): Promise<AuditRow[]> {
  const rows = await recordsOf(gate)
  return rows
    .filter((row) => row['kind'] === 'change' && row['target'] === target)
    .map((row) => {
      const end = rows.find(
        (each) => each['kind'] === 'changed' && each['request_id'] === row['request_id'],
      )
      return { ...row, ended: end?.['ended'], status: end?.['status'] }
    })
}
