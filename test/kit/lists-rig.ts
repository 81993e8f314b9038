/** Lists served by the real parts, from the request line to the cut answer, over a cloud in memory: no sockets. */

import { createRouteTable } from '../../src/catalog/route-table.ts'
import type { OutcomeFields } from '../../src/audit/audit-log.ts'
import type { Catalog, ListAnswer } from '../../src/domain/catalog.ts'
import type { Principal } from '../../src/domain/principal.ts'
import type { QueryEntry } from '../../src/domain/target.ts'
import { isJsonObject, valueAtPath } from '../../src/lib/cloud-json.ts'
import type { MaybePromise } from '../../src/lib/maybe-promise.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createPolicyEngine } from '../../src/policy/engine.ts'
import type { PolicyEngine } from '../../src/policy/policy-engine.ts'
import { createDecide } from '../../src/proxy/decide.ts'
import { createDescribe } from '../../src/proxy/describe.ts'
import { createIdResolver } from '../../src/proxy/ids.ts'
import { createLists } from '../../src/proxy/lists/create-lists.ts'
import { createRelate } from '../../src/proxy/relations.ts'
import { createMatchRoute } from '../../src/proxy/routing.ts'
import { canonicalTarget } from '../../src/proxy/target.ts'
import type { Directory } from '../../src/upstream/directory.ts'
import type { FleetLists, ListQuestion, ListView } from '../../src/upstream/fleet-lists.ts'
import type { UpstreamAnswer, UpstreamRequest } from '../../src/upstream/upstream.ts'
import { particleCatalog } from './catalog.ts'
import { FakeExchange, fakeDirectory, noQuota } from './fakes.ts'
import { mustLoad, NOON, principalOf } from './policies.ts'

export type Row = Readonly<Record<string, unknown>>

/** The root of the cloud's answer to each path, with all items of its list. */
export type Cloud = Readonly<Record<string, unknown>>

export type ListsRig = {
  /** Questions put to whole lists, as targets; `pick` with its ids behind `#`. */
  asked: string[]
  /** What went to the cloud directly. */
  sent: UpstreamRequest[]
  policy: PolicyEngine
  directory: ReturnType<typeof fakeDirectory>
  ask(line: string, more?: AskOptions): Promise<Given>
}

export type AskOptions = { user?: string; headers?: Record<string, string>; leaves?: boolean }

export type Given = {
  status: number
  /** Parsed; `undefined` where nothing was sent. */
  body: unknown
  text: string
  exchange: FakeExchange
  outcome: OutcomeFields
}

export type RigOptions = {
  policies: string
  cloud: Cloud
  facts?: Partial<Directory>
  /** Instead of the cloud's own answer to a direct call. */
  answer?: (request: UpstreamRequest) => Partial<UpstreamAnswer> | Error
  /** Instead of a view. */
  refuse?: (question: ListQuestion) => Error | undefined
  atMs?: () => number
  wrap?: (policy: PolicyEngine) => PolicyEngine
  maxAnswerBytes?: number
  /** Called right before an answer is sent. What it throws refuses. */
  recheck?: () => MaybePromise<void>
}

const catalog: Catalog = particleCatalog()

