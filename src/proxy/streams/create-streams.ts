/** Event streams: clients of one place share one stream of the cloud's, and each hears only what it may. */

import { LRUCache } from 'lru-cache'
import type { AuditLog, OutcomeFields } from '../../audit/audit-log.ts'
import type { Resource } from '../../domain/access-request.ts'
import type { Catalog } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Unanswered } from '../../lib/tcp-table.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { Tokens } from '../../store/tokens.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { EventSource } from '../../upstream/event-source.ts'
import { UpstreamRefusal } from '../../upstream/fleet-lists.ts'
import { cutAnswer } from '../cut.ts'
import type { Decide } from '../decide.ts'
import type { Served } from '../enforce.ts'
import type { AssembledAnswer, Exchange } from '../exchange.ts'
import { redactWhole } from '../redact.ts'
import { foundBytes, type Found } from './audience.ts'
import { createReadEvent } from './cloud-event.ts'
import { Hub, type HubParts } from './hub.ts'
import { Listening } from './listening.ts'
import type { Openings } from './openings.ts'
import { sharedTarget, wishOf } from './place.ts'
import { Refusals } from './refusals.ts'
import { createRecheck, judgeOf } from './rights.ts'
import type { Streams } from './streams.ts'
import { createVanished } from './vanished.ts'
import { createWatch } from './watch.ts'

export type StreamsParts = {
  catalog: Catalog
  source: EventSource
  policy: PolicyEngine
  tokens: Tokens
  directory: Directory
  decide: Decide
  audit: Pick<AuditLog, 'state'>
  clock: Clock
  /** Told of streams of the cloud that could not be read, and of faults of our own. */
  onFault: (cause: unknown) => void
  /** Told of each event of the cloud's that was left out for its size. */
  onTooLarge: (place: Resource) => void
  openings: Pick<Openings, 'take'>
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
  /** Connections whose other end does not answer. Never rejects. */
  readUnanswered: () => Promise<Unanswered>
  limits: {
    heartbeatMs: number
    eventBytes: number
    recheckMs: number
    unansweredMs: number
    perUser: number
  }
}

/** Of memory for who gets which kind of event (device, name, source), about. */
const rememberedBytes = 64 * 1024 * 1024

export function createStreams(parts: StreamsParts): Streams {
  const { catalog, policy, tokens, clock, limits } = parts
  const hubParts: HubParts = {
    ...parts,
    readEvent: createReadEvent(catalog),
    eventBytes: limits.eventBytes,
    memory: new LRUCache<string, Found<Listening>>({
      maxSize: rememberedBytes,
      sizeCalculation: foundBytes,
    }),
  }
  const hubs = new Map<string, Hub>()
  const credentials = new WeakMap<Secret, number>()
  const refusals = new Refusals()
  const openByUser = new Map<string, number>()
  let credentialCount = 0
  let hubCount = 0
  let state: 'open' | 'closed' = 'open'
  const watch = createWatch({
    ...{ hubs, limits, clock, audit: parts.audit, every: parts.every, onFault: parts.onFault },
    recheck: createRecheck(parts),
    vanished: createVanished({ ...parts, unansweredMs: limits.unansweredMs }),
  })

  /** @throws Problem, UpstreamRefusal where the cloud has just refused it */
  function hubOf({ principal, asked, request }: Served): Hub {
    const { answer } = asked.route
    if (answer.kind !== 'stream') throw new Problem('internal', { cause: 'no stream' })
    const { target, place } = sharedTarget(answer.shared, asked)
    const { credential } = request
    const number = credentials.get(credential) ?? (credentialCount += 1)
    credentials.set(credential, number)
    const key = `${number} ${target}`
    const known = hubs.get(key)
    if (known !== undefined && !known.closed) return known
    const nowMs = clock.monotonic()
    const standing = refusals.standing(key, nowMs)
    if (standing !== undefined) throw standing
    parts.openings.take(principal.user)
    hubCount += 1
    const name = String(hubCount)
    const hub = new Hub(hubParts, { name, place, target, credential })
    hubs.set(key, hub)
    hub.opened.then(
      () => refusals.forget(key),
      (why: unknown) => refusals.note(key, why, clock.monotonic()),
    )
    return hub
  }

  /** Counts against the API user until it is disposed of. @throws Problem `too_many_streams` */
  function admit(user: string): Disposable {
    const open = openByUser.get(user) ?? 0
    if (open >= limits.perUser) throw new Problem('too_many_streams')
    openByUser.set(user, open + 1)
    return {
      [Symbol.dispose]() {
        const left = (openByUser.get(user) ?? 1) - 1
        if (left === 0) openByUser.delete(user)
        else openByUser.set(user, left)
      },
    }
  }

  async function listen(served: Served): Promise<OutcomeFields> {
    const { exchange, principal, asked } = served
    using _admitted = admit(principal.user)
    const hub = hubOf(served)
    using _held = hub.hold()
    await openedOrGone(hub, exchange)
    return await exchange.stream(async (sink) => {
      // While the cloud took its time, the token may have died.
      await tokens.recheck(principal)
      if (!sink.open) return
      if (state === 'closed' || hub.closed) throw new Problem('upstream_failed')
      const judge = judgeOf(policy, served, clock.now())
      const interest = hub.interest(wishOf(asked))
      const listening = new Listening(hub, served, sink, interest, judge, clock.monotonic())
      listening.sink.begin()
    })
  }

  return {
    async serve(served) {
      if (state === 'closed') throw new Problem('overloaded', { retryAfterS: 1 })
      if (served.exchange.raw.method !== 'HEAD') {
        try {
          return await listen(served)
        } catch (thrown) {
          if (!(thrown instanceof UpstreamRefusal)) throw thrown
          return served.exchange.send(refused(served, thrown))
        }
      }
      return served.exchange.stream((sink) => {
        sink.begin()
        sink.end('answered')
      })
    },
    [Symbol.dispose]() {
      state = 'closed'
      watch[Symbol.dispose]()
      for (const hub of hubs.values()) {
        for (const { sink } of hub.listeners) sink.end('shutdown')
        hub[Symbol.dispose]()
      }
      hubs.clear()
    },
  }
}

/** Waits for the cloud's stream, or for the client to give up. @throws Problem, UpstreamRefusal */
async function openedOrGone(hub: Hub, { gone }: Exchange): Promise<void> {
  const left = Promise.withResolvers<void>()
  const leave = () => left.resolve()
  if (gone.aborted) return
  gone.addEventListener('abort', leave, { once: true })
  try {
    await Promise.race([hub.opened, left.promise])
  } finally {
    gone.removeEventListener('abort', leave)
  }
}

/** The cloud's own error about a stream that this client shares with others: its words, and nothing else of it. */
function refused({ decision, request }: Served, refusal: UpstreamRefusal): AssembledAnswer {
  const { status, contentType, body, retryAfterS } = refusal
  const cut = {
    answer: { kind: 'object' as const, at: '', secrets: [] },
    obligations: { ...decision.obligations, answer: new Set<string>() },
  }
  const headers = contentType === undefined ? {} : { 'content-type': contentType }
  const kept = cutAnswer({ status, headers, body }, cut)
  return {
    status,
    contentType: 'application/json',
    body: redactWhole(kept.body, request.credential.reveal()),
    upstream: { status, requestId: undefined },
    ...(retryAfterS !== undefined && { retryAfterS }),
  }
}
