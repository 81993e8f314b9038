/** Decisions per second in process, warm: the last of 1, 100 and 1,000 rules on one action. */

import { readCatalog } from '../src/catalog/shipped.ts'
import type { AccessRequest } from '../src/domain/access-request.ts'
import type { Principal } from '../src/domain/principal.ts'
import { Mistakes } from '../src/lib/mistake.ts'
import { createPolicyEngine } from '../src/policy/engine.ts'
import { loadPolicySet } from '../src/policy/load.ts'
import { median } from './median.ts'

export type Decisions = {
  /** Microseconds a decision, by number of rules. */
  micros: Record<string, number>
  ratios: Record<string, number>
}

const SIZES = [1, 100, 1000]
const PER_ROUND = 100_000

/** Sizes are interleaved within each round. */
export function measureDecisions(rounds: number, say: (line: string) => void): Decisions {
  const subjects = SIZES.map((rules) => ({ rules, decide: subject(rules), micros: [] as number[] }))
  for (const { decide } of subjects) time(decide)
  for (let round = 0; round < rounds; round++) {
    for (const { decide, micros } of subjects) micros.push(time(decide))
  }
  const micros: Record<string, number> = {}
  for (const { rules, micros: taken } of subjects) {
    micros[rules] = median(taken)
    say(`${rules} rules: ${median(taken).toFixed(2)} µs a decision`)
  }
  const [one = 1, hundred = 1, thousand = 1] = SIZES.map((rules) => micros[rules])
  return {
    micros,
    ratios: { decision_100_vs_1_rules: hundred / one, decision_1000_vs_1_rules: thousand / one },
  }
}

function time(decide: () => void): number {
  const startedAt = performance.now()
  for (let i = 0; i < PER_ROUND; i++) decide()
  return ((performance.now() - startedAt) * 1000) / PER_ROUND
}

/** An API user with as many rules, each on another device and function; asked for what the last one grants. */
function subject(rules: number): () => void {
  const shipped = readCatalog('particle')
  if (!shipped.ok) throw new Mistakes(shipped.mistakes)
  const { catalog } = shipped
  const ids = Array.from({ length: rules }, (_, i) => i.toString(16).padStart(24, '0'))
  const text = `
users:
  bench:
    owner: bench@acme.example
    product: 12345
    devices: all
    expires: never
    rules:
${ids.map((id, i) => `      - { can: devices.function:call, functions: [f${i}], where: { id: ${id} } }`).join('\n')}
`
  const loaded = loadPolicySet([{ file: 'bench.yaml', text }], catalog, { version: 'bench' })
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  const { set } = loaded
  const user = set.users.get('bench')
  if (user === undefined) throw new Error('the policy set lacks its API user')
  const engine = createPolicyEngine({ catalog, set, cacheSize: 10 })
  const principal: Principal = {
    user: 'bench',
    tokenId: 'benchbenchbe',
    issued: user.grant,
    issuedHash: user.grantHash,
    tokenKind: 'minted',
    expiresAtMs: undefined,
    stored: undefined,
  }
  const last = rules - 1
  const request: AccessRequest = {
    action: 'devices.function:call',
    resource: { type: 'device', product: '12345', device: ids[last] ?? '' },
    fields: { functions: [`f${last}`] },
    values: {},
  }
  const requests = [request]
  const context = { requestId: 'bench', atMs: Date.now(), address: '127.0.0.1' }
  const facts = () => undefined
  return () => {
    const decision = engine.decide(principal, requests, facts, context)
    if (decision.outcome !== 'allow')
      throw new Error(`the benchmark was answered ${decision.outcome}`)
  }
}
