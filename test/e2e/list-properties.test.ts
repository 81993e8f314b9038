/** What must hold of lists and bulk requests whatever the policy says; the gate is asked, and asked again in another way. */

import { fc } from '../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { drawMany, forEachOf, seedsOf, startBatch, type Batch } from '../oracle/batch.ts'
import type { Policy, Role, Rule, User } from '../oracle/language.ts'
import { additionalCans } from '../oracle/policies.ts'
import { failedTests, policyTest } from '../oracle/policy-tests.ts'
import { idOf, readAll, type Item, type World } from '../oracle/world.ts'

const users = 24

type Shown = { status: number; items: ReadonlyMap<string, Item> }

describe('a filtered list', () => {
  it('holds a device if and only if a policy test of that list action on that device allows it', async () => {
    for (const seed of seedsOf(3)) {
      await using batch = await startBatch(seed, { theme: 'lists', users, derive: withIds })
      const { world, policy, names } = batch
      const { organization = '' } = world.products[0] ?? {}
      const devices = (world.products[0]?.devices ?? []).slice(0, 25)
      const tests: object[] = []
      await forEachOf(names, async (user) => {
        const { items } = await listOfUser(batch, user)
        for (const device of devices) {
          const want = items.has(idOf(device)) ? 'allow' : 'deny'
          tests.push(policyTest({ user, device, want, organization }))
        }
      })
      const wants = new Set(tests.map((test) => ('want' in test ? test.want : '')))
      if (devices.length > 20) expect(wants).toEqual(new Set(['allow', 'deny']))
      if (tests.length > 0) expect(await failedTests({ ...policy, tests })).toEqual([])
    }
  }, 60_000)

  it('of all devices is what the lists of API users limited to one device each add up to', async () => {
    const sample = 10
    let shown = 0
    for (const seed of seedsOf(2)) {
      await using batch = await startBatch(seed + 40, {
        theme: 'lists',
        users: 6,
        derive: (policy, world) => {
          const ids = (world.products[0]?.devices ?? []).slice(0, sample).map(idOf)
          return derived(withIds(policy), (name, user) => [
            [name, { ...user, devices: 'all' }],
            ...ids.map((id): [string, User] => [`${name}.${id}`, { ...user, devices: [id] }]),
          ])
        },
      })
      const ids = (batch.world.products[0]?.devices ?? []).slice(0, sample).map(idOf)
      await forEachOf(plainNames(batch), async (user) => {
        const all = await listOfUser(batch, user)
        const singles = await Promise.all(ids.map((id) => listOfUser(batch, `${user}.${id}`)))
        shown += all.items.size
        expect(singles.map(({ status }) => status)).toEqual(ids.map(() => all.status))
        expect(singles.flatMap(({ items }) => [...items])).toEqual(
          [...all.items].filter(([id]) => ids.includes(id)),
        )
      })
    }
    expect(shown).toBeGreaterThan(sample)
  }, 60_000)

  it('never shows less for one can more', async () => {
    let grown = 0
    for (const seed of seedsOf(3)) {
      await using batch = await startBatch(seed + 80, {
        theme: 'lists',
        users,
        derive: (policy, world) => {
          const more = drawMany(additionalCans(world), seed, users).map(showId)
          return derived(withIds(policy), (name, user, index) => [
            [name, user],
            [`${name}.more`, { ...user, rules: [...(user.rules ?? []), more[index] ?? {}] }],
          ])
        },
      })
      await forEachOf(plainNames(batch), async (user) => {
        const less = await listOfUser(batch, user)
        const more = await listOfUser(batch, `${user}.more`)
        for (const [id, item] of less.items) expect(more.items.get(id)).toMatchObject(item)
        if (more.items.size > less.items.size) grown += 1
      })
    }
    expect(grown).toBeGreaterThan(0)
  }, 60_000)
})

