/** Lists whose items are not devices but belong to one: locations, SIM cards, ledger instances. */

import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { drawMany, forEachOf, policyFor, seedsOf, startBatch, type Batch } from './batch.ts'
import { admitted, decide } from './decide.ts'
import { pageSizes } from './queries.ts'
import type { Policy, Rule } from './language.ts'
import { idOf, productOf, readAll, type Item } from './world.ts'

type Kind = {
  action: string
  path: string
  list: string
  /** The id of the device that an item belongs to. */
  deviceOf(item: Item): unknown
  sizeKey: 'perPage' | 'per_page'
  /** Items on a page where the client asks for no number, and at most. */
  size: number
  most: number
  meta(page: { page: number; size: number; total: number }): Item
}

const totalPages = ({ size, total }: { size: number; total: number }) => Math.ceil(total / size)

const kinds: readonly Kind[] = [
  {
    action: 'locations:get.fleet',
    path: 'locations',
    list: 'locations',
    deviceOf: (item) => item['device_id'],
    sizeKey: 'per_page',
    size: 20,
    most: 100,
    meta: (at) => ({
      page: at.page,
      per_page: at.size,
      total_pages: totalPages(at),
      devices_found: at.total,
    }),
  },
  {
    action: 'sims:list',
    path: 'sims',
    list: 'sims',
    deviceOf: (item) => item['last_device_id'],
    sizeKey: 'per_page',
    size: 25,
    most: 100_000,
    meta: (at) => ({ total_pages: totalPages(at) }),
  },
  {
    action: 'ledger.instances:list',
    path: 'ledgers/device-config/instances',
    list: 'instances',
    deviceOf: (item) => Object(item['scope']).value,
    sizeKey: 'perPage',
    size: 100,
    most: 100_000,
    meta: (at) => ({
      page: at.page,
      per_page: at.size,
      total_pages: totalPages(at),
      total: at.total,
    }),
  },
]

const users = 24

describe.each(kinds)('the list of $path through the gate', (kind) => {
  it('holds the items of the devices it allows, on full pages with right totals', async () => {
    const told = { items: 0, denied: 0 }
    for (const seed of seedsOf(3)) {
      await using batch = await startBatch(seed + 300, {
        theme: 'lists',
        users,
        derive: (policy) => aboutItems(policy, kind.action),
      })
      const whole = await readAll(batch.cloud, `/v1/products/12345/${kind.path}`, kind.list)
      const misses: string[] = []
      const queries = drawMany(pageSizes(), seed, 3 * users)
      await forEachOf([...queries.entries()], async ([index, query]) => {
        const user = batch.names[index % batch.names.length] ?? ''
        const miss = await compare(batch, { kind, user, query, whole }, told)
        if (miss !== undefined) misses.push(miss)
      })
      const [smallest] = misses.toSorted((one, other) => one.length - other.length)
      expect(smallest === undefined ? '' : `${misses.length} misses: ${smallest}`).toBe('')
    }
    expect(told.items).toBeGreaterThan(20)
    expect(told.denied).toBeGreaterThan(0)
  }, 60_000)
})

async function compare(
  { world, policy, ask }: Batch,
  {
    kind,
    user,
    query,
    whole,
  }: { kind: Kind; user: string; query: number | undefined; whole: Item[] },
  told: { items: number; denied: number },
): Promise<string | undefined> {
  const product = '12345'
  const { action, path, list, meta } = kind
  const why = (expected: unknown, got: unknown): string => {
    const mine = policyFor(policy, user)
    return JSON.stringify({ user, path, query, expected, got, policy: mine }, undefined, 1)
  }
  const isOpen = admitted(policy, user, world, { action, product })
  const devices = productOf(world, product)?.devices ?? []
  const due = whole.filter((item) => {
    const device = devices.find((each) => idOf(each) === kind.deviceOf(item))
    return decide(policy, user, world, { action, product, device }).allowed && device !== undefined
  })
  const size = Math.min(query ?? kind.size, kind.most)
  const last = totalPages({ size, total: due.length })
  for (let page = 1; page <= last + 1; page += 1) {
    const search = new URLSearchParams({ page: String(page) })
    if (query !== undefined) search.set(kind.sizeKey, String(query))
    const answer = await ask(user, `/v1/products/${product}/${path}?${search}`)
    if (!isOpen) {
      told.denied += 1
      return answer.status === 403 ? undefined : why(403, answer.status)
    }
    const items = due.slice((page - 1) * size, page * size)
    const expected = { [list]: items, meta: meta({ page, size, total: due.length }) }
    const got: unknown = answer.status === 200 ? JSON.parse(answer.text) : answer
    if (!isDeepStrictEqual(got, expected)) return why(expected, got)
    told.items += items.length
  }
  return undefined
}

/** The same rules, about the items of another list; keys are another test's matter. */
function aboutItems({ users: all, guardrails = [] }: Policy, action: string): Policy {
  const turn = ({ can, where, unless }: Rule): Rule => ({
    ...(can === undefined ? { cannot: [action] } : { can: [action] }),
    ...(where && { where }),
    ...(unless && { unless }),
  })
  return {
    users: Object.fromEntries(
      Object.entries(all).map(([name, { roles, scopes, rules = [], ...user }], index) => {
        const reader = { can: ['devices:get'] }
        const own = index % 8 === 7 || (roles ?? scopes) === undefined ? [] : [{ can: [action] }]
        return [
          name,
          { ...user, rules: [reader, ...(index % 8 === 7 ? [] : rules.map(turn)), ...own] },
        ]
      }),
    ),
    ...(guardrails.length > 0 && {
      guardrails: guardrails.map(({ except = [], ...rule }) => ({ ...turn(rule), except })),
    }),
  }
}
