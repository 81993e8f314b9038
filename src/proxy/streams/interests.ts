/** What clients of one stream asked for, counted once for all who asked for the same. */

import type { CloudEvent } from './cloud-event.ts'

/** `names`: exact, or the beginning of a name. Absent: any. */
export type Wish = { names: NameWish | undefined; device: string | undefined }
export type NameWish = { text: string; rest: 'none' | 'any' }

export class Interest {
  readonly wish: Wish
  /** Events that were asked for, whether anybody got them or not. */
  seen = 0
  /** Clients that asked for it. */
  users = 0

  constructor(wish: Wish) {
    this.wish = wish
  }

  wants({ name, device }: Pick<CloudEvent, 'name' | 'device'>): boolean {
    const { wish } = this
    return (wish.device === undefined || wish.device === device) && wantsName(wish.names, name)
  }
}

/** An event is compared with the few that could want it: those of its device, and those of no device. */
export class Interests {
  readonly #byDevice = new Map<string, Map<string, Interest>>()

  take(wish: Wish): Interest {
    const device = wish.device ?? ''
    const key = wish.names === undefined ? '' : `${wish.names.rest} ${wish.names.text}`
    const ofDevice = this.#byDevice.get(device) ?? new Map<string, Interest>()
    this.#byDevice.set(device, ofDevice)
    const interest = ofDevice.get(key) ?? new Interest(wish)
    ofDevice.set(key, interest)
    interest.users += 1
    return interest
  }

  leave(interest: Interest): void {
    interest.users -= 1
    if (interest.users > 0) return
    const device = interest.wish.device ?? ''
    const ofDevice = this.#byDevice.get(device)
    for (const [key, known] of ofDevice ?? []) if (known === interest) ofDevice?.delete(key)
    if (ofDevice?.size === 0) this.#byDevice.delete(device)
  }

  /** `device` undefined: of none, or of nobody knows whom. */
  count(name: string, device: string | undefined): void {
    this.#count('', name)
    if (device !== undefined) this.#count(device, name)
  }

  #count(device: string, name: string): void {
    const found = this.#byDevice.get(device)
    if (found === undefined) return
    for (const interest of found.values()) {
      if (wantsName(interest.wish.names, name)) interest.seen += 1
    }
  }
}

function wantsName(names: NameWish | undefined, name: string): boolean {
  if (names === undefined) return true
  return names.rest === 'any' ? name.startsWith(names.text) : name === names.text
}
