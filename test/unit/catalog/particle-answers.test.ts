/** How Particle's answers are cut: which lists are decided item by item, where streams are shared, whose a SIM is. */

import { describe, expect, it } from 'vitest'
import type { ListAnswer, Route } from '../../../src/domain/catalog.ts'
import { particleCatalog } from '../../kit/catalog.ts'

const catalog = particleCatalog()
const lists = catalog.routes.filter(({ answer }) => answer.kind === 'list')

describe('lists of the Particle catalog', () => {
  it('are decided item by item where an item is a resource or belongs to one', () => {
    const itemwise = lists.filter(({ answer }) => answer.kind === 'list' && answer.item !== 'none')
    expect(itemwise.map((route) => `${route.id}: ${summary(listOf(route))}`)).toEqual([
      'GET /v1/devices: device id item',
      'GET /v1/orgs: organization id item',
      'GET /v1/user/products: product id item',
      'GET /v1/products: product id item',
      'GET /v1/orgs/:organization/products: product id item',
      'GET /v1/products/:product/devices: device id item',
      'GET /v1/products/:product/fleet_locations: device device_id directory',
      'GET /v1/products/:product/locations: device device_id directory',
      'GET /v1/products/:product/ledgers/:ledger/instances: device scope.value directory',
      'GET /v1/orgs/:organization/ledgers/:ledger/instances: device scope.value directory',
      'GET /v1/products/:product/sims: device last_device_id directory',
    ])
    for (const route of itemwise) {
      const actions = route.deeds.map(({ action }) => catalog.actions.get(action))
      expect([route.id, ...actions.map((action) => action?.shape)]).toEqual([route.id, 'list'])
    }
  })

  it('are about a place as a whole where an item is nobody’s, and then no limit to devices passes them', () => {
    const whole = lists.flatMap((route) =>
      route.answer.kind === 'list' && route.answer.item === 'none' ? [route] : [],
    )
    const actions = new Set(whole.flatMap(({ deeds }) => deeds.map(({ action }) => action)))
    expect([...actions].filter((name) => catalog.actions.get(name)?.onDevice)).toEqual([
      // One device's records, or one instance's earlier data: the device is in the path or behind it.
      'devices.diagnostics:get',
      'ledger.instances.versions:list',
    ])
    expect([...actions].filter((name) => !catalog.actions.get(name)?.onDevice).toSorted()).toEqual([
      'build_targets:list',
      'clients:list',
      'customers:list',
      'device_os:list',
      'firmware:list',
      'groups:list',
      'integrations:list',
      'ledger.definitions:list',
      'logic.functions:list',
      'logic.runs:list',
      'logic.stats:list',
      'search:get',
      'secrets:list',
      'service_agreements.notifications:list',
      'service_agreements:list',
      'teams.users:list',
    ])
  })

  it('say of every filter and sort key which key of an item it reads', () => {
    const silent = lists.flatMap((route) => {
      if (route.answer.kind !== 'list' || route.answer.items === undefined) return []
      const { paging } = route.answer.items
      const pages = new Set([paging?.page, ...(paging?.size ?? []), 'sortDir'])
      return [...route.query].flatMap(([key, { reads }]) =>
        reads === undefined && !pages.has(key) ? [`${route.id}: ${key}`] : [],
      )
    })
    expect(silent).toEqual([])
    expect(byId('GET /v1/products/:product/devices').query.get('sortAttr')).toEqual({
      type: 'string',
      required: false,
      only: ['deviceId', 'deviceName', 'firmwareVersion', 'lastConnection'],
      reads: {
        deviceId: 'id',
        deviceName: 'name',
        firmwareVersion: 'firmware_version',
        lastConnection: 'last_heard',
      },
    })
  })

  it('cut the customers beside a product’s devices to the owners of those that stay', () => {
    const { items, secrets } = listOf(byId('GET /v1/products/:product/devices'))
    expect(items).toEqual({
      id: 'id',
      facts: 'item',
      paging: {
        page: 'page',
        size: ['perPage', 'per_page'],
        defaultSize: 25,
        maxSize: 100,
        meta: { pages: 'meta.total_pages' },
      },
      sides: [{ at: 'customers', key: 'username', of: 'owner', keep: ['username', 'id'] }],
      keep: [],
      narrow: [
        { query: 'deviceId', attribute: 'id' },
        { query: 'groups', attribute: 'groups' },
      ],
    })
    expect(secrets).toEqual(['mobile_secret'])
  })

  it('put the account’s devices together from the lists of products', () => {
    const { items } = listOf(byId('GET /v1/devices'))
    expect(items.paging).toBe(undefined)
    expect(items.across).toEqual(byId('GET /v1/products/:product/devices').pattern)
  })

  it('take a ledger’s instance for a device’s only in its scope', () => {
    expect(listOf(byId('GET /v1/products/:product/ledgers/:ledger/instances')).items.when).toEqual({
      at: 'scope.type',
      is: 'Device',
    })
  })

  it('show the devices of customers only where a rule names that key', () => {
    const { answer } = byId('GET /v1/products/:product/customers')
    expect(answer).toEqual({ kind: 'list', at: 'customers', item: 'none', secrets: ['devices'] })
  })

  it('read attributes of a product at the root of an item, and under a key in its look-up', () => {
    const { attributes, lookup } = catalog.resources.product
    expect(attributes.get('platform')).toMatchObject({
      from: 'product.platform_id',
      item: 'platform_id',
    })
    expect(lookup?.pick).toEqual({
      id: 'product.id',
      slug: 'product.slug',
      organization: 'product.organization',
    })
    expect(catalog.resources.device.attributes.get('groups')).not.toHaveProperty('item')
  })
})

