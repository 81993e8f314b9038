/** Tokens of the gate's own never go up to the cloud: looked for in whole texts, and in bodies on their way. */

import { Problem } from '../domain/problem.ts'
import { scannerPattern } from '../store/token-format.ts'

/** Also where letters stand right before or behind it. */
const ownToken = new RegExp(scannerPattern.replaceAll(String.raw`\b`, ''))
/** Cheaper to look for than the whole form. */
const prefix = 'fg_'
/** No token is longer. */
const longestToken = 64

/** @throws Problem `invalid_token` where it holds one */
export function refuseOwnToken(text: string): void {
  if (text.includes(prefix) && ownToken.test(text)) throw new Problem('invalid_token')
}

/** The same for `Authorization`, whose words may be base64 (RFC 7617). */
export function refuseOwnTokenIn(authorization: string): void {
  refuseOwnToken(authorization)
  for (const word of authorization.split(/[\s,]+/)) {
    refuseOwnToken(Buffer.from(word, 'base64').toString('latin1'))
  }
}

/** Of an enforced request: what of it would go up. @throws Problem `misplaced_token` where it holds one */
export function refuseMisplaced(text: string): void {
  if (text.includes(prefix) && ownToken.test(text)) throw new Problem('misplaced_token')
}

/** The same of a body. @throws Problem as `refuseMisplaced` */
export function refuseMisplacedIn(body: Buffer): void {
  if (body.includes(prefix)) refuseMisplaced(body.toString('latin1'))
}

/** The same of a body that streams: each piece is looked at before it goes on. */
export function createMisplacedSearch(): (piece: Buffer) => void {
  let before: Buffer = Buffer.alloc(0)
  return (piece) => {
    // A token across two pieces; neither is copied whole.
    if (before.length > 0)
      refuseMisplacedIn(Buffer.concat([before, piece.subarray(0, longestToken)]))
    refuseMisplacedIn(piece)
    before =
      piece.length < longestToken
        ? Buffer.concat([before, piece]).subarray(-longestToken)
        : piece.subarray(-longestToken)
  }
}

export type TokenWatch = {
  /** Takes the next piece, gives what may go on by now: never a token's last byte. @throws Problem `invalid_token` */
  push(piece: Buffer): Buffer
  /** What was kept back. */
  end(): Buffer
}

export function createTokenWatch(): TokenWatch {
  let kept: Buffer = Buffer.alloc(0)
  return {
    push(piece) {
      const whole = kept.length === 0 ? piece : Buffer.concat([kept, piece])
      if (whole.includes(prefix)) refuseOwnToken(whole.toString('latin1'))
      const cut = Math.max(0, whole.length - longestToken)
      kept = whole.subarray(cut)
      return whole.subarray(0, cut)
    },
    end: () => kept,
  }
}
