/** Stand-ins for everything around the request path: they play what they are told and write down what they are asked. */

import type {
  AuditLog,
  DecisionFields,
  Durability,
  OutcomeFields,
  RejectFields,
  StreamCount,
} from '../../src/audit/audit-log.ts'
import type { AccessRequest } from '../../src/domain/access-request.ts'
import type { Resource } from '../../src/domain/access-request.ts'
import type { Decision } from '../../src/domain/decision.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { Problem } from '../../src/domain/problem.ts'
import type { PolicyEngine } from '../../src/policy/policy-engine.ts'
import { EMPTY_FRAME } from '../../src/policy/user-frame.ts'
import type {
  AssembledAnswer,
  BodyGuard,
  BreakOff,
  Cut,
  EventSink,
  Exchange,
  Hold,
  PassedRequest,
  RawRequest,
  Standing,
} from '../../src/proxy/exchange.ts'
import type { EnforceParts } from '../../src/proxy/enforce.ts'
import { valuesOf } from '../../src/proxy/credentials.ts'
import type { Lists } from '../../src/proxy/lists/lists.ts'
import type { Streams } from '../../src/proxy/streams/streams.ts'
import type { Tokens } from '../../src/store/tokens.ts'
import type { Directory } from '../../src/upstream/directory.ts'
import type { FleetLists } from '../../src/upstream/fleet-lists.ts'
import type { Quota } from '../../src/upstream/quota.ts'
import type { UpstreamRequest } from '../../src/upstream/upstream.ts'
import { anEnvelope } from './audit.ts'
import { aUser } from './tokens.ts'

export function aRaw(
  line: string,
  headers: Record<string, string> | readonly string[] = {},
): RawRequest {
  const [method = '', target = ''] = line.split(' ')
  const rawHeaders = Array.isArray(headers) ? headers : Object.entries(headers).flat()
  return { method, target, httpVersion: '1.1', rawHeaders }
}

export type Sent = { request: UpstreamRequest; guard?: BodyGuard; cut?: Cut }

/** A client of an event stream that takes what it is given, until it is told to leave. */
export class FakeSink implements EventSink {
  count: StreamCount = { sent: 0, withheld: 0 }
  waiting = 0
  taken = 0
  ends: string | undefined
  ended: string | undefined
  text = ''
  begun = false
  readonly #callbacks: (() => void)[] = []

  get open(): boolean {
    return this.ended === undefined
  }

  begin(): void {
    this.begun = true
    this.write(Buffer.from(':ok\n\n'))
  }

  write(piece: Buffer): void {
    if (this.open) this.text += piece.toString()
  }

  end(ended: string): void {
    if (!this.open) return
    this.ended = ended
    for (const callback of this.#callbacks) callback()
  }

  onEnd(callback: () => void): void {
    this.#callbacks.push(callback)
  }
}

export class FakeExchange implements Exchange {
  readonly raw: RawRequest
  readonly envelope
  readonly sent: Sent[] = []
  readonly passed: PassedRequest[] = []
  endsAtMs: number | undefined
  user: string | undefined
  readonly answers: { status: number; body: unknown }[] = []
  readonly assembled: AssembledAnswer[] = []
  readonly leaves = new AbortController()
  readonly rejections: Problem[] = []
  /** Played when something is sent upstream. */
  onSend: () => void = () => undefined
  readonly #body: Buffer
  #isRead = false

  constructor(line: string, headers: Record<string, string> | readonly string[] = {}, body = '') {
    const framed = body === '' ? [] : ['Content-Length', String(Buffer.byteLength(body))]
    const raw = aRaw(line, headers)
    this.raw = { ...raw, rawHeaders: [...raw.rawHeaders, ...framed] }
    this.envelope = anEnvelope('req-1', { method: raw.method, rawTarget: raw.target })
    this.#body = Buffer.from(body)
  }

  async body(): Promise<Buffer> {
    return this.#whole()
  }

  async unknownBody(): Promise<Buffer> {
    return this.#whole()
  }

  #whole(): Buffer {
    const codings = valuesOf(this.raw.rawHeaders, 'content-encoding')
    if (codings.length > 0) throw new Problem('unsupported_media_type')
    this.#isRead = true
    return this.#body
  }

