/** The client's body on its way up: watched piece by piece, and read no faster than the cloud takes it. */

import type { IncomingMessage } from 'node:http'
import { Problem } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import { createBodyWatch, createInOrder, type BodyWatch, type InOrder } from './body-watch.ts'
import { offBrokenBody, onBrokenBody } from './broken-body.ts'
import type { BodyGuard } from './exchange.ts'

/** What the body is told to. */
export type BodyOwner = {
  /** Takes a piece, `null` is the end. False: no more for now. */
  push(piece: Buffer | null): boolean
  /** A piece has come. */
  moved(): void
  /** It is not what it may be, or broke the protocol. */
  failed(problem: Problem): void
  /** The client went away before its end. */
  gone(): void
}

export class BodyUp {
  readonly #incoming: IncomingMessage
  readonly #owner: BodyOwner
  readonly #watch: BodyWatch
  readonly #inOrder: InOrder
  #state: 'open' | 'closed' = 'open'

  constructor(incoming: IncomingMessage, guard: BodyGuard, owner: BodyOwner) {
    this.#incoming = incoming
    this.#owner = owner
    this.#watch = createBodyWatch(guard)
    this.#inOrder = createInOrder((thrown) => owner.failed(Problem.from(thrown)))
  }

  begin(): void {
    const incoming = this.#incoming
    onBrokenBody(incoming, this.#broken)
    incoming.on('error', this.#gone)
    incoming.on('end', this.#ended)
    incoming.on('data', this.#piece)
    incoming.pause()
  }

  pull(): void {
    if (this.#state === 'open') this.#incoming.resume()
  }

  close(): void {
    this.#state = 'closed'
    this.#watch.close?.()
    const incoming = this.#incoming
    incoming.off('data', this.#piece).off('end', this.#ended).off('error', this.#gone)
    offBrokenBody(incoming, this.#broken)
    // A late reset of the client's side must find a listener.
    incoming.on('error', () => {})
  }

  readonly #piece = (piece: Buffer): void => {
    this.#owner.moved()
    this.#watched(
      () => this.#watch.push(piece),
      (next) => next.length === 0 || this.#owner.push(next),
    )
  }

  readonly #ended = (): void => {
    this.#watched(
      () => this.#watch.end(),
      (rest) => {
        if (rest.length > 0) this.#owner.push(rest)
        this.#owner.push(null)
        return true
      },
    )
  }

  /** While a look is waited for nothing more is read. `go` says whether upstream takes more. */
  #watched(look: () => MaybePromise<Buffer>, go: (next: Buffer) => boolean): void {
    const looked = this.#inOrder(look, (next) => {
      if (this.#state === 'closed') return
      if (go(next)) this.#incoming.resume()
      else this.#incoming.pause()
    })
    if (looked === 'waiting') this.#incoming.pause()
  }

  readonly #broken = (problem: Problem): void => this.#owner.failed(problem)

  readonly #gone = (): void => this.#owner.gone()
}
