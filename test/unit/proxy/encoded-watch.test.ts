import { randomBytes } from 'node:crypto'
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { createEncodedWatch } from '../../../src/proxy/encoded-watch.ts'
import { mintToken } from '../../../src/store/token-format.ts'

const { token } = mintToken('u', randomBytes)
const almost = token.slice(0, -1)
const padding = (bytes: number) => randomBytes(bytes).toString('hex').slice(0, bytes)

const codings: [string, (body: Buffer) => Buffer][] = [
  ['gzip', gzipSync],
  ['X-GZIP', gzipSync],
  [' deflate ', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
]

/** What went on, and why no more did. */
async function watched(coding: string, pieces: readonly Buffer[]) {
  const watch = createEncodedWatch(coding)
  const passed: Buffer[] = []
  try {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
    for (const piece of pieces) passed.push(await watch.push(piece))
    passed.push(await watch.end())
    return { passed: Buffer.concat(passed), code: undefined }
  } catch (thrown) {
    return { passed: Buffer.concat(passed), code: Problem.from(thrown).code }
  } finally {
    watch.close?.()
  }
}

function cut(body: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size))
  return pieces
}

describe.each(codings)('a body under the coding %s', (coding, encode) => {
  it('with a token of the gate’s own never goes on whole, however it comes in pieces', async () => {
    for (const text of [token, `{"note":"${padding(5_000)}${token}${padding(5_000)}"}`]) {
      const body = encode(Buffer.from(text))
      for (const size of [1, 7, 1000, body.length]) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
        const { passed, code } = await watched(coding, cut(body, size))
        expect(code).toBe('invalid_token')
        expect(passed.length).toBeLessThan(body.length)
      }
    }
  })

  it('without one goes on byte for byte', async () => {
    for (const text of ['', 'a', almost, `${padding(200_000)}${almost}-${padding(100)}`]) {
      const body = encode(Buffer.from(text))
      for (const size of [13, 4096, body.length]) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
        const { passed, code } = await watched(coding, cut(body, size))
        expect([code, passed.equals(body)]).toEqual([undefined, true])
      }
    }
  })

  it('that breaks off, or has more behind its end, goes on; what it holds before is searched', async () => {
    const plain = Buffer.from(padding(5_000))
    const body = encode(plain)
    const broken = [body.subarray(0, -9), Buffer.concat([body, Buffer.from(padding(300))])]
    for (const each of broken) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { passed, code } = await watched(coding, cut(each, 100))
      expect([code, passed.equals(each)]).toEqual([undefined, true])
    }
    // More than a block, which is what some codings give at a time.
    const holding = encode(Buffer.from(`${token}${padding(400_000)}`))
    const cutShort = await watched(coding, cut(holding.subarray(0, -9), 10_000))
    expect(cutShort.code).toBe('invalid_token')
  })

  it('is refused where it is a bomb', async () => {
    const { code } = await watched(coding, cut(encode(Buffer.alloc(70 * 1024 * 1024)), 65_536))
    expect(code).toBe('payload_too_large')
  })
})

describe('a body under a coding that cannot be undone', () => {
  it('goes on as it came, and is searched as it is', async () => {
    for (const coding of ['compress', 'gzip, br', 'gzip', 'br', 'zstd', 'deflate']) {
      const odd = [Buffer.from('no such thing '), Buffer.from(padding(500))]
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const clean = await watched(coding, odd)
      expect([clean.code, clean.passed.equals(Buffer.concat(odd))]).toEqual([undefined, true])
      // oxlint-disable-next-line no-await-in-loop
      const holding = await watched(coding, [...odd, Buffer.from(`"${token}"`), ...odd])
      expect(holding.code).toBe('invalid_token')
    }
  })

  it('that is a second member of gzip is searched as the first', async () => {
    const body = Buffer.concat([gzipSync('first'), gzipSync(`second ${token}`)])
    expect((await watched('gzip', cut(body, 10))).code).toBe('invalid_token')
  })
})
