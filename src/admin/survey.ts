/** What must not go unseen among many API users: tokens that end soon, and who is observed; looked for once in a while. */

import type { Clock } from '../domain/clock.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import { usersMentioning } from '../store/mentioning.ts'
import type { Store } from '../store/store.ts'
import type { Tokens } from '../store/tokens.ts'
import type { InTurn } from './looks.ts'
import { endsSoon } from '../store/expiry.ts'

export type Ending = { user: string; tokenId: string; endsAtMs: number }
export type Observed = { user: string; untilMs: number }
/** The first of each, and how many there are. */
export type Found<T> = { first: readonly T[]; total: number }
export type Survey = { ending: Found<Ending>; observed: Found<Observed> }

export type SurveyParts = {
  store: { users: Pick<Store['users'], 'names' | 'get'>; changes: Pick<Store['changes'], 'state'> }
  tokens: Pick<Tokens, 'list'>
  policy: Pick<PolicyEngine, 'user' | 'set'>
  clock: Clock
  warnBeforeMs: number
  inTurn: InTurn
}

const maxFirst = 100
/** Ends come nearer also where nothing changes. */
const maxAgeMs = 600_000
/** It reads everything that is kept: so many times as long as that took it rests. */
const rest = 20

/** @returns what was found since the last change, or a little before @throws whatever the store throws */
export function createSurvey(parts: SurveyParts): () => Promise<Survey> {
  const { store, tokens, policy, clock, warnBeforeMs, inTurn } = parts
  let last: Last | undefined

  async function look(): Promise<Survey> {
    const nowMs = clock.now()
    const ending = (await tokens.list({ live: true }))
      .filter((token) => endsSoon(token, { nowMs, warnBeforeMs }))
      .map(({ user, tokenId, endsAtMs = 0 }) => ({ user, tokenId, endsAtMs }))
      .toSorted((a, b) => a.endsAtMs - b.endsAtMs)
    const stored = await usersMentioning(store.users, '"observe"', policy.user)
    const observed = [...policy.set.users.values(), ...stored]
      .map(({ name, observeUntilMs = 0 }) => ({ user: name, untilMs: observeUntilMs }))
      .filter(({ untilMs }) => untilMs > nowMs)
    return { ending: cut(ending), observed: cut(observed) }
  }

  function isFit({ atMs, tookMs, of }: Last): boolean {
    const ageMs = clock.monotonic() - atMs
    return ageMs < maxAgeMs && (of === standing() || ageMs < tookMs * rest)
  }

  /** Other than it was, once anything has changed. */
  function standing(): string {
    return `${store.changes.state().seq} ${policy.set.revision}`
  }

  return () => {
    if (last !== undefined && isFit(last)) return last.found
    const atMs = clock.monotonic()
    const fresh: Last = {
      atMs,
      tookMs: Number.POSITIVE_INFINITY,
      of: standing(),
      found: inTurn(look),
    }
    last = fresh
    fresh.found.then(
      () => (fresh.tookMs = clock.monotonic() - atMs),
      // What failed is not kept.
      () => (last = undefined),
    )
    return fresh.found
  }
}

type Last = { atMs: number; tookMs: number; of: string; found: Promise<Survey> }

function cut<T>(all: readonly T[]): Found<T> {
  return { first: all.slice(0, maxFirst), total: all.length }
}
