/** A body that streams, as it is watched on its way: piece by piece, the last ones kept back until they are known to be good. */

import type { MaybePromise } from '../lib/maybe-promise.ts'
import { createEncodedWatch } from './encoded-watch.ts'
import type { BodyGuard } from './exchange.ts'
import { createMultipartGuard } from './multipart-guard.ts'
import { createMisplacedSearch, createTokenWatch } from './own-tokens.ts'

export type BodyWatch = {
  /** Takes the next piece, gives what may go on by now. One at a time. @throws Problem that the body ends with */
  push(piece: Buffer): MaybePromise<Buffer>
  /** What was kept back. @throws Problem as `push` */
  end(): MaybePromise<Buffer>
  /** Nothing more is pushed, whether it has ended or not. */
  close?(): void
}

const nothing = Buffer.alloc(0)

export function createBodyWatch(guard: BodyGuard): BodyWatch {
  switch (guard.kind) {
    case 'multipart':
      return watchMultipart(guard)
    case 'own_tokens':
      return guard.coding === undefined ? createTokenWatch() : createEncodedWatch(guard.coding)
    case 'none':
      return watchPlain()
  }
}

function watchPlain(): BodyWatch {
  const search = createMisplacedSearch()
  return {
    push(piece) {
      search(piece)
      return piece
    },
    end: () => nothing,
  }
}

export type InOrder = (
  look: () => MaybePromise<Buffer>,
  go: (next: Buffer) => void,
) => 'done' | 'waiting'

/** One look after the other, and in the same turn where none has to be waited for. */
export function createInOrder(failed: (thrown: unknown) => void): InOrder {
  let before: Promise<void> | undefined
  return (look, go) => {
    try {
      const next = before === undefined ? look() : before.then(look)
      if (next instanceof Promise) {
        before = next.then(go).catch(failed)
        return 'waiting'
      }
      go(next)
    } catch (thrown) {
      failed(thrown)
    }
    return 'done'
  }
}

/** The last piece waits for the verdict on what follows, so that upstream never has a whole bad body. */
function watchMultipart(spec: Extract<BodyGuard, { kind: 'multipart' }>): BodyWatch {
  const guard = createMultipartGuard(spec)
  const search = createMisplacedSearch()
  let held: Buffer = nothing
  return {
    push(piece) {
      search(piece)
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
