/** Random events, and random streams to hear them on. */

import { fc } from '../kit/fc.ts'
import { productIds } from './fleets.ts'
import type { EventFacts } from './language.ts'
import type { Heard } from './listen.ts'
import { eventNames } from './policies.ts'
import { idOf, type World, type WorldProduct } from './world.ts'

export type Publication = { product: string; name: string; device: string | undefined }

/** One of a device, or by the API; the cloud adds its own to some of them. */
export function publications(world: World): fc.Arbitrary<Publication> {
  const product = fc.constantFrom(...world.products.filter(({ devices }) => devices.length > 0))
  return fc
    .tuple(
      fc.oneof(
        { weight: 1, arbitrary: product },
        { weight: 2, arbitrary: fc.constant(world.products[0]) },
      ),
      fc.constantFrom(...eventNames),
      fc.nat(1000),
    )
    .map(([from, name, number]) => ({ product: from?.id ?? '', name, device: pick(from, number) }))
}

function pick(product: WorldProduct | undefined, number: number): string | undefined {
  const device = product?.devices[number % (product.devices.length + 6)]
  return device && idOf(device)
}

export type StreamQuery = {
  path: string
  product: string
  device: string | undefined
  prefix: string
}

export function streamQueries(world: World): fc.Arbitrary<StreamQuery> {
  const prefix = fc.constantFrom('', '', 'a', 'alarm', 'tick/', 'hook', 'temperature')
  const product = fc.constantFrom('12345', '12345', '12345', ...productIds)
  const form = fc.constantFrom('product', 'product', 'product', 'device', 'user')
  return fc.tuple(product, prefix, form, fc.nat(1000)).map(([id, begin, asked, number]) => {
    const devices = world.products.find((each) => each.id === id)?.devices ?? []
    const device = devices[number % Math.max(1, devices.length)]
    const rest = `events${begin === '' ? '' : `/${encodeURIComponent(begin)}`}`
    if (asked === 'product' || device === undefined) {
      return { path: `/v1/products/${id}/${rest}`, product: id, device: undefined, prefix: begin }
    }
    const own = idOf(device)
    const where = asked === 'user' ? `/v1/devices/${own}` : `/v1/products/${id}/devices/${own}`
    return { path: `${where}/${rest}`, product: id, device: own, prefix: begin }
  })
}

/** Who sent it, by the mark that the cloud puts on it. */
export function factsOf(
  { id: product, devices }: WorldProduct,
  { name, coreid }: Heard,
): EventFacts {
  if (coreid === 'api') return { product, name, source: 'api' }
  if (coreid === 'particle-internal') return { product, name, source: 'cloud' }
  const device = devices.find((each) => idOf(each) === coreid)
  if (device === undefined) throw new Error(`an event of ${coreid} in product ${product}`)
  return { product, name, source: 'device', device }
}
