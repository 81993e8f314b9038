/** Reads the part headers of a multipart body while it streams past: only declared parts may go on. */

import { Problem } from '../domain/problem.ts'
import type { BodyGuard } from './exchange.ts'
import { malformed, readPartHead, type PartHead } from './part-head.ts'

const maxPartHead = 16 * 1024
/** No product has a longer id. */
const maxProduct = 64

/** Never a part's name, whatever is declared: a token in a body is a second credential. */
const forbiddenName = 'access_token'

/** RFC 2046 §5.1.1, without the space and the characters that only work quoted in every parser alike. */
const boundaryGrammar = /^[A-Za-z0-9'()+_,\-./:=?]{1,70}$/

export type MultipartGuard = {
  /**
   * Call before the piece is sent on. @throws Problem `invalid_body` at the first byte that cannot be right;
   * `forbidden` at a product that is out of reach
   */
  inspect(piece: Buffer): void
  /** @throws Problem `invalid_body` where the body stops before its closing boundary. */
  end(): void
}

type State = 'start' | 'delimiter' | 'head' | 'content' | 'product' | 'epilogue'

/** @throws Problem `invalid_body` where the boundary is missing or odd */
export function createMultipartGuard(
  guard: Extract<BodyGuard, { kind: 'multipart' }>,
): MultipartGuard {
  if (!boundaryGrammar.test(guard.boundary)) throw malformed('the boundary is missing or odd')
  const marker = Buffer.from(`--${guard.boundary}`)
  const fieldsSeen = new Set<string>()
  let state: State = 'start'
  /** Bytes seen and not understood yet; in `content`, the last bytes before what comes. */
  let rest: Buffer = Buffer.alloc(0)

  /** One step on what is in hand. Answers whether anything was understood, so that more may be. */
  function step(): boolean {
    switch (state) {
      case 'start':
        // No preamble: text before the first boundary is where parsers differ.
        if (rest.length < marker.length) return expectBeginning(rest, marker)
        expectBeginning(rest, marker)
        return take(marker.length, 'delimiter')
      case 'delimiter':
        if (rest.length < 2) return false
        if (rest[0] === 0x0d && rest[1] === 0x0a) return take(2, 'head')
        if (rest[0] === 0x2d && rest[1] === 0x2d) return take(2, 'epilogue')
        throw malformed('a boundary goes on')
      case 'head':
        return stepHead()
      case 'content':
        return stepContent()
      case 'product':
        return stepProduct()
      case 'epilogue':
        if (rest.length > 2 || !'\r\n'.startsWith(rest.toString('latin1'))) {
          throw malformed('something follows the closing boundary')
        }
        return false
    }
  }

  function stepHead(): boolean {
    const end = rest.indexOf('\r\n\r\n')
    if (end > maxPartHead || (end === -1 && rest.length > maxPartHead)) {
      throw malformed('a part head is too long')
    }
    if (end === -1) return false
    const part = readPartHead(rest.toString('utf8', 0, end))
    admit(part)
    // The last CRLF stays: an empty part's boundary follows it at once.
    return take(end + 2, guard.products.includes(part.name) ? 'product' : 'content')
  }

  /** Kept until its end: the cloud must have read the whole of what was decided. */
  function stepProduct(): boolean {
    const at = rest.indexOf(marker)
    if (at === -1 && rest.length <= maxProduct + marker.length) return false
    const product = rest.toString('latin1', 2, Math.max(2, at - 2))
    if (at === -1 || guard.isInReach?.(product) !== true) throw new Problem('forbidden')
    return stepContent()
  }

  function stepContent(): boolean {
    const at = rest.indexOf(marker)
    if (at === -1) {
      const keep = marker.length + 1
      if (rest.length > keep) rest = rest.subarray(rest.length - keep)
      return false
    }
    // A marker elsewhere than at a line's start is a part to some parsers only: nobody sends it in good faith.
    if (rest[at - 1] !== 0x0a || rest[at - 2] !== 0x0d) throw malformed('a boundary inside a line')
    return take(at + marker.length, 'delimiter')
  }

  function take(length: number, next: State): true {
    rest = rest.subarray(length)
    state = next
    return true
  }

  function admit({ name, file }: PartHead): void {
    if (name.trim().toLowerCase() === forbiddenName) throw malformed('a token in the body')
    if (file) {
      if (!guard.files.some((declared) => matches(declared, name)))
        throw malformed('undeclared file')
      return
    }
    if (!guard.fields.includes(name) && !guard.products.includes(name))
      throw malformed('undeclared field')
    if (fieldsSeen.has(name)) throw malformed('repeated field')
    fieldsSeen.add(name)
  }

  return {
    inspect(piece) {
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      while (step());
    },
    end() {
      if (state !== 'epilogue' || rest.length === 1) throw malformed('the body is cut short')
    },
  }
}

function expectBeginning(text: Buffer, marker: Buffer): false {
  const size = Math.min(text.length, marker.length)
  if (text.compare(marker, 0, size, 0, size) !== 0) throw malformed('no boundary at the beginning')
  return false
}

function matches(declared: string, name: string): boolean {
  return declared.endsWith('*') ? name.startsWith(declared.slice(0, -1)) : name === declared
}