describe('streams of the Particle catalog', () => {
  const streams = catalog.routes.filter(({ answer }) => answer.kind === 'stream')

  it('hear the product’s stream, or the organization’s where no product is meant', () => {
    expect(new Set(streams.map((route) => `${route.id} < ${sharedOf(route)}`))).toEqual(
      new Set(
        ['', '/:prefix'].flatMap((rest) => [
          `GET /v1/products/:product/devices/:device/events${rest} < /v1/products/:product/events`,
          `GET /v1/devices/:device/events${rest} < /v1/products/:product/events`,
          `GET /v1/orgs/:organization/devices/:device/events${rest} < /v1/products/:product/events`,
          `GET /v1/products/:product/events${rest} < /v1/products/:product/events`,
          `GET /v1/orgs/:organization/products/:product/events${rest} < /v1/products/:product/events`,
          `GET /v1/orgs/:organization/events${rest} < /v1/orgs/:organization/events`,
        ]),
      ),
    )
  })

  it('can be filled from the route or from the product of its device', () => {
    for (const { id, answer, pattern } of streams) {
      const had = parameters(pattern)
      const filled = had.includes('device') ? [...had, 'product'] : had
      const needed = answer.kind === 'stream' ? parameters(answer.shared) : ['no stream']
      expect([id, needed.length, needed.filter((name) => !filled.includes(name))]).toEqual([
        id,
        1,
        [],
      ])
    }
  })

  it('tell devices from the cloud and the API by the sender', () => {
    expect(catalog.events).toEqual({
      source: 'coreid',
      api: ['api'],
      cloud: ['particle-internal'],
    })
  })
})

describe('relations of the Particle catalog', () => {
  const related = catalog.routes.filter(({ relation }) => relation !== undefined)

  it('are about a device, on every route with a SIM card or an instance in its path', () => {
    const named = catalog.routes.filter(
      ({ kind, pattern }) =>
        kind.kind === 'upstream' &&
        parameters(pattern).some((name) => name === 'iccid' || name === 'instance'),
    )
    expect(named.length).toBe(15)
    expect(named).toEqual(related)
    for (const { deeds } of related)
      for (const { action } of deeds) {
        expect([action, catalog.actions.get(action)?.onDevice]).toEqual([action, true])
      }
    expect(catalog.actions.get('sims.usage:get.fleet')?.onDevice).toBe(false)
  })

  it('ask for what each form has in its path', () => {
    expect(byId('PUT /v1/products/:product/sims/:iccid').relation).toEqual({
      parameter: 'iccid',
      lookup: '/v1/products/:product/sims/:iccid',
      device: ['last_device_id', 'sim.last_device_id'],
      absent: [400, 403, 404],
    })
    const instance = { parameter: 'instance', device: [], absent: [400, 403, 404] }
    const when = { at: 'ledger.scope', is: 'Device' }
    const path = 'ledgers/:ledger/instances/:instance'
    expect(byId(`GET /v1/products/:product/${path}`).relation).toEqual({
      ...instance,
      when,
      lookup: '/v1/products/:product/ledgers/:ledger',
    })
    expect(byId(`DELETE /v1/orgs/:organization/${path}`).relation).toEqual({
      ...instance,
      when,
      lookup: '/v1/orgs/:organization/ledgers/:ledger',
    })
  })
})

function byId(id: string): Route {
  const found = catalog.routes.find((route) => route.id === id)
  if (found === undefined) throw new Error(`no route ${id}`)
  return found
}

function listOf({ id, answer }: Route): ListAnswer {
  if (answer.kind !== 'list' || answer.items === undefined) throw new Error(`${id}: no items`)
  return { ...answer, items: answer.items }
}

function summary({ item, items }: ListAnswer): string {
  return `${item} ${items.id} ${items.facts}`
}

function sharedOf({ answer }: Route): string | undefined {
  return answer.kind === 'stream' ? answer.shared.text : undefined
}

function parameters({ segments }: Route['pattern']): string[] {
  return segments.flatMap((segment) => ('parameter' in segment ? [segment.parameter] : []))
}
