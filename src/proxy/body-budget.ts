/** How much the bodies of callers may hold together whom nobody knows yet: a bound for each address, and one for all of them. */

import { Problem } from '../domain/problem.ts'
import { addressBlock } from '../lib/address-block.ts'

export type BodyBudget = {
  /** For one body, from its first byte until it is disposed of. */
  hold(address: string): BodyHold
}

export type BodyHold = Disposable & {
  /** One more piece of it. @throws Problem `rationed` where its address holds too much, `overloaded` where all together do */
  take(bytes: number): void
}

export type BodyBudgetOptions = {
  /** Of one address; of IPv6 one /64. */
  perAddress: number
  inAll: number
  /** When to come again: who does not send on has lost its room by then. */
  retryAfterS: number
}

/** What a piece costs beside its bytes: who sends one by one must not hold more than is counted. */
const pieceBytes = 256

export function createBodyBudget({
  perAddress,
  inAll,
  retryAfterS,
}: BodyBudgetOptions): BodyBudget {
  /** Never more entries than bodies. */
  const byBlock = new Map<string, number>()
  let all = 0

  function count(block: string, bytes: number): void {
    all += bytes
    const ofBlock = (byBlock.get(block) ?? 0) + bytes
    if (ofBlock === 0) byBlock.delete(block)
    else byBlock.set(block, ofBlock)
  }

  return {
    hold(address) {
      const block = addressBlock(address)
      let mine = 0
      return {
        take(bytes) {
          const more = bytes + pieceBytes
          if ((byBlock.get(block) ?? 0) + more > perAddress) {
            const says = 'Too much is being sent from here without a known token; try again later.'
            throw new Problem('rationed', { says, retryAfterS })
          }
          if (all + more > inAll) throw new Problem('overloaded', { retryAfterS })
          count(block, more)
          mine += more
        },
        [Symbol.dispose]() {
          if (mine > 0) count(block, -mine)
          mine = 0
        },
      }
    },
  }
}
