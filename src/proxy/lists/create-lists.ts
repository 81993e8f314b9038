/** Cuts lists item by item: chooses how a list is served, and says what a failure on the way looks like to the client. */

import type { OutcomeFields } from '../../audit/audit-log.ts'
import type { Catalog, ListAnswer } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { MaybePromise } from '../../lib/maybe-promise.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { Tokens } from '../../store/tokens.ts'
import type { UpstreamCredentials } from '../../upstream/credentials.ts'
import type { Directory } from '../../upstream/directory.ts'
import { UpstreamRefusal, type FleetLists } from '../../upstream/fleet-lists.ts'
import type { Quota } from '../../upstream/quota.ts'
import type { UpstreamPool } from '../../upstream/pool.ts'
import { cutAnswer, unfilterable } from '../cut.ts'
import type { Served } from '../enforce.ts'
import type { AssembledAnswer } from '../exchange.ts'
import { redactWhole } from '../redact.ts'
import { serveAcross } from './across.ts'
import type { Lists } from './lists.ts'
import { createLook } from './look.ts'
import { servePaged } from './paged.ts'
import { createItemResources } from './resources.ts'
import { createTurns } from './turns.ts'
import { serveWhole } from './whole.ts'

export type ListsParts = {
  policy: Pick<PolicyEngine, 'items' | 'hangsOnDevice' | 'userOf' | 'revision'>
  catalog: Pick<Catalog, 'resources' | 'routes'>
  tokens: Pick<Tokens, 'recheck'>
  credentials: UpstreamCredentials
  directory: Directory
  fleetLists: FleetLists
  pool: Pick<UpstreamPool, 'request' | 'assertRoom'>
  quota: Pick<Quota, 'take' | 'refused'>
  clock: Clock
  /** Larger answers are refused, as those of the cloud are. */
  maxAnswerBytes: number
}

/** Of work on one list, before others get their turn: milliseconds. */
const sliceMs = 5

export function createLists(parts: ListsParts): Lists {
  const { policy, tokens } = parts
  const turns = createTurns(parts.clock, sliceMs)
  const resources = createItemResources(parts)
  const look = createLook({ ...parts, resources, turns })
  const tools = { ...parts, turns, resources, look }

  return {
    isCut({ asked, decision }) {
      const { answer } = asked.route
      if (answer.kind !== 'list' || answer.items === undefined) return false
      return answer.items.across !== undefined || decision.obligations.items === 'each'
    },
    async serve(served) {
      const answer = answerOf(served)
      try {
        const assembled = await underPoliciesInForce(() => assembledOf(served, answer))
        // While the cloud took its time, the token may have died.
        await tokens.recheck(served.principal)
        return await served.exchange.send(assembled)
      } catch (error) {
        return failed(served, answer, error)
      }
    },
  }

  function assembledOf(served: Served, answer: ListAnswer): Promise<AssembledAnswer> {
    const { across, paging } = answer.items
    if (across !== undefined) return serveAcross(tools, served, answer, across)
    const place = served.asked.resource
    const looked = { served, answer, place, judge: look.judgeOf(served) }
    if (paging !== undefined) return servePaged(tools, looked, paging)
    return serveWhole(tools, looked)
  }

  /** What was decided under policies that are not in force any more is decided again. */
  async function underPoliciesInForce<T>(assemble: () => Promise<T>): Promise<T> {
    for (;;) {
      const { revision } = policy
      // oxlint-disable-next-line no-await-in-loop -- again only where the policies have changed meanwhile
      const assembled = await assemble()
      if (policy.revision === revision) return assembled
    }
  }
}

function answerOf({ asked }: Served): ListAnswer {
  const { answer } = asked.route
  if (answer.kind === 'list' && answer.items !== undefined) {
    return { ...answer, items: answer.items }
  }
  throw new Problem('internal', { cause: 'this answer has no items' })
}

/** What could not be cut is not shown, whatever the reason (F06). */
function failed(
  { exchange, decision, request }: Served,
  answer: ListAnswer,
  error: unknown,
): MaybePromise<OutcomeFields> {
  if (exchange.gone.aborted) return goneAway
  if (error instanceof Problem) throw error
  if (!(error instanceof UpstreamRefusal)) throw unfilterable('a list was not cut', error)
  const { status, contentType, body, retryAfterS } = error
  const headers = contentType === undefined ? {} : { 'content-type': contentType }
  // An error is cut like any other, and never goes by whole.
  const obligations = { ...decision.obligations, items: 'each' } as const
  const cut = cutAnswer({ status, headers, body }, { answer, obligations })
  return exchange.send({
    status,
    contentType: 'application/json; charset=utf-8',
    body: redactWhole(cut.body, request.credential.reveal()),
    upstream: { status, requestId: undefined },
    ...(retryAfterS !== undefined && { retryAfterS }),
  })
}

const goneAway: OutcomeFields = {
  status: 0,
  upstreamStatus: undefined,
  upstreamRequestId: undefined,
  bytes: 0,
  ended: 'client_gone',
}
