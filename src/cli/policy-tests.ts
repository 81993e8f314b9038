/** Runs the `tests` of policy files: the same engine as the gate's, on the facts that each test states. */

import type { Catalog } from '../domain/catalog.ts'
import type { Decision, Obligations } from '../domain/decision.ts'
import type { PolicySet } from '../domain/grant.ts'
import { createPolicyEngine } from '../policy/engine.ts'
import type { PolicyTest } from '../policy/policy-test-reader.ts'

export type TestResults = {
  passed: number
  failed: readonly { name: string; file: string; line: number; says: string }[]
}

export function runPolicyTests(
  tests: readonly PolicyTest[],
  set: PolicySet,
  catalog: Catalog,
): TestResults {
  const policy = createPolicyEngine({ catalog, set, cacheSize: Math.max(1, set.users.size) })
  const failed = tests.flatMap((test) => {
    const user = policy.user(test.user)
    if (user === undefined) return fault(test, `there is no API user "${test.user}"`)
    const principal = {
      user: user.name,
      tokenId: 'test',
      issued: user.grant,
      issuedHash: user.grantHash,
      expiresAtMs: undefined,
      epoch: 0,
    }
    const context = { requestId: 'test', atMs: test.atMs, address: 'test' }
    const decision = policy.decide(principal, [test.request], () => test.facts, context)
    const says =
      decision.outcome === 'needs_facts' ? 'a fact is missing' : difference(decision, test.want)
    return says === undefined ? [] : fault(test, says)
  })
  return { passed: tests.length - failed.length, failed }
}

function fault({ name, place }: PolicyTest, says: string) {
  return [{ name, file: place.file, line: place.line, says }]
}

/** What is not as wanted, or `undefined`. */
function difference(decision: Decision, want: PolicyTest['want']): string | undefined {
  const { rule } = decision
  const by = rule === undefined ? '' : ` by ${rule.file}:${rule.line}`
  if (decision.outcome === 'deny') {
    if (want.outcome === 'allow') return `denied (${decision.reason})${by}, wanted allow`
    if (want.reason !== undefined && want.reason !== decision.reason) {
      return `denied for ${decision.reason}${by}, wanted ${want.reason}`
    }
    return want.tell !== undefined && want.tell !== decision.tell
      ? `told "${decision.tell ?? ''}"${by}, wanted "${want.tell}"`
      : undefined
  }
  if (want.outcome === 'deny') return `allowed${by}, wanted deny`
  return cutDifference(decision.obligations, want)
}

function cutDifference(
  { answer, hide }: Obligations,
  want: Extract<PolicyTest['want'], { outcome: 'allow' }>,
): string | undefined {
  if (want.answer !== undefined && !sameNames(want.answer, answer)) {
    return `shows ${answer === undefined ? 'all keys' : list(answer)}, wanted ${list(want.answer)}`
  }
  return want.hide !== undefined && !sameNames(want.hide, hide)
    ? `hides ${list(hide)}, wanted ${list(want.hide)}`
    : undefined
}

function sameNames(wanted: readonly string[], got: ReadonlySet<string> | undefined): boolean {
  return got !== undefined && got.size === wanted.length && wanted.every((name) => got.has(name))
}

function list(names: Iterable<string>): string {
  return [...names].toSorted().join(', ') || 'nothing'
}
