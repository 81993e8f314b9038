// Lists whose items belong to devices: judged on facts of the directory.

import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../../src/domain/access-request.ts'
import type { Directory } from '../../../../src/upstream/directory.ts'
import { listsRig, type Row } from '../../../kit/lists-rig.ts'
import { ACME, MINE, OTHER, PRODUCT, userWith } from '../../../kit/policies.ts'

const sims = `/v1/products/${PRODUCT}/sims`
const ledger = `/v1/products/${PRODUCT}/ledgers/l/instances`
const cloud = {
  [sims]: {
    sims: [
      { _id: '1', last_device_id: OTHER },
      { _id: '2', last_device_id: MINE },
      { _id: '3', last_device_id: null },
    ],
    meta: { total_pages: 1 },
  },
  [ledger]: {
    instances: [
      { scope: { type: 'Device', value: OTHER }, data: 1 },
      { scope: { type: 'Device', value: MINE }, data: 2 },
      { scope: { type: 'Product', value: PRODUCT }, data: 3 },
    ],
    meta: { page: 1, per_page: 100, total_pages: 1, total: 3 },
  },
}

function rigWith(policies: string, groups: Readonly<Record<string, readonly string[]>> = {}) {
  const prepared: Resource[][] = []
  const facts: Partial<Directory> = {
    named: async (resources) => {
      prepared.push([...resources])
      return ({ device = '' }) => ({ groups: groups[device] ?? [] })
    },
  }
  return { prepared, gate: listsRig({ policies, cloud, facts }) }
}

const idsOf = (body: unknown) => (body as { sims: Row[] }).sims.map(({ _id }) => _id)
const dataOf = (body: unknown) => (body as { instances: Row[] }).instances.map(({ data }) => data)
const inSite = 'devices: { groups: { $any: [site-7, site-8] } }'

describe('items that belong to devices', () => {
  it('are judged on what the directory knows of the device, read for all at once', async () => {
    const { gate, prepared } = rigWith(userWith('- can: sims:list', inSite), { [MINE]: ['site-7'] })
    const { body, outcome } = await gate.ask(`GET ${sims}`)
    expect(idsOf(body)).toEqual(['2'])
    expect(outcome.list?.total).toBe(1)
    expect(prepared.map((all) => all.map(({ device }) => device))).toEqual([[OTHER, MINE]])
  })

  it('are judged anew each time, for the facts change without the list', async () => {
    const groups: Record<string, string[]> = { [MINE]: ['site-7'] }
    const { gate } = rigWith(userWith('- can: sims:list', inSite), groups)
    expect(idsOf((await gate.ask(`GET ${sims}`)).body)).toEqual(['2'])
    groups[MINE] = []
    expect(idsOf((await gate.ask(`GET ${sims}`)).body)).toEqual([])
  })

  it('need no facts where the grant names its devices', async () => {
    const { gate, prepared } = rigWith(
      userWith('- can: sims:list', `devices: [${MINE}, ffffffffffffffffffffffff]`),
    )
    expect(idsOf((await gate.ask(`GET ${sims}`)).body)).toEqual(['2'])
    expect(prepared).toEqual([])
  })

  it('are not asked for without facts where they cannot be had', async () => {
    const failing: Partial<Directory> = { named: () => Promise.reject(new Error('down')) }
    const gate = listsRig({ policies: userWith('- can: sims:list', inSite), cloud, facts: failing })
    await expect(gate.ask(`GET ${sims}`)).rejects.toMatchObject({ status: 502 })
  })
})

describe('items of no device', () => {
  const limited = userWith('- can: ledger.instances:list\n  ledgers: [l]', inSite)

  it('are of the place, and hidden from whom a device of it is', async () => {
    const { gate } = rigWith(limited, { [MINE]: ['site-8'] })
    const { body } = await gate.ask(`GET ${ledger}`)
    expect(dataOf(body)).toEqual([2])
    expect(body).toMatchObject({ meta: { page: 1, per_page: 100, total_pages: 1, total: 1 } })
  })

  it('stay where one more rule says something about some devices', async () => {
    const some = 'where: { groups: { $any: [y] } }'
    const hides = `- can: sims:list\n- cannot: sims:list\n  ${some}\n  hide: [notes]`
    const shows = `- can: sims:list\n  answer: [_id]\n- can: sims:list\n  ${some}\n  answer: [notes]`
    for (const rules of [hides, shows]) {
      const { gate } = rigWith(userWith(rules, 'devices: all'))
      expect(idsOf((await gate.ask(`GET ${sims}`)).body)).toEqual(['1', '2', '3'])
    }
    const forbids = `- cannot: sims:list\n  ${some}`
    const { gate } = rigWith(userWith(`- can: sims:list\n${forbids}`, 'devices: all'))
    // Nobody knows that it is in none of these groups.
    expect(idsOf((await gate.ask(`GET ${sims}`)).body)).toEqual(['1', '2'])
  })

  it('in lists of an organization are judged in the product that the device is in', async () => {
    const path = `/v1/orgs/${ACME}/ledgers/l/instances`
    const policies = userWith('- can: ledger.instances:list\n  ledgers: [l]', inSite).replace(
      `product: ${PRODUCT}`,
      `organization: ${ACME}`,
    )
    const located: unknown[] = []
    const facts = (owner: string): Partial<Directory> => ({
      named: async () => () => ({ groups: ['site-7'] }),
      products: async (id) => (id === owner ? [PRODUCT, '777'] : []),
      locate: async (devices, products) => {
        located.push([devices, products])
        return new Map(products.includes(PRODUCT) ? [[MINE, PRODUCT]] : [])
      },
      device: () => Promise.reject(new Error('one by one')),
    })
    const given = (owner: string) =>
      listsRig({ policies, cloud: { [path]: cloud[ledger] }, facts: facts(owner) }).ask(
        `GET ${path}`,
      )
    expect(dataOf((await given(ACME)).body)).toEqual([2])
    expect(dataOf((await given('b'.repeat(24))).body)).toEqual([])
    expect(located).toEqual([
      [
        [OTHER, MINE],
        [PRODUCT, '777'],
      ],
      [[OTHER, MINE], []],
    ])
  })
})
