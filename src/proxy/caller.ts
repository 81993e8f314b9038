/** From the token to who calls: an API user, or somebody who is observed. */

import type { Observed } from '../audit/audit-log.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem, type ProblemCode } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Tokens } from '../store/tokens.ts'
import type { Credential } from './credentials.ts'

/** Who is observed is served whatever would be decided. */
export type Caller = { kind: 'enforced'; principal: Principal } | Observee | Stranger

export type Observee = {
  kind: 'observed'
  principal: Principal
  observed: Observed
  /** What is wrong about the token's place. */
  flaw: Problem | undefined
}

/** Has no token, or one that the gate does not know; only where everybody is observed. */
export type Stranger = {
  kind: 'stranger'
  observed: Observed
  /** Why it would be refused. */
  refusal: ProblemCode
}

/** Until when somebody is observed, at this moment; undefined: not, or no longer. */
export type ObservedUntil = (principal: Principal | undefined, atMs: number) => number | undefined

/** @param everybodyUntilMs as configured; undefined: only API users that say so themselves */
export function createObservedUntil(
  policy: Pick<PolicyEngine, 'userOf'>,
  everybodyUntilMs: number | undefined,
): ObservedUntil {
  return (principal, atMs) => {
    const own = principal === undefined ? undefined : policy.userOf(principal)?.observeUntilMs
    const untilMs = Math.max(everybodyUntilMs ?? 0, own ?? 0)
    return atMs < untilMs ? untilMs : undefined
  }
}

export type IdentifyParts = {
  tokens: Pick<Tokens, 'authenticate'>
  observedUntil: ObservedUntil
  /** 16 hex digits that tell tokens apart and nothing about them. */
  fingerprint: (token: string) => string
}

/** @throws Problem as `Tokens.authenticate`, and the credential's own flaw */
export type Identify = (credential: Credential, atMs: number) => MaybePromise<Caller>

export function createIdentify({ tokens, observedUntil, fingerprint }: IdentifyParts): Identify {
  function known(principal: Principal, { flaw }: Credential, atMs: number): Caller {
    const untilMs = observedUntil(principal, atMs)
    if (untilMs !== undefined) return { kind: 'observed', principal, observed: { untilMs }, flaw }
    if (flaw !== undefined) throw flaw
    return { kind: 'enforced', principal }
  }

  /** Suspended, expired and the gate's own tokens are known, and dead. */
  function unknown(thrown: unknown, { token, flaw }: Credential, atMs: number): Stranger {
    const problem = Problem.from(thrown)
    const untilMs = observedUntil(undefined, atMs)
    const isKnown = problem.code !== 'invalid_token' && problem.code !== 'missing_token'
    const isOurs = token !== undefined && /^fg_/i.test(token)
    if (untilMs === undefined || isKnown || isOurs) throw flaw ?? thrown
    const print = token === undefined ? {} : { fingerprint: fingerprint(token) }
    return {
      kind: 'stranger',
      observed: { untilMs, ...print },
      refusal: flaw?.code ?? problem.code,
    }
  }

  return (credential, atMs) => {
    let found: MaybePromise<Principal>
    try {
      found = tokens.authenticate(credential.token)
    } catch (thrown) {
      return unknown(thrown, credential, atMs)
    }
    if (!(found instanceof Promise)) return known(found, credential, atMs)
    return found.then(
      (principal) => known(principal, credential, atMs),
      (thrown: unknown) => unknown(thrown, credential, atMs),
    )
  }
}

/** When the token ends, where that is soon enough to be spoken of. */
export function endsSoon(
  { expiresAtMs }: Principal,
  atMs: number,
  warnBeforeMs: number,
): number | undefined {
  return expiresAtMs !== undefined && expiresAtMs - atMs <= warnBeforeMs ? expiresAtMs : undefined
}
