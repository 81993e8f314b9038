/** A real admin port on a real store, policy engine and audit log, in a folder of its own, before a cloud of scripted answers. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import supertest from 'supertest'
import {
  adminOperations,
  unserved,
  type AdminOperationsParts,
} from '../../src/admin/admin-operations.ts'
import { createAdmin } from '../../src/admin/create-admin.ts'
import { problemShape } from '../../src/admin/http/problem-body.ts'
import { createTable } from '../../src/admin/http/table.ts'
import { readTarget } from '../../src/admin/http/target.ts'
import type { StatusParts } from '../../src/admin/operations/status.ts'
import type { AnyOperation } from '../../src/admin/operation.ts'
import type { OpenAuditFile } from '../../src/audit/file.ts'
import type { Clock } from '../../src/domain/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { openCatalog } from '../../src/open-parts.ts'
import { createPolicyEngine } from '../../src/policy/engine.ts'
import { createTokens } from '../../src/store/create-tokens.ts'
import type { OperatorRole } from '../../src/store/operator-store.ts'
import { createOperatorTokens, type NewOperator } from '../../src/store/operator-tokens.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { aDirectory } from './a-directory.ts'
import { linesOf, openTestLog, type Line } from './audit.ts'
import { mustLoad } from './policies.ts'

export const noon = Date.UTC(2026, 10, 23, 12)
export const hour = 3_600_000
export const day = 24 * hour
export const acme = 'aaaaaaaaaaaaaaaaaaaaaaaa'
export const lobby = '420032000e47343432313031'
export const annex = '350041000e47363433353735'

export const gitPolicies = `
roles:
  reader:
    rules:
      - can: [devices:list, devices:get]
guardrails:
  - cannot: devices.function:call
    functions: [detonate]
    because: Nobody does.
users:
  git-reader:
    owner: o@acme.example
    description: Reads the lobby.
    product: 12345
    devices: [${lobby}]
    roles: reader
    never: true
  git-fleet:
    owner: o@acme.example
    organization: ${acme}
    devices: all
    roles: reader
    lifetime: 90d
`

export const aDefinition = {
  owner: 'field@acme.example',
  description: 'A wall display.',
  product: 12345,
  devices: 'all',
  rules: [{ can: 'devices:get' }],
  lifetime: '90d',
}

/** A wall clock that stands still until it is moved. */
export class RigClock implements Clock {
  at = noon

  now(): number {
    return this.at
  }

  monotonic(): number {
    return this.at
  }
}

export type AdminRigOptions = {
  policies?: string
  outsideGit?: boolean
  observeUntilMs?: number
  maxLifetimeMs?: number
  extra?: readonly AnyOperation[]
  sessionCookie?: string
  /** Plays a failing disk under the audit log. */
  openFile?: OpenAuditFile
}

export type AdminRig = Awaited<ReturnType<typeof startAdmin>>

