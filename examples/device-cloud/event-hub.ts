/** Takes every event of the cloud and writes it to the open streams that want it. */
import type { Response } from 'express'
import type { Device, Product, World } from './state.ts'

/** The `coreid` of events that no device sent. */
const cloudCoreId = 'particle-internal'
const apiCoreId = 'api'

export interface CloudEvent {
  name: string
  data: string | null
  ttl: string
  publishedAt: string
  coreid: string
  productId: number | null
  /** Who owns the device, or published through the API. */
  owner: string | null
}

export type Interest = (event: CloudEvent) => boolean

interface Stream {
  answer: Response
  token: string
  wants: Interest
}

/** A reader this far behind is cut off rather than buffered for. */
const maxBacklogBytes = 4 * 1024 * 1024

export class EventHub {
  readonly #streams = new Set<Stream>()
  #most = 0
  readonly #world: World
  readonly #heartbeat: NodeJS.Timeout

  constructor(world: World, heartbeatIntervalMs: number) {
    this.#world = world
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatIntervalMs)
    this.#heartbeat.unref()
  }

  get openStreams(): number {
    return this.#streams.size
  }

  /** The most that were ever open at a time. */
  get mostStreams(): number {
    return this.#most
  }

  open(answer: Response, token: string, wants: Interest): void {
    answer.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
    answer.write(':ok\n\n')
    const stream = { answer, token, wants }
    this.#streams.add(stream)
    this.#most = Math.max(this.#most, this.#streams.size)
    answer.once('close', () => this.#streams.delete(stream))
  }

  /** A dead token reads no further. */
  endStreamsOf(token: string): void {
    for (const stream of this.#streams) if (stream.token === token) stream.answer.end()
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const { answer } of this.#streams) answer.destroy()
  }

  fromDevice(device: Device, name: string, data: string | null): void {
    this.#world.heard(device)
    const { id: coreid, productId, owner } = device
    this.#publish({ ...newEvent(name, data), coreid, productId, owner })
    const product = this.#world.productOf(device)
    if (product) this.#runWebhooks(product, name)
  }

  /** Many at once, in one write a stream and past the webhooks: to publish thousands a second. */
  fromDevices(events: readonly DeviceEvent[]): void {
    const published = events.map(({ device, name, data }): [CloudEvent, string] => {
      this.#world.heard(device)
      const { id: coreid, productId, owner } = device
      const event = { ...newEvent(name, data), coreid, productId, owner }
      return [event, frameOf(event)]
    })
    for (const stream of this.#streams) {
      let frames = ''
      for (const [event, frame] of published) if (stream.wants(event)) frames += frame
      if (frames !== '') this.#write(stream, frames)
    }
  }

  fromApi(publisher: string | null, product: Product | null, event: ApiEvent): void {
    const { name, data, ttl } = event
    this.#publish({
      ...newEvent(name, data, ttl),
      coreid: apiCoreId,
      productId: product?.id ?? null,
      owner: product ? null : publisher,
    })
    if (product) this.#runWebhooks(product, name)
  }

  /** Webhooks are told about, not sent: the simulator never opens a connection. */
  #runWebhooks(product: Product, name: string): void {
    for (const { settings } of product.integrations.values()) {
      if (!name.startsWith(settings.event)) continue
      const origin = { coreid: cloudCoreId, productId: product.id, owner: null }
      this.#publish({ ...newEvent(`hook-sent/${name}`, null), ...origin })
      this.#publish({ ...newEvent(`hook-response/${name}/0`, 'ok'), ...origin })
    }
  }

  #publish(event: CloudEvent): void {
    const frame = frameOf(event)
    for (const stream of this.#streams) if (stream.wants(event)) this.#write(stream, frame)
  }

  #beat(): void {
    for (const stream of this.#streams) this.#write(stream, '\n')
  }

  #write({ answer }: Stream, text: string): void {
    if (answer.writableLength > maxBacklogBytes) answer.destroy()
    else if (!answer.writableEnded) answer.write(text)
  }
}

export interface DeviceEvent {
  device: Device
  name: string
  data: string | null
}

export interface ApiEvent {
  name: string
  data: string | null
  ttl?: string
}

function frameOf({ name, data, ttl, publishedAt, coreid }: CloudEvent): string {
  const wire = JSON.stringify({ data, ttl, published_at: publishedAt, coreid })
  return `event: ${name}\ndata: ${wire}\n\n`
}

function newEvent(
  name: string,
  data: string | null,
  ttl = '60',
): Pick<CloudEvent, 'name' | 'data' | 'ttl' | 'publishedAt'> {
  // A line break in a name would let a publisher write frames of its own.
  return { name: name.replace(/[\r\n]/g, ' '), data, ttl, publishedAt: new Date().toISOString() }
}