  async bodyIfRead(): Promise<Buffer | undefined> {
    return this.#isRead ? this.#body : undefined
  }

  isOf(user: string): void {
    this.user = user
  }

  tokenEnds(atMs: number | undefined): void {
    this.endsAtMs = atMs
  }

  /** With an answer that has not ended, as the test says: an event stream, or any other. */
  stays = false
  isStream = true
  passStatus = 200
  readonly brokenOff = Promise.withResolvers<string>()

  async pass(request: PassedRequest, hold: (breakOff: BreakOff) => Hold): Promise<OutcomeFields> {
    this.passed.push(request)
    using held = hold((ended) => this.brokenOff.resolve(ended))
    this.onSend()
    if (!this.stays) {
      return { ...anOutcome(this.passStatus, 'answered'), upstreamStatus: this.passStatus }
    }
    if (this.isStream) held.hasNoEnd()
    return anOutcome(200, await this.brokenOff.promise)
  }

  async filter(request: UpstreamRequest, cut: Cut): Promise<OutcomeFields> {
    return this.#send({ request, cut })
  }

  async forward(
    request: UpstreamRequest,
    guard: BodyGuard,
    cut: Cut | undefined,
  ): Promise<OutcomeFields> {
    return this.#send({ request, guard, ...(cut !== undefined && { cut }) })
  }

  /** Aborted by `leaves`. */
  get gone(): AbortSignal {
    return this.leaves.signal
  }

  send(answer: AssembledAnswer): OutcomeFields {
    this.assembled.push(answer)
    const { status, body, list } = answer
    return {
      ...anOutcome(status, 'answered'),
      bytes: body.length,
      upstreamStatus: answer.upstream.status,
      ...(list !== undefined && { list }),
    }
  }

  readonly sink = new FakeSink()

  async stream(serve: (sink: EventSink) => void | Promise<void>): Promise<OutcomeFields> {
    await serve(this.sink)
    return new Promise((resolve) => {
      const settle = () => {
        const { ended = '', count } = this.sink
        resolve({ ...anOutcome(200, ended), events: count })
      }
      if (this.sink.open) this.sink.onEnd(settle)
      else settle()
    })
  }

  answer(status: number, body: unknown): OutcomeFields {
    this.answers.push({ status, body })
    return anOutcome(status, 'answered')
  }

  reject(problem: Problem): OutcomeFields {
    this.rejections.push(problem)
    return anOutcome(problem.status, problem.code)
  }

  #send(sent: Sent): OutcomeFields {
    this.sent.push(sent)
    this.onSend()
    return anOutcome(200, 'answered')
  }
}

function anOutcome(status: number, ended: string): OutcomeFields {
  return { status, ended, bytes: 0, upstreamStatus: undefined, upstreamRequestId: undefined }
}

export class FakeAudit implements AuditLog {
  readonly decisions: (DecisionFields & { durability: Durability })[] = []
  readonly outcomes: OutcomeFields[] = []
  readonly counts: StreamCount[] = []
  readonly rejects: RejectFields[] = []
  /** Thrown by every `commit`. */
  failure: Error | undefined
  /** Played after a record is accepted. */
  onCommit: () => void = () => undefined

  open() {
    return {
      commit: async (fields: DecisionFields, durability: Durability) => {
        if (this.failure !== undefined) throw this.failure
        this.decisions.push({ ...fields, durability })
        this.onCommit()
      },
      progress: (count: StreamCount) => void this.counts.push({ ...count }),
      close: (fields: OutcomeFields) => void this.outcomes.push(fields),
    }
  }

  async change(): Promise<never> {
    return notPlayed()
  }

  reject(fields: RejectFields): void {
    this.rejects.push(fields)
  }

