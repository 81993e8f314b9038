/** One event stream of the cloud's, shared by all clients of its place: opened for the first, closed after the last. */

import type { LRUCache } from 'lru-cache'
import type { Resource } from '../../domain/access-request.ts'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { ItemJudge } from '../../policy/policy-engine.ts'
import type { Directory } from '../../upstream/directory.ts'
import { createEventParser, type EventMessage } from '../../upstream/event-parser.ts'
import type { EventSource, StreamConnection, StreamQuestion } from '../../upstream/event-source.ts'
import type { UpstreamRefusal } from '../../upstream/fleet-lists.ts'
import { Audiences, type Found, type Placed } from './audience.ts'
import type { CloudEvent, ReadEvent } from './cloud-event.ts'
import { pieceOf, type Group } from './groups.ts'
import { Interests, type Interest, type Wish } from './interests.ts'
import type { Listening, Place } from './listening.ts'
import { mayHearAll, leftOut } from './left-out.ts'
import { Locating } from './locating.ts'
import { LookUps } from './look-ups.ts'
import { Roster, type Seat } from './roster.ts'
import { Waiting } from './waiting.ts'

export type HubParts = {
  source: EventSource
  readEvent: ReadEvent
  directory: Directory
  clock: Clock
  /** Told why a stream of the cloud is broken off. */
  onFault: (cause: unknown) => void
  /** Told that an event of this place was left out for its size. */
  onTooLarge: (place: Resource) => void
  /** The largest event. */
  eventBytes: number
  /** Who gets which kind of event, of all streams. */
  memory: LRUCache<string, Found<Listening>>
}

export type SharedStream = StreamQuestion & {
  /** No other hub has or had it. */
  name: string
  /** What it is of: a product or an organization. */
  place: Resource
}

/** A client that comes back at once finds the cloud's stream still open; it is gone within a second all the same. */
const briefMs = 400

export class Hub implements Place, Disposable {
  /** Rejects with why the cloud's stream could not be had. */
  readonly opened: Promise<void>
  readonly listeners = new Set<Listening>()
  readonly #parts: HubParts
  readonly #stream: SharedStream
  readonly #credential: string
  readonly #roster = new Roster<Listening>()
  readonly #interests = new Interests()
  readonly #audiences: Audiences<Listening>
  readonly #lookUps: LookUps
  readonly #waiting: Waiting
  readonly #locating: Locating
  /** Of an organization: those that devices were found in. */
  readonly #products = new Set<string>()
  #tooLarge = 0
  #connection: StreamConnection | undefined
  readonly #opening: PromiseWithResolvers<void>
  #state: 'opening' | 'open' | 'closed' = 'opening'
  #holds = 0
  #idleSinceMs: number

