/** Whether an open stream may go on: its token, the policies in force, the hour. Asked again and again. */

import type { Clock } from '../../domain/clock.ts'
import type { Decision } from '../../domain/decision.ts'
import { Problem } from '../../domain/problem.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { Tokens } from '../../store/tokens.ts'
import type { Decide } from '../decide.ts'
import type { Served } from '../enforce.ts'
import { askAgain, endedBy } from '../open-token.ts'
import type { Listening } from './listening.ts'

export type RightsParts = {
  tokens: Pick<Tokens, 'recheck'>
  policy: Pick<PolicyEngine, 'revision' | 'items'>
  decide: Decide
  clock: Clock
}

/** An answer that hangs on the hour holds so long. */
const timedMs = 1_000

/** Ends the stream where it may not go on, and judges it anew where something has changed. Never throws. */
export type Recheck = (listening: Listening) => void

export function createRecheck(parts: RightsParts): Recheck {
  const { tokens, policy, decide, clock } = parts

  function recheck(listening: Listening): void {
    const { principal, asked, context } = listening.served
    const nowMs = clock.monotonic()
    askOfToken(listening, nowMs)
    if (!listening.sink.open) return
    const due = listening.judge.timed && nowMs - listening.decidedAtMs >= timedMs
    if (listening.revision === policy.revision && !due) return
    listening.revision = policy.revision
    listening.decidedAtMs = nowMs
    const decision = decide(principal, asked, { ...context, atMs: clock.now() })
    if (!(decision instanceof Promise)) return obey(listening, decision)
    // Until the facts are here, each event is decided under the new policies all the same.
    rejudge(listening)
    decision.then(
      (decided) => endUnlessAllowed(listening, decided),
      (thrown: unknown) => listening.sink.end(endedBy(thrown)),
    )
  }

  /** Never twice at once: while the store is read again, `watch` counts how long that takes. */
  function askOfToken(listening: Listening, nowMs: number): void {
    const { served, sink } = listening
    askAgain(
      listening,
      nowMs,
      () => tokens.recheck(served.principal),
      (thrown) => sink.end(endedBy(thrown)),
    )
  }

  function obey(listening: Listening, decision: Decision): void {
    if (decision.outcome === 'allow') rejudge(listening)
    else endUnlessAllowed(listening, decision)
  }

  function rejudge(listening: Listening): void {
    listening.judgeBy(judgeOf(policy, listening.served, clock.now()))
  }

  return (listening) => {
    try {
      recheck(listening)
    } catch (thrown) {
      listening.sink.end(endedBy(thrown))
    }
  }
}

/** @throws Problem `internal` where a stream is asked for in more than one way */
export function judgeOf(policy: Pick<PolicyEngine, 'items'>, served: Served, atMs: number) {
  const { principal, asked, context } = served
  const [request, another] = asked.requests
  if (request === undefined || another !== undefined) {
    throw new Problem('internal', { cause: 'a stream is one access request' })
  }
  return policy.items(principal, request, { ...context, atMs })
}

function endUnlessAllowed({ sink }: Listening, decision: Decision): void {
  if (decision.outcome === 'deny') sink.end(decision.reason)
}
