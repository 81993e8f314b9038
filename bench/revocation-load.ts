/** The load of the revocation measurement: a steady rate on one replica, and what became of each token there. */

import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { Service } from './processes.ts'

/** A token's life in the measurement; times are those of sending, `performance.now()`. */
export type Life = {
  user: string
  revokedAt: number | undefined
  /** How long revoking took, milliseconds. */
  commitMs: number
  seen: Map<Replica, Seen>
}
export type Seen = {
  lastAllowed: number
  firstRefused: number
  /** When the first refusal was in hand. */
  knownAt: number
  relapses: number
}
export type Replica = {
  service: Service
  kind: 'notified' | 'polled'
  statuses: Map<number, number>
}

export const PRODUCT = '12345'
export const DEVICE = '0123456789abcdef00000000'
export const PATH = `/v1/products/${PRODUCT}/devices/${DEVICE}/temperature`
const MOST_UNDER_WAY = 20

/** Asks a replica at a steady rate with the tokens of the round in turn, until it is over. */
export async function load(
  replica: Replica,
  round: readonly Life[],
  tokens: ReadonlyMap<string, string>,
  perSecond: number,
  over: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const calls = new Set<Promise<void>>()
  const startedAt = performance.now()
  for (let sent = 0; !over.aborted;) {
    const due = ((performance.now() - startedAt) / 1000) * perSecond
    for (; sent < due; sent += 1) {
      const life = round[sent % round.length]
      // A machine that is too slow for this rate is not buried under it; `requests` shows what was sent.
      if (life === undefined || calls.size >= MOST_UNDER_WAY) continue
      const call = once(replica, life, tokens.get(life.user) ?? '', agent)
      calls.add(call)
      void call.finally(() => calls.delete(call))
    }
    await pause(2)
  }
  await Promise.all(calls)
  agent.destroy()
}

async function once(replica: Replica, life: Life, token: string, agent: Agent): Promise<void> {
  const sentAt = performance.now()
  const status = await ask(replica.service.url + PATH, token, agent)
  const seen = life.seen.get(replica)
  replica.statuses.set(status, (replica.statuses.get(status) ?? 0) + 1)
  if (seen === undefined) return
  if (status === 401) {
    seen.firstRefused = Math.min(seen.firstRefused, sentAt)
    seen.knownAt = Math.min(seen.knownAt, performance.now())
  } else if (status === 200) {
    seen.lastAllowed = Math.max(seen.lastAllowed, sentAt)
    if (sentAt > seen.knownAt) seen.relapses += 1
  }
}

function ask(url: string, token: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const call = request(url, { agent, headers: { authorization: `Bearer ${token}` } })
    call.on('response', (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    })
    call.on('error', () => resolve(0)).end()
  })
}
