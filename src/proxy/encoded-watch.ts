/** A body under a `Content-Encoding`, watched on its way: what it decodes to is searched before its bytes go on. */

import type { Transform } from 'node:stream'
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib'
import { Problem } from '../domain/problem.ts'
import type { BodyWatch } from './body-watch.ts'
import { createTokenWatch } from './own-tokens.ts'

/** What is decoded is searched and let go of; beyond this, and beyond so many times what has come, it is a bomb. */
const decodedBytes = 64 * 1024 * 1024
const ratio = 100

/**
 * Where the bytes are not what the coding says, nobody else can decode them either: they go on, searched as they are.
 * So does a coding that is not known here, and more than one of them.
 */
export function createEncodedWatch(coding: string): BodyWatch {
  const asItIs = createTokenWatch()
  let decoded: Decoded | undefined
  let isFirst = true

  return {
    async push(piece) {
      if (isFirst) {
        const decoder = decoderOf(coding.trim().toLowerCase(), piece)
        decoded = decoder && searching(decoder)
        isFirst = false
      }
      const next = asItIs.push(piece)
      await decoded?.take(piece)
      return next
    },
    async end() {
      await decoded?.end()
      return asItIs.end()
    },
    close: () => decoded?.close(),
  }
}

type Decoded = {
  /** Resolves once all that is known by now was searched. @throws Problem `invalid_token`, `payload_too_large` */
  take(piece: Buffer): Promise<void>
  /** @throws Problem as `take` */
  end(): Promise<void>
  close(): void
}

function searching(decoder: Transform): Decoded {
  const inClear = createTokenWatch()
  const closed = new Promise<void>((resolve) => decoder.on('close', resolve))
  let came = 0
  let size = 0
  let problem: Problem | undefined

  decoder.on('error', () => {})
  decoder.on('data', (piece: Buffer) => {
    size += piece.length
    try {
      if (size > Math.max(decodedBytes, came * ratio)) throw new Problem('payload_too_large')
      inClear.push(piece)
    } catch (thrown) {
      problem ??= Problem.from(thrown)
      decoder.destroy()
    }
  })

  /** A decoder that has failed has closed, and calls nobody back. */
  async function searched(go: (done: () => void) => void): Promise<void> {
    if (!decoder.destroyed) await Promise.race([new Promise<void>(go), closed])
    if (problem !== undefined) throw problem
  }

  return {
    take(piece) {
      came += piece.length
      return searched((done) => decoder.write(piece, () => done()))
    },
    end: () => searched((done) => decoder.on('end', done).end()),
    close: () => void decoder.destroy(),
  }
}

function decoderOf(coding: string, first: Buffer): Transform | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      // Some send it without the wrapper that it ought to have (RFC 9110 §8.4.1.2).
      return ((first[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    default:
      return undefined
  }
}