describe('a bulk request', () => {
  it('is allowed if and only if each of its devices alone is, and reaches the cloud only then', async () => {
    const told = { allowed: 0, denied: 0 }
    for (const seed of seedsOf(3)) {
      await using batch = await startBatch(seed + 120, {
        theme: 'lists',
        users,
        derive: (policy) => derived(policy, (name, user) => [[name, asEditor(user)]]),
      })
      const { names, cloud, world } = batch
      const lists = drawMany(idLists(world), seed, 60)
      // One at a time: the cloud's record of what it saw is of all requests.
      for (const [index, ids] of lists.entries()) {
        const user = names[index % names.length] ?? ''
        const passes = async (some: readonly string[]) => {
          cloud.clear()
          const status = await editGroups(batch, user, some)
          const seen = cloud.requests().filter(({ method }) => method === 'PUT')
          for (const { body } of seen) {
            const sent: unknown = JSON.parse(Buffer.from(body, 'base64').toString())
            expect(sent).toMatchObject({ devices: some })
          }
          if (seen.length === 0) expect(status).toBe(403)
          return seen.length > 0
        }
        const singles: boolean[] = []
        for (const id of ids) singles.push(await passes([id]))
        const wanted = singles.every(Boolean)
        expect({ user, ids, passes: await passes(ids) }).toEqual({ user, ids, passes: wanted })
        told[wanted ? 'allowed' : 'denied'] += 1
      }
    }
    expect(Math.min(told.allowed, told.denied)).toBeGreaterThan(10)
  }, 60_000)
})

/** All that the API user sees of the first product, by id. */
async function listOfUser({ gate, ask }: Batch, user: string): Promise<Shown> {
  const path = '/v1/products/12345/devices'
  const { status } = await ask(user, path, 'HEAD')
  expect([200, 403]).toContain(status)
  if (status !== 200) return { status, items: new Map() }
  const items = await readAll({ url: gate.url, token: gate.tokens[user] ?? '' }, path, 'devices')
  return { status, items: new Map(items.map((item) => [idOf(item), item])) }
}

/** Lists are told apart by ids, so every rule shows them. */
function withIds(policy: Policy): Policy {
  const { roles = {} } = policy
  const shown = Object.entries(roles).map(([name, role]): [string, Role] => [
    name,
    { ...role, rules: role.rules.map(showId) },
  ])
  const users = derived(policy, (name, user) => [
    [name, { ...user, rules: (user.rules ?? []).map(showId) }],
  ])
  return { ...users, roles: Object.fromEntries(shown) }
}

function showId({ answer, ...rule }: Rule): Rule {
  return { ...rule, ...(answer !== undefined && { answer: [...new Set([...answer, 'id'])] }) }
}

function derived(
  policy: Policy,
  variants: (name: string, user: User, index: number) => [string, User][],
): Policy {
  const made = Object.entries(policy.users).map(
    ([name, user], index) => [name, variants(name, user, index)] as const,
  )
  const { guardrails } = policy
  const namesOf = new Map(made.map(([name, list]) => [name, list.map(([variant]) => variant)]))
  return {
    ...policy,
    users: Object.fromEntries(made.flatMap(([, list]) => list)),
    // Whoever is made of somebody is excepted as that one is.
    ...(guardrails && {
      guardrails: guardrails.map(({ except = [], ...rule }) => ({
        ...rule,
        except: except.flatMap((name) => namesOf.get(name) ?? []),
      })),
    }),
  }
}

function plainNames({ names }: Batch): string[] {
  return names.filter((name) => !name.includes('.'))
}

/** The same user, with rights to edit groups where it had rights to see. */
function asEditor({ roles, rules = [], scopes, ...user }: User): User {
  const edit = ['devices:update.groups']
  // Named keys, or whoever is limited by groups could not edit them at all.
  const body = ['groups', 'action', 'devices', 'metadata']
  const granted = (scopes ?? roles ?? []).length > 0 ? [{ can: edit, body }] : []
  const turned = rules.map(({ can, where, unless }): Rule & { body?: string[] } => ({
    ...(can === undefined ? { cannot: edit } : { can: edit, body }),
    ...(where && { where }),
    ...(unless && { unless }),
  }))
  return { ...user, rules: [...turned, ...granted] }
}

/** Mostly of the first product, now and then of another or of none. */
function idLists(world: World): fc.Arbitrary<string[]> {
  const own = world.products[0]?.devices.map(idOf) ?? []
  const foreign = [...(world.products[1]?.devices.slice(0, 1).map(idOf) ?? []), 'f'.repeat(24)]
  const id = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...(own.length > 0 ? own : foreign)) },
    { weight: 1, arbitrary: fc.constantFrom(...foreign) },
  )
  return fc.uniqueArray(id, { minLength: 1, maxLength: 5 })
}

/** Takes a group away that no device has, so that the fleet stays as it is. */
async function editGroups({ gate }: Batch, user: string, devices: readonly string[]) {
  const answer = await fetch(`${gate.url}/v1/products/12345/devices`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${gate.tokens[user]}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ action: 'groups', devices, metadata: { remove: ['site-9'] } }),
  })
  await answer.text()
  expect([200, 403]).toContain(answer.status)
  return answer.status
}
