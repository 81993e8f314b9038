/** On an organization's stream the cloud does not say which product a device is in: its events wait until that is known. */

import type { Clock } from '../../domain/clock.ts'
import type { CloudEvent } from './cloud-event.ts'
import { maxWaitingBytes, patienceMs, slowMs } from './waiting.ts'

export type LocatingParts = {
  /** What is in hand about where a device is. */
  known(device: string): { product: string | undefined } | undefined
  /** `undefined`: it is nobody's. May reject. */
  find(device: string): Promise<string | undefined>
  /** Called in the order of each device. */
  found(event: CloudEvent, product: string): void
  clock: Clock
  /** A fault of our own behind a look-up. */
  fail(cause: unknown): void
}

type Held = { event: CloudEvent; bytes: number; sinceMs: number }

const eventOverheadBytes = 300

export class Locating {
  readonly #parts: LocatingParts
  /** By device, oldest first; there for as long as it is being looked up. */
  readonly #lines = new Map<string, Held[]>()
  #bytes = 0
  #state: 'open' | 'closed' = 'open'

  constructor(parts: LocatingParts) {
    this.#parts = parts
  }

  /** What finds no room is dropped, as what cannot be located is: nobody could be asked about it. */
  push(event: CloudEvent, device: string): void {
    const line = this.#lines.get(device)
    const known = line === undefined ? this.#parts.known(device) : undefined
    if (known !== undefined) return this.#found([{ event }], known.product)
    const bytes = event.name.length + event.data.length + eventOverheadBytes
    if (this.#bytes + bytes > maxWaitingBytes) return
    this.#bytes += bytes
    const held = { event, bytes, sinceMs: this.#parts.clock.monotonic() }
    if (line !== undefined) return void line.push(held)
    this.#lines.set(device, [held])
    this.#parts.find(device).then(
      (product) => this.#settle(device, product),
      () => this.#settle(device, undefined),
    )
  }

  /**
   * Drops what has waited too long. What is in hand by now need not wait for what was asked together with it.
   * @returns whether a look-up is slow
   */
  look(nowMs: number): boolean {
    let slow = false
    for (const [device, line] of this.#lines) {
      const known = line.length === 0 ? undefined : this.#parts.known(device)
      if (known !== undefined) this.#found(this.#release(line.splice(0)), known.product)
      const fresh = line.findIndex(({ sinceMs }) => nowMs - sinceMs < patienceMs)
      this.#release(line.splice(0, fresh === -1 ? line.length : fresh))
      slow ||= line.some(({ sinceMs }) => nowMs - sinceMs >= slowMs)
    }
    return slow
  }

  /** What waits is dropped. */
  close(): void {
    this.#state = 'closed'
    this.#lines.clear()
  }

  #settle(device: string, product: string | undefined): void {
    if (this.#state === 'closed') return
    const line = this.#lines.get(device) ?? []
    this.#lines.delete(device)
    try {
      this.#found(this.#release(line), product)
    } catch (cause) {
      this.#parts.fail(cause)
    }
  }

  #found(line: readonly Pick<Held, 'event'>[], product: string | undefined): void {
    if (product === undefined) return
    for (const { event } of line) this.#parts.found(event, product)
  }

  #release(line: readonly Held[]): readonly Held[] {
    for (const { bytes } of line) this.#bytes -= bytes
    return line
  }
}
