/** Event streams without sockets: a cloud, a clock and a policy that the test plays, and clients that keep what they get. */

import type { Resource } from '../../src/domain/access-request.ts'
import type { Obligations } from '../../src/domain/decision.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { Secret } from '../../src/lib/secret.ts'
import type { Item, ItemJudge, ItemVerdict } from '../../src/policy/policy-engine.ts'
import type { Asked } from '../../src/proxy/describe.ts'
import { createStreams, type StreamsParts } from '../../src/proxy/streams/create-streams.ts'
import { createOpenings } from '../../src/proxy/streams/openings.ts'
import type { Streams } from '../../src/proxy/streams/streams.ts'
import type { OutcomeFields, StreamCount } from '../../src/audit/audit-log.ts'
import type { EventSource, StreamHandler, StreamQuestion } from '../../src/upstream/event-source.ts'
import { aCatalog, aDeed, aPattern, aRoute, mine, other } from './a-route.ts'
import {
  allowed,
  aPrincipal,
  fakeDirectory,
  FakeExchange,
  fakePolicy,
  fakeTokens,
  type FakeSink,
} from './fakes.ts'

export { mine, other }

export const keepsAll: Obligations = { answer: undefined, hide: new Set(), reveal: new Set() }

export const yes: ItemVerdict = { outcome: 'allow', obligations: keepsAll }
export const no: ItemVerdict = { outcome: 'deny' }

export function aJudge(
  judge: (item: Item, atMs: number) => ItemVerdict,
  more: Partial<ItemJudge> = {},
): ItemJudge {
  return {
    judge,
    key: `judge-${(keys += 1)}`,
    timed: false,
    maxAgeMs: undefined,
    narrow: [],
    ...more,
  }
}
let keys = 0

/** Hears these devices, from their own mouths only. */
export function hears(...devices: string[]): ItemJudge {
  const known = new Set(devices)
  return aJudge(({ resource, event }) =>
    event?.source === 'device' && known.has(resource.device ?? '') ? yes : no,
  )
}

export type PlayedConnection = {
  question: StreamQuestion
  handler: StreamHandler
  state: 'open' | 'closed'
}

export class PlayedCloud implements EventSource {
  readonly connections: PlayedConnection[] = []

  open(question: StreamQuestion, handler: StreamHandler) {
    const connection: PlayedConnection = { question, handler, state: 'open' }
    this.connections.push(connection)
    return {
      close: () => void (connection.state = 'closed'),
    }
  }

  get last(): PlayedConnection {
    const last = this.connections.at(-1)
    if (last === undefined) throw new Error('nothing was opened')
    return last
  }

  send(text: string): void {
    this.last.handler.chunk(Buffer.from(text))
  }

  publish(coreid: string, name: string, data = '1'): void {
    this.send(eventText(coreid, name, data))
  }

  [Symbol.dispose](): void {}
}

export function eventText(coreid: string, name: string, data = '1'): string {
  return `event: ${name}\ndata: ${JSON.stringify({ data, ttl: '60', coreid })}\n\n`
}

export type Client = {
  sink: FakeSink
  exchange: FakeExchange
  outcome: Promise<OutcomeFields>
  progress: StreamCount[]
}

export type ClientOptions = {
  user?: string
  prefix?: string
  device?: string
  organization?: string
  /** `organization`: listens to all its products. */
  of?: 'product' | 'organization'
  head?: boolean
  credential?: Secret
}

export type StreamsRig = {
  streams: Streams
  cloud: PlayedCloud
  clock: { at: number; now(): number; monotonic(): number }
  /** By API user; others hear nothing. */
  judges: Map<string, ItemJudge>
  policy: { revision: string }
  faults: unknown[]
  /** Places of events that were left out for their size. */
  tooLarge: Resource[]
  /** One look of the watch. */
  look(): void
  /** Moves the clock on in steps, and looks at each. */
  pass(ms: number): void
  client(options?: ClientOptions): Client
  /** A client whose stream the cloud has opened. */
  opened(options?: ClientOptions): Promise<Client>
}

