/** An answer that streams down to the client: without the gate's credential, and no faster than the client reads. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRedactor } from './redact.ts'

/** Whom the answer is of. */
export type PipeOwner = {
  /** Whether it still goes on. */
  isOpen(): boolean
  /** So many more bytes were handed to the client's connection. */
  wrote(bytes: number): void
  failed(error: Error): void
}

export function pipeDown(
  answer: IncomingMessage,
  response: ServerResponse,
  credential: string,
  owner: PipeOwner,
): void {
  const redactor = createRedactor(credential)
  const send = (piece: Buffer) => {
    owner.wrote(piece.length)
    return piece.length === 0 || response.write(piece)
  }
  const cutShort = () => owner.failed(new Error('upstream answer cut short'))
  const resume = () => answer.resume()
  response.on('drain', resume)
  answer.on('data', (chunk: Buffer) => {
    if (owner.isOpen() && !send(redactor.push(chunk))) answer.pause()
  })
  answer.on('end', () => {
    // An answer that broke off ends too; only `complete` tells them apart (F04).
    if (!owner.isOpen()) return
    if (!answer.complete) return cutShort()
    send(redactor.flush())
    response.end()
  })
  answer.on('error', (error) => owner.failed(error))
  answer.on('close', () => {
    response.off('drain', resume)
    if (!answer.complete) cutShort()
  })
}
