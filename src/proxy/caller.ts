/** From the token to who calls: an API user, or somebody who is observed. */

import type { Observed } from '../audit/audit-log.ts'
import type { RequestContext } from '../domain/access-request.ts'
import type { CredentialPlaces } from '../domain/catalog.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem, type ProblemCode } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Denial, PolicyEngine } from '../policy/policy-engine.ts'
import { Secret } from '../lib/secret.ts'
import { DeadToken, type Tokens } from '../store/tokens.ts'
import { flawOfForm, type Credential } from './credentials.ts'
import type { Exchange } from './exchange.ts'

/** Who is observed is served whatever would be decided. */
export type Caller = { kind: 'enforced'; principal: Principal } | Observee | Stranger

/** Calls from an address that one of its grants does not hold: nothing else is asked of it. */
export type Outsider = { kind: 'outside'; principal: Principal; denial: Denial }

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
  /** As it came; absent: none that could be one. */
  token: Secret | undefined
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
  policy: Pick<PolicyEngine, 'fromElsewhere'>
  tokens: Pick<Tokens, 'authenticate'>
  observedUntil: ObservedUntil
  /** 16 hex digits that tell tokens apart and nothing about them. */
  fingerprint: (token: string) => string
}

/** From where somebody calls, and when. */
type Whence = Pick<RequestContext, 'atMs' | 'address'>

/** @throws Problem as `Tokens.authenticate`, and the credential's own flaw */
export type Identify = (credential: Credential, whence: Whence) => MaybePromise<Caller | Outsider>

export function createIdentify(parts: IdentifyParts): Identify {
  const { policy, tokens, observedUntil, fingerprint } = parts

  function known(
    principal: Principal,
    { flaw }: Credential,
    { atMs, address }: Whence,
  ): Caller | Outsider {
    const untilMs = observedUntil(principal, atMs)
    if (untilMs !== undefined) return { kind: 'observed', principal, observed: { untilMs }, flaw }
    const denial = policy.fromElsewhere(principal, address)
    if (denial !== undefined) return { kind: 'outside', principal, denial }
    if (flaw !== undefined) throw flaw
    return { kind: 'enforced', principal }
  }

  /** Suspended, expired, revoked and the gate's own tokens are known, and dead. */
  function unknown(thrown: unknown, { token, flaw }: Credential, atMs: number): Stranger {
    const problem = Problem.from(thrown)
    const untilMs = observedUntil(undefined, atMs)
    const isOurs = token !== undefined && /^fg_/i.test(token)
    // A form that could not be read may hold a token of which nobody knows whose it is.
    const isHidden = token === undefined && flaw !== undefined && flaw.code !== 'missing_token'
    if (untilMs === undefined || isOurs || isHidden || !isStrange(thrown)) throw flaw ?? thrown
    const print = token === undefined ? {} : { fingerprint: fingerprint(token) }
    return {
      kind: 'stranger',
      observed: { untilMs, ...print },
      refusal: flaw?.code ?? problem.code,
      token: token === undefined ? undefined : new Secret(token),
    }
  }

  return (credential, whence) => {
    const { atMs, address } = whence
    // Who has stolen a token must not keep it alive from elsewhere.
    const isUse = (principal: Principal) =>
      observedUntil(principal, atMs) !== undefined ||
      policy.fromElsewhere(principal, address) === undefined
    let found: MaybePromise<Principal>
    try {
      found = tokens.authenticate(credential.token, isUse)
    } catch (thrown) {
      return unknown(thrown, credential, atMs)
    }
    if (!(found instanceof Promise)) return known(found, credential, whence)
    return found.then(
      (principal) => known(principal, credential, whence),
      (thrown: unknown) => unknown(thrown, credential, atMs),
    )
  }
}

/**
 * The same caller, once the form beside the credential was looked into as well.
 * @throws Problem `several_credentials`, and what is wrong with the form of whoever is not observed
 */
export function soleCredential(
  exchange: Pick<Exchange, 'body' | 'unknownBody'>,
  { formUnread }: Credential,
  caller: Caller,
  places: CredentialPlaces,
): MaybePromise<Caller> {
  if (formUnread === undefined) return caller
  const isKnown = caller.kind !== 'stranger'
  return flawOfForm(() => (isKnown ? exchange.body() : exchange.unknownBody()), places).then(
    (flaw) => (flaw === undefined ? caller : flawed(caller, flaw)),
  )
}

function flawed(caller: Caller, flaw: Problem): Caller {
  switch (caller.kind) {
    case 'enforced':
      throw flaw
    case 'observed':
      return { ...caller, flaw }
    case 'stranger':
      // It may hold a token of which nobody knows whose it is.
      if (caller.token === undefined) throw flaw
      return { ...caller, refusal: flaw.code }
  }
}

/**
 * The API user that has adopted a stranger's token since; undefined: it is nobody's still.
 * @throws Problem as `Tokens.authenticate`, where it is dead by now
 */
export function knownByNow(
  tokens: Pick<Tokens, 'authenticate'>,
  { token }: Stranger,
): MaybePromise<Principal | undefined> {
  if (token === undefined) return undefined
  let found: MaybePromise<Principal>
  try {
    found = tokens.authenticate(token.reveal())
  } catch (thrown) {
    return nobody(thrown)
  }
  return found instanceof Promise ? found.catch(nobody) : found
}

function nobody(thrown: unknown): undefined {
  if (!isStrange(thrown)) throw thrown
}

/** Nothing is known of the token, or there is none. */
function isStrange(thrown: unknown): boolean {
  if (!(thrown instanceof Problem) || thrown instanceof DeadToken) return false
  return thrown.code === 'invalid_token' || thrown.code === 'missing_token'
}

/** When the token ends, where that is soon enough to be spoken of. */
export function endsSoon(
  { expiresAtMs }: Principal,
  atMs: number,
  warnBeforeMs: number,
): number | undefined {
  return expiresAtMs !== undefined && expiresAtMs - atMs <= warnBeforeMs ? expiresAtMs : undefined
}
