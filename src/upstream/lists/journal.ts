/** The writes seen passing, in order: what was read before one of them is checked against it when it is used. */

import type { Resource } from '../../domain/access-request.ts'
import type { ListQuestion } from '../fleet-lists.ts'

export type Reach = 'device' | 'place' | 'path'
export type Write = { resource: Resource; path: string; reach: Reach }

export type Journal = {
  note(write: Write): void
  /** The position after the last write. */
  readonly end: number
  /** Calls for each write from a position on; `false`: these are not remembered any more. */
  since(position: number, each: (write: Write, position: number) => void): boolean
}

/** What is known of a list's soundness, up to a position of the journal. */
export type Standing = {
  readonly question: ListQuestion
  position: number
  /** Devices that may look different now, with the position of the last write on each. */
  readonly dirty: Map<string, number>
  /** `void`: any of it may. */
  state: 'sound' | 'void'
}

export function createJournal(maxWrites: number): Journal {
  let writes: Write[] = []
  let first = 0
  return {
    note(write) {
      writes.push(write)
      if (writes.length <= maxWrites) return
      const forgotten = writes.length >> 1
      writes = writes.slice(forgotten)
      first += forgotten
    },
    get end() {
      return first + writes.length
    },
    since(position, each) {
      if (position < first) return false
      for (let at = position; at < first + writes.length; at++) {
        const write = writes[at - first]
        if (write !== undefined) each(write, at)
      }
      return true
    },
  }
}

/** Nothing that is read from now on can be from before a write already noted. */
export function standingFor(question: ListQuestion, journal: Journal): Standing {
  return { question, position: journal.end, dirty: new Map(), state: 'sound' }
}

export function catchUp(standing: Standing, journal: Journal): void {
  if (standing.state === 'void' || standing.position === journal.end) return
  const remembered = journal.since(standing.position, (write, position) => {
    if (!touches(standing.question, write)) return
    const { device } = write.resource
    if (write.reach === 'device' && device !== undefined) standing.dirty.set(device, position)
    else standing.state = 'void'
  })
  if (!remembered) standing.state = 'void'
  standing.position = journal.end
}

/** What is not known to lie elsewhere is touched. */
export function touches({ path, place }: ListQuestion, { resource, path: to, reach }: Write) {
  switch (reach) {
    case 'path':
      return path === to || path.startsWith(`${to}/`) || to.startsWith(`${path}/`)
    case 'place':
      return mayShare(place, resource)
    case 'device':
      return mayShare(place, resource) && alike(place.device, resource.device)
  }
}

function mayShare(place: Resource, resource: Resource): boolean {
  const inOne = place.product !== undefined && place.product === resource.product
  if (inOne) return true
  // A device without a product is in none: lists of a product do not have it.
  if (resource.type === 'device' && resource.product === undefined) return !place.product
  return alike(place.product, resource.product) && alike(place.organization, resource.organization)
}

function alike(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other
}
