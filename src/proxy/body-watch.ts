/** A body that streams, as it is watched on its way: piece by piece, the last ones kept back until they are known to be good. */

import type { BodyGuard } from './exchange.ts'
import { createMultipartGuard } from './multipart-guard.ts'
import { createTokenWatch } from './own-tokens.ts'

export type BodyWatch = {
  /** Takes the next piece, gives what may go on by now. @throws Problem that the body ends with */
  push(piece: Buffer): Buffer
  /** What was kept back. @throws Problem as `push` */
  end(): Buffer
}

const nothing = Buffer.alloc(0)

export function createBodyWatch(guard: BodyGuard): BodyWatch {
  switch (guard.kind) {
    case 'multipart':
      return watchMultipart(guard)
    case 'own_tokens':
      return createTokenWatch()
    case 'none':
      return { push: (piece) => piece, end: () => nothing }
  }
}

/** The last piece waits for the verdict on what follows, so that upstream never has a whole bad body. */
function watchMultipart(spec: Extract<BodyGuard, { kind: 'multipart' }>): BodyWatch {
  const guard = createMultipartGuard(spec)
  let held: Buffer = nothing
  return {
    push(piece) {
      guard.inspect(piece)
      const next = held
      held = piece
      return next
    },
    end() {
      guard.end()
      return held
    },
  }
}
