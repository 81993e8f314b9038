/** Ledgers: a few definitions per owner, and instances that can be read, set and deleted. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { findOrganization, findProduct, needs, param, principalOf } from '../access.ts'
import { bodyOf, isTrue, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { paginate } from '../paging.ts'
import type { Page } from '../paging.ts'
import type { Payload } from '../payloads.ts'
import { failed } from '../refusals.ts'
import type { Product } from '../state.ts'

const seededAt = '2026-01-10T08:00:00.000Z'
/** Of a product's devices, how many have an instance of the ledger of devices. */
const withInstances = 500

interface Ledger {
  name: string
  scope: 'Owner' | 'Product' | 'Device'
  direction: 'Upstream' | 'Downstream'
  instances: Map<string, Instance>
}

interface Instance {
  data: Record<string, unknown>
  updatedAt: string
}

const all = ['/v1/ledgers', '/v1/products/:product/ledgers', '/v1/orgs/:organization/ledgers']
const one = all.map((path) => `${path}/:ledger`)
const instances = one.map((path) => `${path}/instances`)
const instance = instances.map((path) => `${path}/:value`)

export function ledgerRoutes({ world }: Context): Router {
  const router = Router()
  const shelves = new Map<string, Map<string, Ledger>>()

  router.get(all, needs('ledger.definitions:list'), (request, response) => {
    const wanted = textOf(request.query['scope'])
    const all = [...shelfOf(request, response).values()]
    // No ledger is ever archived here.
    const kept = isTrue(request.query['archived']) ? [] : all
    const ledgers = kept.filter(({ scope }) => wanted === undefined || scope === wanted)
    const page = paginate(ledgers, request.query, { size: 100 })
    response.json({ ledgers: page.items.map(presentLedger), meta: metaOf(page) })
  })

  router.get(one, needs('ledger.definitions:get'), (request, response) => {
    response.json({ ledger: presentLedger(ledgerOf(request, response)) })
  })

  router.get(instances, needs('ledger.instances:list'), (request, response) => {
    const ledger = ledgerOf(request, response)
    const page = paginate([...ledger.instances], request.query, { size: 100 })
    const items = page.items.map(([value, held]) => presentInstance(ledger, value, held))
    response.json({ instances: items, meta: metaOf(page) })
  })

  router.get(instance, needs('ledger.instances:get'), (request, response) => {
    const ledger = ledgerOf(request, response)
    const value = param(request, 'value')
    const held = ledger.instances.get(value)
    if (!held) throw failed(404, 'Instance not found')
    response.json({ instance: presentInstance(ledger, value, held) })
  })

  router.put(instance, needs('ledger.instances:set'), (request, response) => {
    const ledger = ledgerOf(request, response)
    const value = param(request, 'value')
    const body = bodyOf(request)
    const given = Object(body['instance'] ?? body) as { data?: unknown }
    const fresh = Object(given.data ?? {}) as Record<string, unknown>
    const before = request.query['set_mode'] === 'Merge' ? ledger.instances.get(value)?.data : {}
    const held = { data: { ...before, ...fresh }, updatedAt: new Date().toISOString() }
    ledger.instances.set(value, held)
    response.status(201).json({ instance: presentInstance(ledger, value, held) })
  })

  router.delete(instance, needs('ledger.instances:remove'), (request, response) => {
    const ledger = ledgerOf(request, response)
    if (!ledger.instances.delete(param(request, 'value'))) throw failed(404, 'Instance not found')
    response.status(204).end()
  })

  function ledgerOf(request: Request, response: Response): Ledger {
    const ledger = shelfOf(request, response).get(param(request, 'ledger'))
    if (!ledger) throw failed(404, 'Ledger not found')
    return ledger
  }

  /** The ledgers of the product, organization or account a path speaks of. */
  function shelfOf(request: Request, response: Response): Map<string, Ledger> {
    if ('product' in request.params) {
      const product = findProduct(world, request, response)
      return shelf(`product ${product.id}`, () => [
        newLedger('device-config', 'Device', 'Downstream', firstIds(product)),
        newLedger('product-defaults', 'Product', 'Downstream', [String(product.id)]),
      ])
    }
    if ('organization' in request.params) {
      const { id } = findOrganization(world, request, response)
      return shelf(`organization ${id}`, () => [
        newLedger('org-defaults', 'Owner', 'Downstream', [id]),
      ])
    }
    const { name, kind } = principalOf(response)
    if (kind === 'api_user') throw failed(404, 'Ledger not found')
    return shelf(`account ${name}`, () => [
      newLedger('sandbox-defaults', 'Owner', 'Downstream', [name]),
    ])
  }

  function shelf(key: string, seed: () => Ledger[]): Map<string, Ledger> {
    const known = shelves.get(key)
    if (known) return known
    const fresh = new Map(seed().map((ledger) => [ledger.name, ledger]))
    shelves.set(key, fresh)
    return fresh
  }

  return router
}

function firstIds({ devices }: Product): string[] {
  return devices.slice(0, withInstances).map(({ id }) => id)
}

function newLedger(
  name: string,
  scope: Ledger['scope'],
  direction: Ledger['direction'],
  values: string[],
): Ledger {
  const first = (): Instance => ({ data: { interval: 60 }, updatedAt: seededAt })
  return { name, scope, direction, instances: new Map(values.map((value) => [value, first()])) }
}

function metaOf({ page, perPage, totalPages, total }: Page<unknown>): Payload {
  return { page, per_page: perPage, total_pages: totalPages, total }
}

function presentLedger({ name, scope, direction }: Ledger): Payload {
  return {
    name,
    scope,
    direction,
    description: `The ${name} ledger`,
    created_at: seededAt,
    updated_at: seededAt,
    archived_at: null,
  }
}

function presentInstance(ledger: Ledger, value: string, { data, updatedAt }: Instance): Payload {
  return {
    name: ledger.name,
    scope: { type: ledger.scope, value },
    size_bytes: Buffer.byteLength(JSON.stringify(data)),
    data,
    created_at: seededAt,
    updated_at: updatedAt,
  }
}