export async function startAdmin(options: AdminRigOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'fleetgate-admin-'))
  const clock = new RigClock()
  const lines: string[] = []
  const log = createLog({ write: (line) => void lines.push(line), clock })
  const catalog = openCatalog({ catalog: { kind: 'shipped', name: 'particle' } })
  const { set } = mustLoad(options.policies ?? gitPolicies, catalog)
  const policy = createPolicyEngine({ catalog, set, cacheSize: 100 })
  const store = openSqliteStore({ path: join(folder, 'store.sqlite'), clock })
  const audit = await openTestLog(join(folder, 'audit'), {
    ...{ clock, log },
    ...(options.openFile !== undefined && { openFile: options.openFile }),
  })
  const tokens = createTokens({
    ...{ store, clock, random: randomBytes, cacheSize: 100, lastUsedFlushMs: 60_000 },
    maxLifetimeMs: options.maxLifetimeMs,
    today: (user, stored) => policy.user(user, stored),
  })
  const operatorTokens = createOperatorTokens({ store, clock, random: randomBytes })
  const cloud = aDirectory(
    {
      '/v1/products/12345': product('12345'),
      '/v1/products/12346': product('12346'),
      [`/v1/devices/${lobby}`]: { status: 200, json: { id: lobby, product_id: 12345 } },
      [`/v1/products/12345/devices/${lobby}`]: deviceIn('12345', lobby, ['lobby']),
      [`/v1/products/12345/devices/${annex}`]: deviceIn('12345', annex, ['annex']),
    },
    { perMinute: 100 },
  )
  const admin = createAdmin({
    ...{ store, operatorTokens, tokens, policy, catalog, audit, clock },
    directory: cloud.directory,
    outsideGit: options.outsideGit ?? true,
    warnBeforeMs: 7 * day,
    observeUntilMs: options.observeUntilMs,
    replica: { name: 'here', boot: 'b00t' },
    quota: () => ({ left: 9_000, users: [{ user: 'elsewhere', used: 1 }] }),
    limits: {
      ...{ headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, keepAliveTimeoutMs: 5_000 },
      ...{ maxHeaderBytes: 16_384, maxConnections: 100 },
    },
    addressOf: (peer) => peer ?? 'unix',
    onFault: (error, requestId) => log.error('a request ended in a fault', { error, requestId }),
  })
  const server = admin.port(options.extra ?? [], options.sessionCookie)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const plain: string[] = []
  const answers: string[] = []
  const raw = supertest(`http://127.0.0.1:${port}`)
  const seen = (response: Answer) => {
    answers.push(JSON.stringify([response.headers, response.text]))
    conforms(response, options.extra ?? [])
  }

  async function operator(name: string, role: OperatorRole, more: Partial<NewOperator> = {}) {
    const made = await operatorTokens.create({ name, role, via: 'token', ...more }, 'cli:test')
    const token = made.token.reveal()
    plain.push(token)
    return token
  }

  const rows = async (file: 'decisions' | 'rejects', kind: string): Promise<Line[]> => {
    await audit.flush()
    return linesOf(audit.paths[file]).filter((row) => row['kind'] === kind)
  }
  return {
    ...{ admin, store, tokens, policy, clock, operatorTokens, operator, port, lines },
    /** Tokens of operators made here. */
    plain,
    /** Every answer, headers and body. */
    answers,
    /** Each answer is held against what the document says of it. */
    agent: {
      get: (path: string) => raw.get(path).expect(seen),
      post: (path: string) => raw.post(path).expect(seen),
      put: (path: string) => raw.put(path).expect(seen),
      delete: (path: string) => raw.delete(path).expect(seen),
    },
    /** Puts other policy files in force. */
    use: (text: string) => policy.use(mustLoad(text, catalog).set),
    changes: () => rows('decisions', 'change'),
    changed: () => rows('decisions', 'changed'),
    rejects: () => rows('rejects', 'reject'),
    auditText: async () => {
      await audit.flush()
      return [audit.paths.decisions, audit.paths.rejects]
        .map((path) => readFileSync(path, 'utf8'))
        .join('')
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
      await tokens[Symbol.asyncDispose]()
      await audit[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Throws where the answer is not of the shape that its operation declares. */
function conforms({ request, status, type, body, text }: Answer, extra: readonly AnyOperation[]) {
  if (type === 'application/problem+json') return void problemShape.parse(body)
  const operations = adminOperations({
    ...unserved<AdminOperationsParts>(),
    ...{ status: unserved<StatusParts>(), extra },
  })
  const { segments } = readTarget(new URL(request.url).pathname)
  const { operation } = createTable(operations).find(request.method, segments)
  const declared = operation.answers[status]
  if (declared === undefined) throw new Error(`${operation.id} declares no ${status}`)
  if (declared.body !== undefined) declared.body.parse(body)
  else if (operation.id !== 'getOpenApi' && text !== '') {
    throw new Error(`${operation.id} declares no body for ${status}`)
  }
}

/** supertest's types leave the request out. */
type Answer = supertest.Response & { request: { method: string; url: string } }

function product(id: string) {
  return { status: 200, json: { product: { id, slug: `slug-${id}`, organization: acme } } }
}

function deviceIn(product: string, id: string, groups: readonly string[]) {
  return { status: 200, json: { id, product_id: Number(product), groups } }
}