  event(): boolean {
    return true
  }
  async flush(): Promise<void> {}
  state() {
    return { healthy: true, queued: 0, failed: undefined }
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

export const aPrincipal: Principal = {
  user: 'acme',
  tokenId: 'aB3dE6gH9jK2',
  tokenKind: 'minted',
  issued: aUser('acme').grant,
  issuedHash: 'acme-a',
  expiresAtMs: undefined,
  stored: undefined,
}

const notPlayed = (): never => {
  throw new Error('this fake is not asked that')
}

/** `overrides` play what a test is about; all else that is not listed fails the test that reaches it. */
export function fakeTokens(overrides: Partial<Tokens> = {}): Tokens {
  return {
    authenticate: () => aPrincipal,
    confirm: () => undefined,
    recheck: () => undefined,
    issue: notPlayed,
    rotate: notPlayed,
    extend: notPlayed,
    revoke: notPlayed,
    newest: notPlayed,
    list: notPlayed,
    adopt: notPlayed,
    prepare: notPlayed,
    flush: notPlayed,
    [Symbol.asyncDispose]: async () => undefined,
    ...overrides,
  }
}

export function fakeDirectory(overrides: Partial<Directory> = {}): Directory & {
  forgotten: Resource[]
  deadEnds: Resource[]
} {
  const forgotten: Resource[] = []
  const deadEnds: Resource[] = []
  return {
    forgotten,
    deadEnds,
    organization: async () => undefined,
    product: async () => undefined,
    device: async () => undefined,
    products: async () => [],
    related: async () => undefined,
    attributes: async () => ({}),
    prepare: async () => () => undefined,
    named: async () => () => undefined,
    locate: async () => new Map(),
    placed: () => undefined,
    cached: () => undefined,
    forget: (resource) => void forgotten.push(resource),
    deadEnd: (resource) => void deadEnds.push(resource),
    ...overrides,
  }
}

export const allowed: Decision & { outcome: 'allow' } = {
  outcome: 'allow',
  rule: undefined,
  obligations: { answer: undefined, hide: new Set(), reveal: new Set() },
  facts: {},
}

export const denied: Decision & { outcome: 'deny' } = {
  outcome: 'deny',
  reason: 'not_granted',
  rule: undefined,
  tell: undefined,
  facts: {},
  failed: { action: 'devices:get', resource: 'x' },
}

export function fakePolicy(decide: PolicyEngine['decide'] = () => allowed): PolicyEngine {
  const user = aUser('acme')
  return {
    revision: 'rev-1',
    set: { users: new Map([['acme', user]]), revision: 'rev-1', frame: EMPTY_FRAME },
    user: (name) => (name === 'acme' ? user : undefined),
    userOf: (who) => (who.user === 'acme' ? user : undefined),
    compile: notPlayed,
    permissions: notPlayed,
    heldBack: notPlayed,
    fromElsewhere: () => undefined,
    decide,
    deciding(principal, facts, context) {
      const taken: AccessRequest[] = []
      return {
        take(requests) {
          taken.push(...requests)
          return undefined
        },
        end: () => decide(principal, taken, facts, context),
      }
    },
    items: notPlayed,
    hangsOnDevice: () => true,
    maxAgeOf: () => undefined,
    use: notPlayed,
  }
}

/** Nothing is a list to be cut; what was said to be written is noted. */
export function uncutLists(): {
  fleetLists: FleetLists & { written: Parameters<FleetLists['touched']>[] }
  lists: Lists
  streams: Streams
} {
  const written: Parameters<FleetLists['touched']>[] = []
  return {
    fleetLists: {
      written,
      view: notPlayed,
      pick: notPlayed,
      size: () => undefined,
      take: async () => undefined,
      touched: (...write) => void written.push(write),
      [Symbol.dispose]: () => undefined,
    },
    lists: { isCut: () => false, serve: notPlayed },
    streams: { serve: notPlayed, [Symbol.dispose]: () => undefined },
  }
}

/** Whatever was allowed stays so, and there is room for everybody. */
export const noQueue: Pick<EnforceParts, 'standingOf' | 'assertRoom'> = {
  standingOf: ({ user }) => aStanding(user),
  assertRoom: () => undefined,
}

export function aStanding(user = 'acme'): Standing {
  return { user, watch: () => ({ [Symbol.dispose]: () => undefined }) }
}

/** The cloud lets everybody call as often as they like. */
export const noQuota: Quota = {
  take: () => undefined,
  takeOwn: () => undefined,
  note: () => undefined,
  refused: () => undefined,
  share: () => undefined,
  forecast: () => ({ calls: 1, perS: 1, used: 0, own: 0, pace: 0, users: [] }),
}
