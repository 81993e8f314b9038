/** One random world with a real gate in front of it, for many questions by many API users. */

import { fc } from '../kit/fc.ts'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { firstSeed } from '../kit/first-seed.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'
import { dressFleet, fleets, type Fleet } from './fleets.ts'
import { policyFileOf, type Policy, type Theme } from './language.ts'
import { policies } from './policies.ts'
import { readWorld, type World } from './world.ts'

export type Batch = AsyncDisposable & {
  fleet: Fleet
  cloud: DeviceCloud
  world: World
  policy: Policy
  names: readonly string[]
  gate: TestGate
  ask(user: string, path: string, method?: 'GET' | 'HEAD'): Promise<Answer>
}

export type Answer = { status: number; headers: Headers; text: string }

type BatchOptions = {
  theme: Theme
  users: number
  /** Makes of the random policy the one that the gate loads. */
  derive?: (policy: Policy, world: World) => Policy
}

/** @param seed the same one gives the same fleet and policies */
export async function startBatch(
  seed: number,
  { theme, users, derive = (policy) => policy }: BatchOptions,
): Promise<Batch> {
  const fleet = draw(fleets(), seed)
  const cloud = await startDeviceCloud({ devices: fleet.size, eventIntervalMs: 0 })
  dressFleet(cloud, fleet)
  const world = await readWorld(cloud)
  const policy = derive(draw(policies(world, theme, users), seed), world)
  const gate = await startTestGate({
    upstream: cloud,
    policies: { 'policy.yaml': policyFileOf(policy) },
  })
  return {
    fleet,
    cloud,
    world,
    policy,
    names: Object.keys(policy.users),
    gate,
    async ask(user, path, method = 'GET') {
      const answer = await fetch(gate.url + path, {
        method,
        headers: { authorization: `Bearer ${gate.tokens[user]}` },
      })
      return { status: answer.status, headers: answer.headers, text: await answer.text() }
    },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]()
      await cloud.close()
    },
  }
}

export function draw<T>(values: fc.Arbitrary<T>, seed: number): T {
  const [first] = drawMany(values, seed, 1)
  if (first === undefined) throw new Error('nothing drawn')
  return first
}

export function drawMany<T>(values: fc.Arbitrary<T>, seed: number, count: number): T[] {
  return fc.sample(fc.noBias(values), { seed, numRuns: count })
}

/** Calls `check` on each, a few at a time, so that neither side ever waits for the other alone. */
export async function forEachOf<T>(
  items: readonly T[],
  check: (item: T) => Promise<void>,
  atOnce = 6,
): Promise<void> {
  const waiting = items.values()
  const work = async () => {
    for (const item of waiting) await check(item)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

/** Seeds of this run. */
export function seedsOf(count: number): number[] {
  return Array.from({ length: count }, (_, index) => firstSeed + index)
}

/** What somebody who mends it needs: the API user, the roles it has, the guardrails. */
export function policyFor({ users, roles = {}, guardrails = [] }: Policy, name: string): unknown {
  const user = users[name]
  const own = Object.fromEntries((user?.roles ?? []).map((role) => [role, roles[role]]))
  const binding = guardrails.filter(({ except = [] }) => !except.includes(name))
  return { user, roles: own, guardrails: binding }
}
