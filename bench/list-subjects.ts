/** A list of about 1 MB as the cloud would answer it, and the gate's own cutting of it for API users of several kinds. */

import { devicePayload } from '../examples/device-cloud/payloads.ts'
import { seedWorld } from '../examples/device-cloud/seed.ts'
import type { OutcomeFields } from '../src/audit/audit-log.ts'
import type { Resource } from '../src/domain/access-request.ts'
import type { Catalog } from '../src/domain/catalog.ts'
import { systemClock } from '../src/domain/clock.ts'
import { Secret } from '../src/lib/secret.ts'
import { createPolicyEngine } from '../src/policy/engine.ts'
import type { Asked } from '../src/proxy/describe.ts'
import type { AssembledAnswer } from '../src/proxy/exchange.ts'
import { cutQuickly } from '../src/proxy/lists/raw-cut.ts'
import { createLists } from '../src/proxy/lists/create-lists.ts'
import { redactWhole } from '../src/proxy/redact.ts'
import type { FleetLists } from '../src/upstream/fleet-lists.ts'
import { particleCatalog } from '../test/kit/catalog.ts'
import { FakeExchange, fakeDirectory, noQuota } from '../test/kit/fakes.ts'
import { mustLoad, principalOf } from '../test/kit/policies.ts'

const ITEMS = 1150
const PRODUCT = '12345'
const LIST = '/v1/products/12345/devices'
const place: Resource = { type: 'product', product: PRODUCT }

/**
 * What an API user sees of it. The first three are granted by ids, the next two by a condition on what is in the items:
 * of the devices, and of a rule, which most items pass. Under the last two all items pass alike, so that none is decided
 * by itself: of each all but some keys is cut, or only the secrets.
 */
export const subjectNames = [
  'half',
  'all_but_keys',
  'hundredth',
  'by_group_half',
  'by_rule',
  'all_devices_keys',
  'all_devices',
] as const
export type SubjectName = (typeof subjectNames)[number]

export function aMegabyte(): Buffer {
  const world = seedWorld({ devices: ITEMS, baseTime: new Date('2026-01-15T12:00:00.000Z') })
  const devices = world.products.get(Number(PRODUCT))?.devices ?? []
  const list = devices.map((device) => devicePayload(device, 'product'))
  return Buffer.from(JSON.stringify({ devices: list, customers: [], meta: { total_pages: 1 } }))
}

/** What any proxy must do that looks into it. `atPeak` is called when it holds the most. */
export function parseAndStringify(body: Buffer, atPeak = () => {}): Buffer {
  const root: unknown = JSON.parse(body.toString('utf8'))
  const answer = Buffer.from(JSON.stringify(root))
  atPeak()
  return Array.isArray(root) ? body : answer
}

/** Cuts the answer as for a request of this API user, from the bytes of the cloud to the bytes for the client. */
export function cutter(name: SubjectName, body: Buffer, atPeak = () => {}): () => Promise<Buffer> {
  const catalog = unpaged(particleCatalog())
  const policy = createPolicyEngine({
    catalog,
    set: mustLoad(policiesOf(idsIn(body)), catalog).set,
    cacheSize: 10,
  })
  const principal = principalOf(name, policy.user(name))
  const credential = new Secret('benchmark-upstream-credential')
  const answer = { status: 200, headers: { 'content-type': 'application/json' }, body }
  const lists = createLists({
    quota: noQuota,
    policy,
    tokens: { recheck: () => undefined },
    catalog,
    credentials: { for: () => credential },
    directory: fakeDirectory({}),
    fleetLists: unasked,
    pool: { request: () => Promise.resolve(answer), assertRoom: () => undefined },
    clock: systemClock,
    maxAnswerBytes: 32 * 2 ** 20,
  })
  const asked = askedIn(catalog)
  const request = { method: 'GET', target: LIST, headers: {}, body: undefined, credential }
  return async () => {
    const context = { requestId: 'bench', atMs: Date.now(), address: '127.0.0.1' }
    const decision = policy.decide(principal, asked.requests, () => undefined, context)
    if (decision.outcome !== 'allow') throw new Error(`the list was answered ${decision.outcome}`)
    const exchange = new Client(atPeak)
    const progress = () => undefined
    const behalf = { user: principal.user }
    const served = { exchange, principal, asked, decision, context, request, behalf, progress }
    if (!lists.isCut(served)) {
      const cut = { answer: asked.route.answer, obligations: decision.obligations }
      const { mode, body: small } = cutQuickly(answer, cut)
      if (mode === 'whole') throw new Error('the list is not cut')
      atPeak()
      return redactWhole(small, credential.reveal())
    }
    await lists.serve(served)
    const [sent] = exchange.assembled
    if (sent === undefined) throw new Error('no list was sent')
    return sent.body
  }
}

class Client extends FakeExchange {
  readonly #atPeak: () => void

  constructor(atPeak: () => void) {
    super(`GET ${LIST}`)
    this.#atPeak = atPeak
  }

  override send(answer: AssembledAnswer): OutcomeFields {
    this.#atPeak()
    return super.send(answer)
  }
}

/** Whole lists are for lists in pages. */
const unasked: FleetLists = {
  view: () => Promise.reject(new Error('no view is read')),
  pick: () => Promise.reject(new Error('no item is read')),
  size: () => undefined,
  take: async () => undefined,
  touched: () => undefined,
  [Symbol.dispose]: () => undefined,
}

/** Where a list is not paged, the gate reads and cuts all of it for each request. */
function unpaged(catalog: Catalog): Catalog {
  const routes = catalog.routes.map((route) => {
    const { answer } = route
    if (answer.kind !== 'list' || answer.items === undefined) return route
    const { paging: _, ...items } = answer.items
    return { ...route, answer: { ...answer, items } }
  })
  return { ...catalog, routes }
}

function askedIn({ routes }: Catalog): Asked {
  const route = routes.find(({ id }) => id === 'GET /v1/products/:product/devices')
  if (route === undefined) throw new Error('the catalog lacks the list')
  const requests = [{ action: 'devices:list', resource: place, fields: {}, values: {} }]
  const guard = { kind: 'none' } as const
  const upstream = { target: LIST, body: undefined, contentType: '', guard }
  return { route, target: LIST, requests, unresolved: undefined, resource: place, upstream }
}

function idsIn(body: Buffer): string[] {
  const root: { devices: { id: string }[] } = JSON.parse(body.toString('utf8'))
  return root.devices.map(({ id }) => id)
}

function policiesOf(ids: readonly string[]): string {
  const keys = ', answer: [id, name, online, last_heard, groups, firmware_version]'
  const idsOf = (mine: readonly string[]) => `{ ids: [${mine.join(', ')}] }`
  const user = (name: SubjectName, devices: string, rule: string) => `
  ${name}:
    owner: bench@acme.example
    product: ${PRODUCT}
    devices: ${devices}
    rules: [{ can: devices:list${rule} }]
    expires: never`
  const half = ids.filter((_, at) => at % 2 === 0)
  const hundredth = ids.filter((_, at) => at % 100 === 0)
  return `users:${[
    user('half', idsOf(half), ''),
    user('all_but_keys', idsOf(ids), keys),
    user('hundredth', idsOf(hundredth), ''),
    user('by_group_half', '{ groups: { $any: [site-1, site-3, site-5, site-7] } }', ''),
    user('by_rule', 'all', ', where: { online: true }'),
    user('all_devices_keys', 'all', keys),
    user('all_devices', 'all', ''),
  ].join('')}
`
}
