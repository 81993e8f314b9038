/** A cloud as a function, and a time that only moves when told: what the tests of lists are played on. */

import type {
  Catalog,
  ItemsSpec,
  ListAnswer,
  ResourceSpec,
} from '../../../../src/domain/catalog.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { Secret } from '../../../../src/lib/secret.ts'
import {
  createFleetLists,
  type FleetListsOptions,
} from '../../../../src/upstream/lists/cached-lists.ts'
import type { ListQuestion, ListView } from '../../../../src/upstream/fleet-lists.ts'
import { UpstreamAborted } from '../../../../src/upstream/pool.ts'
import type { UpstreamAnswer, UpstreamRequest } from '../../../../src/upstream/upstream.ts'

export type Device = { id: unknown; [key: string]: unknown }

const spec = (one: string, id: RegExp, fold: 'lower' | 'none'): ResourceSpec => ({
  one,
  many: `${one}s`,
  id,
  fold,
  attributes: new Map(),
  keys: [],
})

export const resources: Catalog['resources'] = {
  organization: spec('organization', /^[0-9a-f]{24}$/, 'lower'),
  product: spec('product', /^[1-9]\d{0,8}$/, 'none'),
  device: spec('device', /^[0-9a-f]{24}$/, 'lower'),
}

/** 24 hex digits. */
export const idOf = (number: number) => number.toString(16).padStart(24, '0')
export const aDevice = (number: number): Device => ({ id: idOf(number), name: `d${number}` })
export const aFleet = (count: number) => Array.from({ length: count }, (_, at) => aDevice(at))

export const deviceItems: ItemsSpec = {
  id: 'id',
  facts: 'item',
  paging: {
    page: 'page',
    size: ['perPage', 'per_page'],
    defaultSize: 25,
    maxSize: 100,
    meta: { pages: 'meta.total_pages' },
  },
  sides: [{ at: 'customers', key: 'id', of: 'owner', keep: ['id', 'name'] }],
  keep: [],
  narrow: [{ query: 'deviceId', attribute: 'id' }],
}
export const deviceList: ListAnswer = {
  kind: 'list',
  at: 'devices',
  secrets: [],
  item: 'device',
  items: deviceItems,
}

export const path = '/v1/products/123/devices'
export const place = { type: 'product', product: '123' } as const

export function aQuestion(overrides: Partial<ListQuestion> = {}): ListQuestion {
  const credential = new Secret('upstream-secret')
  return { answer: deviceList, path, query: [], place, credential, ...overrides }
}

export const json = (body: unknown, status = 200): UpstreamAnswer => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
})

/** Lists its devices by page, and writes down what it is asked. */
export class FakeCloud {
  devices: Device[]
  /** The largest page it gives, whatever is asked for. */
  cap = 100
  readonly targets: string[] = []
  readonly requests: UpstreamRequest[] = []
  /** Plays something else than the list, or waits. */
  before: (
    query: URLSearchParams,
  ) => UpstreamAnswer | undefined | Promise<UpstreamAnswer | undefined> = () => undefined

  constructor(devices: Device[]) {
    this.devices = devices
  }

  get calls(): number {
    return this.targets.length
  }

  /** Like the pool: rejects as soon as the caller gives up. */
  readonly send = (request: UpstreamRequest, signal?: AbortSignal): Promise<UpstreamAnswer> => {
    this.targets.push(request.target)
    this.requests.push(request)
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new UpstreamAborted('given up')), {
        once: true,
      })
      this.#answer(new URL(request.target, 'http://cloud').searchParams).then(resolve, reject)
    })
  }

  async #answer(query: URLSearchParams): Promise<UpstreamAnswer> {
    const odd = await this.before(query)
    if (odd !== undefined) return odd
    const only = query.get('deviceId')
    const listed = this.devices.filter(
      ({ id }) => only === null || String(id).toLowerCase().includes(only),
    )
    const size = Math.min(this.cap, Number(query.get('perPage') ?? 25))
    const from = (Number(query.get('page') ?? 1) - 1) * size
    const devices = listed.slice(from, from + size)
    const owners = new Set(devices.map(({ owner }) => owner).filter((owner) => owner !== undefined))
    const customers = [...owners].map((owner) => ({ id: owner, username: `${String(owner)}@x` }))
    const meta = { total_pages: Math.ceil(listed.length / size), count: listed.length }
    return json({ devices, customers, meta, ok: true })
  }
}

/** Milliseconds and timers; nothing happens but by `pass`. */
export class FakeTime {
  ms = 1_000_000
  readonly #timers = new Set<{ atMs: number; run: () => void }>()

  readonly clock = { now: () => this.ms, monotonic: () => this.ms }

  readonly after = (delayMs: number, run: () => void) => {
    const timer = { atMs: this.ms + delayMs, run }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  get timers(): number {
    return this.#timers.size
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.ms + ms
    for (;;) {
      await settle()
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
      if (next === undefined || next.atMs > endMs) break
      this.#timers.delete(next)
      this.ms = Math.max(this.ms, next.atMs)
      next.run()
    }
    this.ms = endMs
    await settle()
  }
}

/** Everything that is due without time passing has run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

export const limits = {
  maxAgeMs: 30_000,
  maxStaleMs: 300_000,
  callsPerMinute: 1200,
  memoryBytes: 64_000_000,
  pagesPerMinute: 300,
}

export function theLists(
  cloud: Pick<FakeCloud, 'send'>,
  overrides: Partial<FleetListsOptions['limits']> = {},
) {
  const time = new FakeTime()
  const paid: string[] = []
  const lists = createFleetLists({
    send: (request, users, signal) => {
      for (const user of users) paid.push(user)
      return cloud.send(request, signal)
    },
    clock: time.clock,
    after: time.after,
    resources,
    limits: { ...limits, ...overrides },
  })
  /** `paid`: for whom each call was made. */
  return { lists, time, paid }
}

export const names = (view: ListView) =>
  view.items.map(({ text }) => (JSON.parse(text) as { name: string }).name)

export async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const thrown: unknown = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  )
  if (thrown instanceof Problem) return thrown
  throw thrown
}

/** A promise that a test settles. */
export function aGate() {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  return { open: () => resolve(undefined), passed: promise }
}