export function listsRig(options: RigOptions): ListsRig {
  const { cloud, atMs = () => NOON, wrap = (policy) => policy } = options
  const { set } = mustLoad(options.policies, catalog)
  const policy = wrap(createPolicyEngine({ catalog, set, cacheSize: 10 }))
  const directory = fakeDirectory(options.facts)
  const boundaryOf = (who: Principal) => policy.userOf(who)?.grant.boundary
  const ids = createIdResolver(catalog.resources, directory, boundaryOf)
  const describe = createDescribe(catalog, ids, createRelate({ directory, ids, policy }))
  const decide = createDecide(policy, directory)
  const match = createMatchRoute(createRouteTable(catalog))
  const asked: string[] = []
  const sent: UpstreamRequest[] = []
  const credentials = { for: () => new Secret('cloud-credential') }
  const views = new Map<string, ListView>()

  function view(question: ListQuestion, only?: string): ListView {
    const { path, query } = question
    const refusal = options.refuse?.(question)
    if (refusal !== undefined) throw refusal
    const name = `${path}?${query.map(({ key, value }) => `${key}=${value}`).join('&')}`
    const key = only === undefined ? name : `${name}#${only}`
    asked.push(key)
    const made = views.get(key) ?? viewOf(cloud[path], question, only)
    views.set(key, made)
    return made
  }

  const fleetLists: FleetLists = {
    view: async (question) => view(question),
    pick: async (question, wanted) => view(question, wanted),
    size: () => undefined,
    take: async () => undefined,
    touched: () => undefined,
    [Symbol.dispose]: () => undefined,
  }
  const pool = {
    assertRoom: () => undefined,
    async request(request: UpstreamRequest): Promise<UpstreamAnswer> {
      sent.push(request)
      const played = options.answer?.(request) ?? {}
      if (played instanceof Error) throw played
      const [path = ''] = request.target.split('?', 1)
      return {
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(cloud[path] ?? {})),
        ...played,
      }
    },
  }
  const clock = { now: atMs, monotonic: () => 0 }
  const tokens = { recheck: () => options.recheck?.() }
  const lists = createLists({
    quota: noQuota,
    ...{ policy, tokens, catalog, credentials, directory, fleetLists, pool, clock },
    maxAnswerBytes: options.maxAnswerBytes ?? 1_000_000,
  })

  return {
    asked,
    sent,
    policy,
    directory,
    async ask(line, { user = 'u', headers = {}, leaves = false } = {}) {
      const exchange = new FakeExchange(line, headers)
      if (leaves) exchange.leaves.abort()
      const principal = principalOf(user, policy.user(user))
      const context = { requestId: 'r', atMs: atMs(), address: '127.0.0.1' }
      const target = canonicalTarget(exchange.raw.target)
      const credential = { token: 'U', target, inForm: false }
      const { route, params } = match(exchange.raw.method, target)
      const request = await describe(exchange, route, params, credential, principal)
      const decision = await decide(principal, request, context)
      if (decision.outcome === 'deny') throw new Error(`denied: ${decision.reason}`)
      const served = {
        ...{ exchange, principal, asked: request, decision, context },
        request: {
          ...{ method: exchange.raw.method, target: request.upstream.target, headers },
          ...{ body: undefined, credential: credentials.for() },
        },
        behalf: { user },
        progress: () => undefined,
      }
      if (!lists.isCut(served)) throw new Error('not cut')
      const outcome = await lists.serve(served)
      const [answer] = exchange.assembled
      const text = answer?.body.toString() ?? ''
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      return { status: answer?.status ?? 0, body, text, exchange, outcome }
    },
  }
}

/** As the cloud filters and sorts: by id in part, by group, by name. */
function viewOf(root: unknown, { answer, query }: ListQuestion, only?: string): ListView {
  const { at, items: spec } = answer
  const rows = rowsAt(root, at).filter((row) => query.every((entry) => passes(row, entry)))
  const order = query.find(({ key }) => key === 'sortAttr')
  if (order !== undefined) rows.sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1))
  const items = rows
    .map((row) => ({ id: idIn(row, answer), text: JSON.stringify(row) }))
    .filter(({ id }) => only === undefined || id === only)
  return {
    items,
    root: JSON.stringify(root),
    sides: spec.sides.map(
      (side) =>
        new Map(
          rowsAt(root, side.at).map((entry) => [String(entry[side.key]), JSON.stringify(entry)]),
        ),
    ),
    atMs: 0,
    calls: 1,
  }
}

function rowsAt(root: unknown, at: string): Row[] {
  const found = valueAtPath(root, at)
  return Array.isArray(found) ? found.filter(isJsonObject) : []
}

function idIn(row: Row, { items }: ListAnswer): string | undefined {
  if (items.when !== undefined && valueAtPath(row, items.when.at) !== items.when.is)
    return undefined
  const id = valueAtPath(row, items.id)
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined
}

function passes(row: Row, { key, value }: QueryEntry): boolean {
  if (key === 'deviceId') return String(row['id']).includes(value)
  if (key === 'deviceName') return String(row['name']).includes(value)
  const groups = row['groups']
  return key === 'groups' ? Array.isArray(groups) && groups.includes(value) : true
}