const credential = new Secret('cloud-credential-0123456789')

export const limits: StreamsParts['limits'] = {
  ...{ heartbeatMs: 8000, eventBytes: 10_000, recheckMs: 200, unansweredMs: 40_000, perUser: 100 },
}

export function streamsRig(more: Partial<StreamsParts> = {}): StreamsRig {
  const cloud = new PlayedCloud()
  const clock = { at: 1_000_000, now: () => clock.at, monotonic: () => clock.at }
  const judges = new Map<string, ItemJudge>()
  const nobody = aJudge(() => no)
  const policy = { ...fakePolicy(), items: ({ user }: Principal) => judges.get(user) ?? nobody }
  const faults: unknown[] = []
  const tooLarge: Resource[] = []
  let look = () => {}
  const streams = createStreams({
    catalog: {
      ...aCatalog(),
      events: { source: 'coreid', api: ['api'], cloud: ['particle-internal'] },
    },
    source: cloud,
    policy,
    tokens: fakeTokens(),
    directory: fakeDirectory(),
    decide: () => allowed,
    audit: { state: () => ({ healthy: true, queued: 0, failed: undefined }) },
    clock,
    onFault: (cause) => void faults.push(cause),
    openings: createOpenings(clock),
    onTooLarge: (place) => void tooLarge.push(place),
    every: (_, callback) => {
      look = callback
      return { [Symbol.dispose]: () => {} }
    },
    readUnanswered: () => Promise.resolve(new Map()),
    limits,
    ...more,
  })

  function client(options: ClientOptions = {}): Client {
    const exchange = new FakeExchange(`${options.head === true ? 'HEAD' : 'GET'} /events`)
    const progress: StreamCount[] = []
    const asked = askedOf(options)
    const outcome = streams.serve({
      exchange,
      principal: { ...aPrincipal, user: options.user ?? 'acme' },
      asked,
      decision: allowed,
      context: { requestId: 'req-1', atMs: clock.at, address: '127.0.0.1' },
      request: {
        method: 'GET',
        target: asked.upstream.target,
        headers: {},
        body: undefined,
        credential: options.credential ?? credential,
      },
      behalf: { user: options.user ?? 'acme' },
      progress: (count) => void progress.push(count),
    })
    // A test that expects a refusal looks at it itself.
    outcome.catch(() => {})
    return { sink: exchange.sink, exchange, outcome, progress }
  }

  return {
    streams,
    cloud,
    clock,
    judges,
    policy,
    client,
    faults,
    tooLarge,
    look: () => look(),
    pass(ms) {
      for (let left = ms; left > 0; left -= 200) {
        clock.at += Math.min(200, left)
        look()
      }
    },
    async opened(options) {
      const opening = client(options)
      await settled()
      const [last] = cloud.connections.slice(-1)
      last?.handler.opened()
      await settled()
      return opening
    },
  }
}

/** Everything that only waits for other promises has happened. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
}

function askedOf({ prefix, device, organization, of = 'product' }: ClientOptions): Asked {
  const shared = aPattern(
    of === 'product' ? '/v1/products/:product/events' : '/v1/orgs/:organization/events',
  )
  const route = aRoute('GET /v1/products/:product/events/:prefix', {
    way: 'streaming',
    deeds: [
      aDeed('events:get', { fields: { events: { in: 'path', key: 'prefix', prefix: true } } }),
    ],
    answer: { kind: 'stream', shared },
  })
  const resource: Resource = {
    type: device === undefined ? of : 'device',
    ...(of === 'product' && { product: '12345' }),
    ...((organization !== undefined || of === 'organization') && {
      organization: organization ?? 'acmeacme',
    }),
    ...(device !== undefined && { device }),
  }
  const fields = prefix === undefined ? {} : { events: [`${prefix}*`] }
  return {
    route,
    target: `/v1/products/12345/events/${prefix ?? 'all'}`,
    requests: [{ action: 'events:get', resource, fields, values: {} }],
    unresolved: undefined,
    resource,
    upstream: { target: '/events', body: undefined, contentType: '', guard: { kind: 'none' } },
  }
}
