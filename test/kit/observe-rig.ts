/** The pipeline with its real stages over fakes, where API users or everybody are observed: no sockets. */

import { createRouteTable } from '../../src/catalog/route-table.ts'
import type { Route } from '../../src/domain/catalog.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { Problem } from '../../src/domain/problem.ts'
import { Secret } from '../../src/lib/secret.ts'
import type { PolicyEngine } from '../../src/policy/policy-engine.ts'
import { createIdentify, createObservedUntil } from '../../src/proxy/caller.ts'
import { createDecide } from '../../src/proxy/decide.ts'
import { createDescribe } from '../../src/proxy/describe.ts'
import { createEnforce } from '../../src/proxy/enforce.ts'
import { createIdResolver } from '../../src/proxy/ids.ts'
import { createObserve } from '../../src/proxy/observe.ts'
import { createPassages, type Passages } from '../../src/proxy/passages.ts'
import { createPipeline } from '../../src/proxy/pipeline.ts'
import { createRelate } from '../../src/proxy/relations.ts'
import { createMatchRoute } from '../../src/proxy/routing.ts'
import { createStrangerBudget } from '../../src/proxy/stranger-budget.ts'
import { createDescribeStranger } from '../../src/proxy/strangers.ts'
import type { Tokens } from '../../src/store/tokens.ts'
import type { Directory } from '../../src/upstream/directory.ts'
import type { Quota } from '../../src/upstream/quota.ts'
import { aCatalog, aDeed, aRoute, fieldsBody } from './a-route.ts'
import * as kit from './fakes.ts'

export const gateCredential = 'cloud-credential-0123456789'

export const observedRoutes: readonly Route[] = [
  aRoute(),
  aRoute('GET /v1/devices/:device'),
  aRoute('POST /v1/products/:product/devices/:device/:function', {
    deeds: [
      aDeed('devices.function:call', { fields: { functions: { in: 'path', key: 'function' } } }),
    ],
    body: fieldsBody({ arg: 'string' }, true),
  }),
  aRoute('POST /v1/products/:product/firmware', {
    way: 'streaming',
    deeds: [aDeed('firmware:create')],
    body: { kind: 'multipart', files: ['file'], fields: [], products: [] },
  }),
  aRoute('GET /v1/user', { kind: { kind: 'self', answer: 'user' }, deeds: [] }),
  aRoute('DELETE /v1/access_tokens/current', {
    kind: { kind: 'self', answer: 'revoke' },
    deeds: [],
  }),
  aRoute('POST /oauth/token', { kind: { kind: 'refused', why: 'not ours' } }),
]

export type ObservePlay = {
  /** Everybody, until then. */
  untilMs?: number
  /** The API user `acme`, until then. */
  ownUntilMs?: number
  /** Whom the token `U` is of; every other token is unknown. */
  principal?: Principal
  tokens?: Partial<Tokens>
  decide?: PolicyEngine['decide']
  directory?: Partial<Directory>
  quota?: Quota
  /** Of strangers. */
  budget?: { perMinute: number; allPerMinute: number }
}

export type ObserveRig = {
  run(exchange: kit.FakeExchange): Promise<kit.FakeExchange>
  audit: kit.FakeAudit
  /** What the cloud was asked on behalf of whom. */
  lookedUp: string[]
  clock: { at: number; now(): number; monotonic(): number }
  passages: Passages
  /** One look at the open streams. */
  look(): void
  faults: Problem[]
  written: unknown[]
}

export function observeRig(play: ObservePlay): ObserveRig {
  const catalog = aCatalog(observedRoutes)
  const audit = new kit.FakeAudit()
  const lookedUp: string[] = []
  const clock = { at: 1_000_000, now: () => clock.at, monotonic: () => clock.at }
  const directory = kit.fakeDirectory({
    async device(spelling, user) {
      lookedUp.push(`${user} ${spelling}`)
      return { id: spelling, product: '1337' }
    },
    ...play.directory,
  })
  const authenticate = (token: string | undefined) => {
    if (token === undefined) throw new Problem('missing_token')
    if (token !== 'U') throw new Problem('invalid_token')
    return play.principal ?? kit.aPrincipal
  }
  const tokens = kit.fakeTokens({ authenticate, ...play.tokens })
  const plain = kit.fakePolicy(play.decide)
  const policy: PolicyEngine = {
    ...plain,
    userOf(who) {
      const user = plain.userOf(who)
      const own = play.ownUntilMs
      return user && { ...user, ...(own !== undefined && { observeUntilMs: own }) }
    },
  }
  const credentials = { for: () => new Secret(gateCredential) }
  const ids = createIdResolver(catalog.resources, directory, () => undefined)
  const observedUntil = createObservedUntil(policy, play.untilMs)
  const faults: Problem[] = []
  const onFault = (problem: Problem) => void faults.push(problem)
  let look = () => {}
  const passages = createPassages({
    ...{ tokens, observedUntil, audit, clock, recheckMs: 200 },
    every: (_, callback) => {
      look = callback
      return { [Symbol.dispose]: () => {} }
    },
  })
  const stages = {
    ...{ catalog, tokens, policy, audit, onFault },
    matchRoute: createMatchRoute(createRouteTable(catalog)),
    describe: createDescribe(catalog, ids, createRelate({ directory, ids, policy })),
    decide: createDecide(policy, directory),
  }
  const { fleetLists, lists, streams } = kit.uncutLists()
  const grantOf = () => kit.aPrincipal.issued
  const pipeline = createPipeline({
    ...stages,
    identify: createIdentify({
      ...{ policy, tokens, observedUntil },
      fingerprint: (token) => `print-of-${token.length}`,
    }),
    observe: createObserve({
      ...{ ...stages, credentials, passages, grantOf, directory, fleetLists },
      quota: play.quota ?? kit.noQuota,
      strangerBudget: createStrangerBudget({
        clock,
        ...(play.budget ?? { perMinute: 600, allPerMinute: 3_000 }),
      }),
      describeStranger: createDescribeStranger({ catalog, directory, clock, perMinute: 3 }),
    }),
    enforce: createEnforce({
      quota: kit.noQuota,
      ...{ catalog, credentials, directory, tokens, grantOf, fleetLists, lists, streams },
      ...kit.noQueue,
    }),
    durability: { read: 'written', change: 'synced' },
    warnBeforeMs: 1_000,
  })
  return {
    written: fleetLists.written,
    ...{ audit, lookedUp, clock, passages, faults, look: () => look() },
    async run(exchange) {
      Object.assign(exchange.envelope, { atMs: clock.at })
      await pipeline(exchange)
      return exchange
    },
  }
}
