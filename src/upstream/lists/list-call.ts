/** One page asked of the cloud: within the budget, and once more where that may help. */

import { Problem } from '../../domain/problem.ts'
import type { ListQuestion } from '../fleet-lists.ts'
import type { OwnSend } from '../own-calls.ts'
import type { UpstreamAnswer, UpstreamRequest } from '../upstream.ts'
import type { CallBudget, CallWanted } from './call-budget.ts'
import { targetOf } from './question.ts'
import { pause, type After } from './timer.ts'

export type AskPage = (
  question: ListQuestion,
  page: number,
  call: CallWanted,
) => Promise<UpstreamAnswer>

/** A list of a thousand pages must not fall with one of its calls. The first page fails at once. */
const waitsMs = [500, 2000] as const
const passingCodes: readonly string[] = ['upstream_failed', 'upstream_timeout', 'overloaded']

export function createAskPage(parts: { send: OwnSend; budget: CallBudget; after: After }): AskPage {
  const { send, budget, after } = parts
  return async (question, page, call) => {
    const request: UpstreamRequest = {
      method: 'GET',
      target: targetOf(question, page),
      headers: { accept: 'application/json' },
      body: undefined,
      credential: question.credential,
    }
    for (const waitMs of page === 1 ? [] : waitsMs) {
      // oxlint-disable-next-line no-await-in-loop -- one try after the other
      const answer = await tryOnce(request, call)
      if (answer !== 'again') return answer
      // oxlint-disable-next-line no-await-in-loop -- likewise
      await pause(after, waitMs, call.signal)
    }
    return once(request, call)
  }

  async function once(request: UpstreamRequest, call: CallWanted): Promise<UpstreamAnswer> {
    await budget.take(call)
    // Whoever waits by now, and not who began it, is it made for.
    return send(request, call.claim().users, call.signal)
  }

  async function tryOnce(
    request: UpstreamRequest,
    call: CallWanted,
  ): Promise<UpstreamAnswer | 'again'> {
    try {
      const answer = await once(request, call)
      const passing = answer.status === 408 || answer.status === 429 || answer.status >= 500
      return passing ? 'again' : answer
    } catch (error) {
      if (error instanceof Problem && passingCodes.includes(error.code)) return 'again'
      throw error
    }
  }
}
