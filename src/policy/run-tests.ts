/** Runs the `tests` sections of policy files: each test decided by the real engine, each surprise a finding at its line. */

import type { Catalog } from '../domain/catalog.ts'
import type { Decision } from '../domain/decision.ts'
import type { ApiUser } from '../domain/grant.ts'
import type { PolicySet } from './policy-set.ts'
import type { Principal } from '../domain/principal.ts'
import type { Mistake } from '../lib/mistake.ts'
import { firstAddress } from './addresses.ts'
import { catalogFacts } from './catalog-facts.ts'
import { toRef } from './decide.ts'
import { createPolicyEngine } from './engine.ts'
import type { ItemVerdict, NeedsFacts } from './policy-engine.ts'
import type { PolicyTest } from './policy-test-reader.ts'
import { deny } from './reading.ts'
import { compileGrant, type Verdict } from './verdict.ts'

export type TestRun = {
  passed: number
  failed: Mistake[]
  /** Allows that no denial of the same API user and action stands beside. */
  notes: Mistake[]
}

export function runPolicyTests(
  tests: readonly PolicyTest[],
  { catalog, set }: { catalog: Catalog; set: PolicySet },
): TestRun {
  const engine = createPolicyEngine({ catalog, set, cacheSize: 1000 })
  const parts = { catalog, facts: catalogFacts(catalog), zones: new Map() }
  const failed = tests.flatMap((test): Mistake[] => {
    const user = set.users.get(test.user)
    if (user === undefined) return [finding(test, `API user "${test.user}" is not in the set`)]
    const principal: Principal = {
      user: user.name,
      tokenId: 'policy-test',
      issued: user.grant,
      issuedHash: user.grantHash,
      expiresAtMs: undefined,
      tokenKind: 'minted',
      stored: undefined,
    }
    const context = {
      requestId: 'policy-test',
      atMs: test.atMs,
      address: test.from ?? homeOf(user),
      ...(test.limits === 'used_up' && { wait: () => 1000 }),
    }
    const facts = () => test.facts
    const { request, event } = test
    const got =
      event === undefined
        ? engine.decide(principal, [request], facts, context)
        : heard(
            compileGrant(user.grant, parts).judge(request, facts, context, event),
            engine
              .items(principal, request, context)
              .judge({ resource: request.resource, facts: test.facts, event }, context.atMs),
          )
    return surprises(test, got).map((message) => finding(test, message))
  })
  return { passed: tests.length - new Set(failed.map(placeOf)).size, failed, notes: lonely(tests) }
}

/** A test that names no address is about what may be done from where the API user may call. */
function homeOf({ grant: { from } }: ApiUser): string {
  return from?.[0] === undefined ? '127.0.0.1' : firstAddress(from[0])
}

type Got =
  | Pick<Extract<Decision, { outcome: 'allow' }>, 'outcome' | 'rule' | 'obligations'>
  | Pick<Extract<Decision, { outcome: 'deny' }>, 'outcome' | 'rule' | 'reason' | 'tell'>
  | Pick<NeedsFacts, 'outcome'>

/** A stream passes on what its judge of events lets through; why it does not is told by the grant. */
function heard(verdict: Verdict, item: ItemVerdict): Got {
  if (verdict.outcome === 'needs_facts') return verdict
  const got = { ...verdict, rule: verdict.rule && toRef(verdict.rule) }
  if (got.outcome === 'deny' || item.outcome === 'allow') return got
  // Only from where it is called is asked by no rule.
  if (item.outcome === 'deny') return { ...deny('outside_addresses'), rule: undefined }
  return item
}

function surprises({ want }: PolicyTest, got: Got): string[] {
  if (got.outcome === 'needs_facts') return ['no decision: facts are missing']
  const by = got.rule === undefined ? '' : ` by ${got.rule.file}:${got.rule.line}`
  if (want.outcome === 'deny') {
    if (got.outcome === 'allow') return [`wanted deny, got allow${by}`]
    const found: string[] = []
    if (want.reason !== undefined && want.reason !== got.reason) {
      found.push(`wanted deny ${want.reason}, got deny ${got.reason}${by}`)
    }
    if (want.tell !== undefined && want.tell !== got.tell) {
      found.push(`wanted the client to be told "${want.tell}", got "${got.tell ?? 'nothing'}"`)
    }
    return found
  }
  if (got.outcome === 'deny') return [`wanted allow, got deny ${got.reason}${by}`]
  const { answer, hide } = got.obligations
  return [...differs('answer', want.answer, answer), ...differs('hide', want.hide, hide)]
}

function differs(
  word: string,
  want: readonly string[] | undefined,
  got: ReadonlySet<string> | undefined,
): string[] {
  if (want === undefined) return []
  if (got !== undefined && got.size === want.length && want.every((key) => got.has(key))) return []
  const list = got === undefined ? 'everything' : `[${[...got].toSorted().join(', ')}]`
  return [`wanted ${word} [${want.toSorted().join(', ')}], got ${list}`]
}

function lonely(tests: readonly PolicyTest[]): Mistake[] {
  const key = ({ user, request }: PolicyTest) => `${user} ${request.action}`
  const denied = new Set(tests.filter(({ want }) => want.outcome === 'deny').map(key))
  return tests
    .filter((test) => test.want.outcome === 'allow' && !denied.has(key(test)))
    .map((test) => finding(test, `no denial of ${key(test)} stands beside this allow`))
}

function finding({ name, place }: PolicyTest, message: string): Mistake {
  return { ...place, message: `test "${name}": ${message}` }
}

function placeOf({ file, line, column }: Mistake): string {
  return `${file}:${line}:${column}`
}