  constructor(parts: HubParts, stream: SharedStream) {
    const { directory, eventBytes, clock } = parts
    this.#parts = parts
    this.#stream = stream
    this.#credential = stream.credential.reveal()
    this.#idleSinceMs = clock.monotonic()
    this.#opening = Promise.withResolvers()
    this.opened = this.#opening.promise
    // Whoever waits for it hears of it; perhaps nobody does any more.
    this.opened.catch(() => {})
    this.#audiences = new Audiences({
      roster: this.#roster,
      directory,
      memory: parts.memory,
      name: stream.name,
    })
    this.#lookUps = new LookUps(directory)
    const fail = (cause: unknown) => this.#fail(cause)
    this.#waiting = new Waiting({
      ...{ directory, clock, fail, lookUps: this.#lookUps },
      send: ({ event }, groups) => this.#send(event, groups),
    })
    this.#locating = new Locating({
      ...{ clock, fail, find: (device) => this.#find(device) },
      known: (device) => this.#known(device),
      found: (event, product) => {
        this.#offer(event, { type: 'device', product, device: event.device ?? '' })
      },
    })
    const parser = createEventParser(
      eventBytes,
      (message) => this.#read(message),
      () => this.#leaveOut(),
    )
    this.#connection = parts.source.open(stream, {
      opened: () => {
        this.#state = 'open'
        this.#opening.resolve()
      },
      chunk: (bytes) => {
        try {
          parser.feed(bytes)
        } catch (cause) {
          this.#fail(cause)
        }
      },
      ended: (why) => this.#end(why),
    })
  }

  get tooLarge(): number {
    return this.#tooLarge
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Nobody has held it for as long as it may linger. */
  isForsaken(nowMs: number): boolean {
    return this.#holds === 0 && nowMs - this.#idleSinceMs >= briefMs
  }

  /** Keeps it open. */
  hold(): Disposable {
    this.#holds += 1
    return {
      [Symbol.dispose]: () => {
        this.#holds -= 1
        this.#idleSinceMs = this.#parts.clock.monotonic()
      },
    }
  }

  interest(wish: Wish): Interest {
    return this.#interests.take(wish)
  }

  seat(listening: Listening, judge: ItemJudge): Seat<Listening> {
    if (this.listeners.has(listening)) this.#roster.leave(listening.seat)
    this.listeners.add(listening)
    const { organization } = listening.served.asked.resource
    return this.#roster.take(listening, judge, listening.interest, organization)
  }

  leave(listening: Listening): void {
    if (!this.listeners.delete(listening)) return
    this.#roster.leave(listening.seat)
    this.#interests.leave(listening.interest)
  }

  /** Gives up what has waited too long for what it hangs on. */
  look(nowMs: number): void {
    const slow = [this.#waiting.look(nowMs), this.#locating.look(nowMs)]
    if (slow.includes(true)) this.#lookUps.overtake()
  }

  [Symbol.dispose](): void {
    this.#end(new Problem('overloaded'))
  }

  /** Never a silent gap: without the cloud's stream there is none of ours. */
  #end(why: Problem | UpstreamRefusal): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#connection?.close()
    this.#waiting.close()
    this.#locating.close()
    this.#opening.reject(why)
    for (const { sink } of this.listeners) sink.end('upstream_reset')
  }

  /** What cannot be read, or not be decided, is nobody's. */
  #fail(cause: unknown): void {
    this.#parts.onFault(cause)
    this.#end(new Problem('upstream_failed', { cause }))
  }

  #read(message: EventMessage): void {
    const event = this.#parts.readEvent(message)
    this.#interests.count(message.name, event?.device)
    if (event === undefined || this.#roster.empty || this.closed) return
    const { place } = this.#stream
    const { product } = place
    const { device } = event
    if (device === undefined) this.#offer(event, place)
    else if (product === undefined) this.#locating.push(event, device)
    else this.#offer(event, { type: 'device', product, device })
  }

  /** Who sent it stands in what was dropped. So only those are told who may hear any device, whatever it says. */
  #leaveOut(): void {
    const { clock, onTooLarge } = this.#parts
    const { place } = this.#stream
    this.#tooLarge += 1
    onTooLarge(place)
    const nowMs = clock.monotonic()
    for (const listening of this.listeners) {
      if (mayHearAll(listening, place, clock.now())) listening.write(leftOut, nowMs)
    }
  }

  /** What is in hand, if it is of a product that was found to be of this place. */
  #known(device: string): { product: string | undefined } | undefined {
    const known = this.#parts.directory.placed(device)
    if (known?.product === undefined) return known
    return this.#products.has(known.product) ? known : undefined
  }

  async #find(device: string): Promise<string | undefined> {
    const product = await this.#lookUps.product(device, this.#stream.place.organization)
    if (product !== undefined) this.#products.add(product)
    return product
  }

  /** Whoever need not wait gets it now. */
  #offer(event: CloudEvent, resource: Resource): void {
    const placed: Placed = { event, resource }
    const audience = this.#audiences.of(placed, this.#parts.clock.now())
    this.#send(event, this.#waiting.hold(placed, audience))
  }

  #send(event: CloudEvent, groups: readonly Group<Listening>[]): void {
    if (groups.length === 0) return
    const nowMs = this.#parts.clock.monotonic()
    for (const { seats, cut } of groups) {
      const piece = pieceOf(event, cut, this.#credential)
      if (piece === undefined) continue
      for (const { taken } of seats) {
        if (taken === undefined || !taken.client.sink.open) continue
        taken.client.write(piece, nowMs)
        taken.client.sink.count.sent += 1
      }
    }
  }
}
