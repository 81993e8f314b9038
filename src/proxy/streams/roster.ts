/** Who listens to one stream, in the order they came, those that asked for one device found by it. */

import type { ItemJudge } from '../../policy/policy-engine.ts'
import type { Interest } from './interests.ts'

/**
 * One client under one judge. When its rights change it gets another seat; what was found for this one then counts no
 * more. It may be remembered long after it was given up, so that it then holds nothing.
 */
export type Seat<Client> = {
  /** `undefined`: given up. */
  taken: Taken<Client> | undefined
  readonly order: number
}

export type Taken<Client> = {
  readonly client: Client
  readonly judge: ItemJudge
  readonly interest: Interest
  /** Known of those whose boundary is an organization. */
  readonly organization: string | undefined
  /** Those of equal keys are judged alike. */
  readonly key: string
}

export class Roster<Client> {
  /** Ascending by order; those that asked for one device are apart. */
  readonly #anyDevice: Seat<Client>[] = []
  readonly #byDevice = new Map<string, Seat<Client>[]>()
  #last = 0
  #left = 0

  /** The order of the newest seat. */
  get last(): number {
    return this.#last
  }

  /** How many seats were given up so far. */
  get left(): number {
    return this.#left
  }

  get empty(): boolean {
    return this.#anyDevice.length === 0 && this.#byDevice.size === 0
  }

  take(
    client: Client,
    judge: ItemJudge,
    interest: Interest,
    organization: string | undefined,
  ): Seat<Client> {
    this.#last += 1
    const key = `${judge.key}\n${organization ?? ''}`
    const taken = { client, judge, interest, organization, key }
    const seat: Seat<Client> = { taken, order: this.#last }
    const { device } = interest.wish
    const others = device === undefined ? this.#anyDevice : this.#byDevice.get(device)
    if (others !== undefined) others.push(seat)
    else if (device !== undefined) this.#byDevice.set(device, [seat])
    return seat
  }

  leave(seat: Seat<Client>): void {
    const { taken } = seat
    if (taken === undefined) return
    seat.taken = undefined
    this.#left += 1
    const { device } = taken.interest.wish
    if (device === undefined) return remove(this.#anyDevice, seat)
    const others = this.#byDevice.get(device) ?? []
    remove(others, seat)
    if (others.length === 0) this.#byDevice.delete(device)
  }

  /** Seats taken after this order that may have asked for events of the device, or of none. */
  since(order: number, device: string | undefined): Seat<Client>[] {
    if (device === undefined) return tail(this.#anyDevice, order)
    const found = tail(this.#anyDevice, order)
    const named = this.#byDevice.get(device)
    return named === undefined ? found : [...found, ...tail(named, order)]
  }
}

function tail<T extends { order: number }>(seats: readonly T[], order: number): T[] {
  let from = seats.length
  while (from > 0 && (seats[from - 1]?.order ?? 0) > order) from -= 1
  return seats.slice(from)
}

/** Sorted by order, so it is found in a few steps. */
function remove<T extends { order: number }>(seats: T[], seat: T): void {
  let low = 0
  let high = seats.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((seats[middle]?.order ?? 0) < seat.order) low = middle + 1
    else high = middle
  }
  if (seats[low] === seat) seats.splice(low, 1)
}
