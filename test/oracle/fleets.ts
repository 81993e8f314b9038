/** Random fleets for the simulated cloud: few groups, names and versions, so that policies hit some and miss some. */

import { fc } from '../kit/fc.ts'

export const groupNames = ['site-1', 'site-2', 'site-3', 'site-4', 'site-5', 'site-6']

export const productIds = ['12345', '12346', '67890']

export type DeviceTraits = {
  groups: string[]
  /** NaN is how the simulated cloud is told to say null. */
  firmware_version: number
  desired_firmware_version: number | null
  online: boolean
  development: boolean
  quarantined: boolean
  name: string
  owner: number
}

/** Devices of the first product, and traits that all products' devices take in turn. */
export type Fleet = { size: number; traits: readonly DeviceTraits[]; hasNulls: boolean }

const words = ['hall', 'lobby', 'roof', 'Lobby', 'cellar-1', 'cellar-10']

export function fleets(): fc.Arbitrary<Fleet> {
  return fc
    .record({
      size: fc.oneof(
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
        { weight: 4, arbitrary: fc.integer({ min: 30, max: 120 }) },
      ),
      hasNulls: fc.boolean(),
    })
    .chain(({ size, hasNulls }) =>
      fc.record({
        size: fc.constant(size),
        hasNulls: fc.constant(hasNulls),
        traits: fc.array(traits(hasNulls), { minLength: 120, maxLength: 180 }),
      }),
    )
}

function traits(hasNulls: boolean): fc.Arbitrary<DeviceTraits> {
  const version = fc.integer({ min: 1, max: 5 })
  return fc.record({
    groups: fc.subarray(groupNames, { maxLength: 3 }),
    firmware_version: hasNulls ? fc.oneof(version, fc.constant(Number.NaN)) : version,
    desired_firmware_version: fc.option(fc.integer({ min: 1, max: 3 })),
    online: fc.boolean(),
    development: fc.boolean(),
    quarantined: fc.boolean(),
    name: fc.constantFrom(...words),
    owner: fc.integer({ min: 0, max: 6 }),
  })
}

type Cloud = {
  fleet: { devices(productId: number): Readonly<Record<string, unknown>>[] }
  setDevice(device: string, attributes: Record<string, unknown>): void
}

/** Gives every device of the cloud its random traits; call it before anything has read the fleet. */
export function dressFleet(cloud: Cloud, { traits: wardrobe }: Fleet): void {
  let at = 0
  for (const product of productIds) {
    for (const { id } of cloud.fleet.devices(Number(product))) {
      const worn = wardrobe[at % wardrobe.length]
      if (worn === undefined) throw new Error('no traits to give')
      const { owner, name, ...rest } = worn
      cloud.setDevice(String(id), {
        ...rest,
        name: `${name}-${at}`,
        owner: ownerOf(product, owner),
      })
      at += 1
    }
  }
}

/** The simulated cloud's customers are `customer-1` to `customer-5` of each product. */
function ownerOf(product: string, number: number): string | null {
  if (number === 0) return null
  if (number === 6) return 'fleet@acme.example'
  const domain = product === '67890' ? 'globex.example' : 'acme.example'
  return `customer-${number}.${product}@${domain}`
}
