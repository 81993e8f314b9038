/** The contract of whole lists: everything the cloud lists under one question, in its order, kept for a while. */

import type { Resource } from '../domain/access-request.ts'
import type { ListAnswer } from '../domain/catalog.ts'
import type { QueryEntry } from '../domain/target.ts'
import type { Secret } from '../lib/secret.ts'

/** What a list is of. Equal questions share one view, whoever asks. */
export type ListQuestion = {
  answer: ListAnswer
  /** Path as it is sent upstream, without query. */
  path: string
  /** Filters and sort keys, without paging. */
  query: readonly QueryEntry[]
  /** The place the list is of: for the credential, and to know which writes touch it. */
  place: Resource
  credential: Secret
}

/** One item as the cloud wrote it. */
export type ListItem = {
  /** Canonical id of the resource it is or belongs to; `undefined`: of none. */
  id: string | undefined
  /** JSON text; parsed again when it is shown, so that a kept list costs its bytes and no more. */
  text: string
}

/** A whole list at one moment; never changed, only replaced. */
export type ListView = {
  items: readonly ListItem[]
  /** JSON text of the root of the cloud's first answer, with empty collections where items and sides were. */
  root: string
  /** Per side, the entries by their `key`, as JSON text. */
  sides: readonly ReadonlyMap<string, string>[]
  /** When the first of its answers was asked for: monotonic milliseconds. */
  atMs: number
  /** Pages that were read for it. */
  calls: number
}

export type ViewOptions = {
  user: string
  /** Tightens the configured age. */
  maxAgeMs?: number | undefined
  /** The client went away. The reading goes on if others wait for it. */
  signal?: AbortSignal
  /** `none`: the gate itself needs the list, to know facts; all who do so share it. */
  ration?: 'none'
}

/**
 * @throws Problem `rationed`, `overloaded` (budget or memory spent), `unfilterable_answer` (not the shape the catalog
 * says), `upstream_failed`, `upstream_timeout`, `upstream_refused`; UpstreamRefusal where the cloud answered with an error.
 */
export interface FleetLists extends Disposable {
  view(question: ListQuestion, options: ViewOptions): Promise<ListView>
  /**
   * What the list holds of one resource, asked for by the list's own filter `query`: for one id in a large fleet. The
   * same ages and invalidation as views.
   */
  pick(question: ListQuestion, id: string, query: string, options: ViewOptions): Promise<ListView>
  /** How many items the question's list had when it was last read; `undefined`: never read, or long ago. */
  size(question: ListQuestion): number | undefined
  /** Waits until one more call may be made that is no list's, and takes it. @throws Problem `overloaded` */
  take(user: string): Promise<void>
  /**
   * A write was seen passing on this resource; `path` is the upstream path it went to. `device`: this one may look
   * different now. `place`: every device of the place may. `path`: only what is listed at the path or around it.
   */
  touched(resource: Resource, path: string, reach: 'device' | 'place' | 'path'): void
}

/** The cloud answered a list with an error of its own; it goes to the client, cut like any error. */
export class UpstreamRefusal extends Error {
  override readonly name = 'UpstreamRefusal'
  readonly status: number
  readonly contentType: string | undefined
  readonly body: Buffer
  /** Whole seconds, where the cloud said so. */
  readonly retryAfterS: number | undefined

  constructor(status: number, contentType: string | undefined, body: Buffer, retryAfterS?: number) {
    super(`the cloud answered ${status}`)
    this.status = status
    this.contentType = contentType
    this.body = body
    this.retryAfterS = retryAfterS
  }
}
