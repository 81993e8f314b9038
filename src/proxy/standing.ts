/** Whether a call that was allowed may still go up: asked when it leaves a queue, and again and again while its body is on its way. */

import type { Clock } from '../domain/clock.ts'
import type { RequestContext } from '../domain/access-request.ts'
import type { Decision } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import { sameObligations } from '../policy/obligations.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Tokens } from '../store/tokens.ts'
import type { Decide } from './decide.ts'
import type { Asked } from './describe.ts'
import { refusalOf } from './enforce.ts'
import type { Standing } from './exchange.ts'
import { askAgain, isAskedTooLong, tickMs, type OpenToken } from './open-token.ts'

export type StandingParts = {
  tokens: Pick<Tokens, 'confirm' | 'recheck'>
  policy: Pick<PolicyEngine, 'revision'>
  /** Takes no place in any limit. */
  decide: Decide
  clock: Clock
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
  recheckMs: number
}

type Allowed = Extract<Decision, { outcome: 'allow' }>

export type StandingOf = (
  principal: Principal,
  asked: Asked,
  decision: Allowed,
  context: RequestContext,
  /** Under which it was decided. */
  revision: string,
) => Standing

export type Standings = Disposable & { of: StandingOf }

export function createStandings(parts: StandingParts): Standings {
  const open = new Set<AllowedCall>()
  const { every, clock, recheckMs } = parts
  const watch = every(Math.min(tickMs, recheckMs), () => {
    const nowMs = clock.monotonic()
    for (const call of open) call.look(nowMs)
  })
  return {
    of: (...allowed) => new AllowedCall(parts, open, ...allowed),
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  }
}

/** A class, so that a request costs one object and no closures. */
class AllowedCall implements Standing, OpenToken {
  askingSinceMs: number | undefined
  readonly #parts: StandingParts
  readonly #open: Set<AllowedCall>
  readonly #principal: Principal
  readonly #asked: Asked
  readonly #decision: Allowed
  readonly #context: RequestContext
  #revision: string
  #isDeciding = false
  #refuse: ((problem: Problem) => void) | undefined

  constructor(
    parts: StandingParts,
    open: Set<AllowedCall>,
    principal: Principal,
    asked: Asked,
    decision: Allowed,
    context: RequestContext,
    revision: string,
  ) {
    this.#parts = parts
    this.#open = open
    this.#principal = principal
    this.#asked = asked
    this.#decision = decision
    this.#context = context
    this.#revision = revision
  }

  get user(): string {
    return this.#principal.user
  }

  confirm(): MaybePromise<void> {
    const confirmed = this.#parts.tokens.confirm(this.#principal)
    return confirmed instanceof Promise
      ? confirmed.then(() => this.#decideAnew())
      : this.#decideAnew()
  }

  watch(refuse: (problem: Problem) => void): Disposable {
    this.#refuse = refuse
    this.#open.add(this)
    return { [Symbol.dispose]: () => void this.#open.delete(this) }
  }

  look(nowMs: number): void {
    if (isAskedTooLong(this, nowMs)) return this.#end(new Problem('store_unavailable'))
    askAgain(this, nowMs, () => this.#parts.tokens.recheck(this.#principal), this.#end)
    if (this.#isDeciding) return
    try {
      const decided = this.#decideAnew()
      if (!(decided instanceof Promise)) return
      this.#isDeciding = true
      decided.then(() => {
        this.#isDeciding = false
      }, this.#end)
    } catch (thrown) {
      this.#end(thrown)
    }
  }

  readonly #end = (thrown: unknown): void => this.#refuse?.(Problem.from(thrown))

  /** Only where other policies are in force than those it was decided under. */
  #decideAnew(): MaybePromise<void> {
    const { policy, decide, clock } = this.#parts
    const { revision } = policy
    if (revision === this.#revision) return
    const context = { ...this.#context, atMs: clock.now() }
    const decision = decide(this.#principal, this.#asked, context)
    if (decision instanceof Promise) return decision.then((found) => this.#obey(found, revision))
    this.#obey(decision, revision)
  }

  #obey(decision: Decision, revision: string): void {
    if (decision.outcome === 'deny') throw refusalOf(decision)
    const [before, after] = [this.#decision.obligations, decision.obligations]
    // Its answer would be cut as it was right before: nothing has gone up whole, and it may be asked for again.
    if (before.items !== after.items || !sameObligations(before, after)) {
      throw new Problem('overloaded', { cause: 'decided otherwise by now', retryAfterS: 1 })
    }
    this.#revision = revision
  }
}
