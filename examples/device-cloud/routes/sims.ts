/** SIM cards of the cellular devices. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { findProduct, needs, param, principalOf, reaches } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { roll } from '../identity.ts'
import { paginate } from '../paging.ts'
import type { Payload } from '../payloads.ts'
import { failed, permissionDenied } from '../refusals.ts'
import { Selections } from '../selections.ts'
import type { Device } from '../state.ts'

const lists = { user: '/v1/sims', product: '/v1/products/:product/sims' }
const oneSim = [`${lists.user}/:iccid`, `${lists.product}/:iccid`]

export function simRoutes({ world }: Context): Router {
  const router = Router()
  /** Status checks asked for once: the first answer is "wait", the next one has the result. */
  const pendingChecks = new Set<string>()

  router.get(lists.user, needs('sims:list'), (request, response) => {
    const principal = principalOf(response)
    const own = [...world.devices()].filter(({ owner }) => owner === principal.name)
    const { items } = paginate(select(principal.name, own, request), request.query)
    response.json({ sims: items.map(present) })
  })

  router.get(lists.product, needs('sims:list'), (request, response) => {
    const product = findProduct(world, request, response)
    const found = select(String(product.id), product.devices, request)
    const { items, totalPages } = paginate(found, request.query)
    response.json({ sims: items.map(present), meta: { total_pages: totalPages } })
  })

  // Before the card route: data_usage is no card.
  router.get(`${lists.product}/data_usage`, needs('sims.usage:get'), (request, response) => {
    const { devices } = findProduct(world, request, response)
    response.json({ ...usage(Math.max(1, devices.length), 0), total_mbs_used: devices.length })
  })

  router.get(oneSim, needs('sims:get'), (request, response) => {
    response.json(present(holderOf(request, response)))
  })

  router.get(
    oneSim.map((path) => `${path}/data_usage`),
    needs('sims.usage:get'),
    (request, response) => {
      const device = holderOf(request, response)
      response.json({ iccid: device.iccid, ...usage(1, device.index) })
    },
  )

  router.get(
    oneSim.map((path) => `${path}/status`),
    needs('sims.status:get'),
    (request, response) => {
      const device = holderOf(request, response)
      const now = new Date().toISOString()
      if (!pendingChecks.delete(device.id)) {
        pendingChecks.add(device.id)
        const meta = { created_at: now, state: 'pending', check_again_after: now }
        response.status(202).json({ ok: true, meta })
        return
      }
      response.json({
        ok: true,
        meta: { created_at: now, state: 'complete' },
        sim_status: {
          connected_to_network: device.online,
          connected_to_cloud: device.online,
          sim_status: device.simStatus,
        },
      })
    },
  )

  router.put(oneSim, needs('sims:update'), (request, response) => {
    const device = holderOf(request, response)
    const action = textOf(bodyOf(request)['action'])
    if (action === 'deactivate') device.simStatus = 'inactive - user deactivated'
    else if (action === 'activate' || action === 'reactivate') device.simStatus = 'active'
    else throw failed(400, 'Unknown action')
    response.json({ ok: true })
  })

  router.delete(oneSim, needs('sims:remove'), (request, response) => {
    holderOf(request, response).simStatus = 'released'
    response.status(204).end()
  })

  const selections = new Selections<Device>()
  function select(whose: string, devices: readonly Device[], { query }: Request) {
    const { page: _page, perPage: _perPage, per_page: _alsoPerPage, ...asked } = query
    const question = `${whose} ${JSON.stringify(asked)}`
    return selections.of(question, world.version, () => filtered(devices, asked))
  }

  function holderOf(request: Request, response: Response): Device {
    const device = world.deviceByIccid(param(request, 'iccid'))
    const product = 'product' in request.params ? findProduct(world, request, response) : undefined
    if (!device || !reaches(principalOf(response), device)) throw permissionDenied()
    if (product && device.productId !== product.id) throw permissionDenied()
    return device
  }

  return router
}

function filtered(devices: readonly Device[], query: Request['query']): Device[] {
  const iccid = textOf(query['iccid']) ?? ''
  const id = (textOf(query['deviceId']) ?? '').toLowerCase()
  const name = textOf(query['deviceName']) ?? ''
  return devices.filter(
    (device) =>
      device.simStatus !== 'released' &&
      (device.iccid?.includes(iccid) ?? false) &&
      device.id.includes(id) &&
      device.name.includes(name),
  )
}

function present(device: Device): Payload {
  return {
    iccid: device.iccid,
    status: device.simStatus,
    base_country_code: 'US',
    carrier: 'simulated',
    activations_count: 1,
    last_device_id: device.id,
    last_device_name: device.name,
    device_id: device.id,
    device_name: device.name,
    product_id: device.productId,
  }
}

function usage(cards: number, seed: number): Payload {
  let sum = 0
  const days = ['2026-01-13', '2026-01-14', '2026-01-15'].map((date, index) => {
    const used = (cards * (10 + roll(seed, index, 17, 90))) / 100
    sum += used
    return { date, mbs_used: used, mbs_used_cumulative: sum }
  })
  return { usage_by_day: days }
}
