/** A whole answer on its way to the client: in pieces, so that it shows whether the client takes any of it. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import { breakConnection } from './break-connection.ts'
import type { BreakOff } from './exchange.ts'
import type { Unread, UnreadAnswers } from './unread.ts'

/** Body bytes that the client was given, and why it ended. */
export type Delivered = { bytes: number; ended: string }

export type Client = {
  /** Whose answer it is. */
  user: string
  request: IncomingMessage
  response: ServerResponse
  /** Instead of breaking the connection. */
  breakOff?: BreakOff
}

/** What goes out at once; the least that a client must take of a larger answer to keep it. */
export const pieceBytes = 64 * 1024

/** Sends the body after its head. There at once where the client's connection takes all of it. */
export function deliver(
  unread: Pick<UnreadAnswers, 'watch'>,
  client: Client,
  body: Buffer,
): MaybePromise<Delivered> {
  const { response } = client
  if (response.destroyed) return { bytes: 0, ended: 'client_gone' }
  if (body.length <= pieceBytes) {
    response.end(body)
    return waits(response) ? new Delivery(unread, client, body, body.length).delivered : whole(body)
  }
  return new Delivery(unread, client, body, 0).delivered
}

/** The same for what was sent already, and nobody waits for: it holds the connection as long as nobody reads it. */
export function tendUnread(unread: Pick<UnreadAnswers, 'watch'>, client: Client): void {
  if (waits(client.response))
    void new Delivery(unread, client, Buffer.alloc(0), 0, 'sent').delivered
}

function waits(response: ServerResponse): boolean {
  return response.writableLength > 0 && !response.writableFinished && !response.destroyed
}

function whole(body: Buffer): Delivered {
  return { bytes: body.length, ended: 'answered' }
}

class Delivery implements Unread {
  readonly user: string
  readonly delivered: Promise<Delivered>
  readonly #client: Client
  readonly #body: Buffer
  readonly #settle: PromiseWithResolvers<Delivered>
  readonly #watching: Disposable
  #sent: number

  /** @param sent how much of the body has been written already: none of it, or all */
  constructor(
    unread: Pick<UnreadAnswers, 'watch'>,
    client: Client,
    body: Buffer,
    sent: number,
    state: 'open' | 'sent' = 'open',
  ) {
    this.user = client.user
    this.#client = client
    this.#body = body
    this.#sent = sent
    this.#settle = Promise.withResolvers()
    this.delivered = this.#settle.promise
    this.#watching = unread.watch(this)
    const { response } = client
    response.on('close', this.#closed).on('finish', this.#finished)
    if (state === 'open' && sent < body.length) {
      response.on('drain', this.#more)
      this.#more()
    }
  }

  left(): number {
    const { writableLength } = this.#client.response
    // All of it stays in memory until the last piece of it is taken.
    const isTaken = this.#sent === this.#body.length && writableLength === 0
    return isTaken ? 0 : Math.max(this.#body.length, writableLength)
  }

  taken(): number {
    return this.#sent - this.#client.response.writableLength
  }

  waitsItsTurn(): boolean {
    return this.#client.response.socket === null
  }

  readonly breakOff = (ended: string): void => {
    const bytes = Math.max(0, this.taken())
    this.#end({ bytes, ended })
    const { request, response, breakOff } = this.#client
    if (breakOff === undefined) breakConnection({ incoming: request, response })
    else breakOff(ended)
  }

  readonly #more = (): void => {
    const { response } = this.#client
    while (this.#sent < this.#body.length) {
      const piece = this.#body.subarray(this.#sent, this.#sent + pieceBytes)
      this.#sent += piece.length
      if (!response.write(piece)) return
    }
    response.off('drain', this.#more)
    response.end()
  }

  readonly #finished = (): void => this.#end(whole(this.#body))

  readonly #closed = (): void => {
    this.#end({ bytes: Math.max(0, this.taken()), ended: 'client_gone' })
  }

  #end(delivered: Delivered): void {
    this.#watching[Symbol.dispose]()
    const { response } = this.#client
    response.off('close', this.#closed).off('finish', this.#finished).off('drain', this.#more)
    this.#settle.resolve(delivered)
  }
}
