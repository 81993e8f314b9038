/** Those who get one event, put together by how it is cut for them. */

import type { Obligations } from '../../domain/decision.ts'
import { cutFrameOf, cutKeyOf, frameOf, type CloudEvent } from './cloud-event.ts'
import type { Seat } from './roster.ts'

/** `whole`: the event as it came. Equal `key`s are cut alike. */
export type EventCut = 'whole' | { key: string; obligations: Obligations }

export type Group<Client> = { cut: EventCut; seats: readonly Seat<Client>[] }

export class Groups<Client> {
  readonly #byKey = new Map<string, { cut: EventCut; seats: Seat<Client>[] }>()

  constructor(begun: readonly Group<Client>[] = []) {
    for (const { cut, seats } of begun) this.#byKey.set(keyOf(cut), { cut, seats: [...seats] })
  }

  get all(): Group<Client>[] {
    return [...this.#byKey.values()]
  }

  add(seat: Seat<Client>, cut: EventCut): void {
    const key = keyOf(cut)
    const group = this.#byKey.get(key)
    if (group === undefined) this.#byKey.set(key, { cut, seats: [seat] })
    else group.seats.push(seat)
  }
}

export function eventCutOf(obligations: Obligations): EventCut {
  const key = cutKeyOf(obligations)
  return key === undefined ? 'whole' : { key, obligations }
}

/** `undefined`: it could not be cut, so whoever may not see all of it sees nothing. */
export function pieceOf(event: CloudEvent, cut: EventCut, credential: string): Buffer | undefined {
  if (cut === 'whole') return frameOf(event, credential)
  try {
    return cutFrameOf(event, cut.obligations, credential)
  } catch {
    return undefined
  }
}

/** Without those whom it does not hold for, and without groups of nobody. */
export function groupsWhere<Client>(
  groups: readonly Group<Client>[],
  holds: (seat: Seat<Client>) => boolean,
): Group<Client>[] {
  return groups
    .map(({ cut, seats }) => ({ cut, seats: seats.filter((seat) => holds(seat)) }))
    .filter(({ seats }) => seats.length > 0)
}

function keyOf(cut: EventCut): string {
  return cut === 'whole' ? '' : cut.key
}
