/** Random conditions over the few groups, versions and flags of the random fleets. */

import { fc } from '../kit/fc.ts'
import { groupNames } from './fleets.ts'
import type { Conditions, Theme } from './language.ts'
import { idOf, type World } from './world.ts'

/** Ids of any product, and one that no device has. */
export function someIds(world: World): fc.Arbitrary<string[]> {
  const ids = [...world.products.flatMap((product) => product.devices.map(idOf)), 'f'.repeat(24)]
  return fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 40 })
}

/** One to two attributes, now and then joined by words. */
export function conditions(world: World, theme: Theme): fc.Arbitrary<Conditions> {
  const flat =
    theme === 'lists' ? fc.oneof({ weight: 8, arbitrary: leaf(world) }, still()) : leaf(world)
  return fc.oneof(
    { weight: 6, arbitrary: flat },
    { weight: 1, arbitrary: fc.tuple(flat, flat).map(([one, other]) => ({ ...one, ...other })) },
    { weight: 1, arbitrary: fc.tuple(flat, flat).map((parts) => ({ $or: parts })) },
    { weight: 1, arbitrary: fc.tuple(flat, flat).map((parts) => ({ $and: parts })) },
    { weight: 1, arbitrary: flat.map((part) => ({ $not: part })) },
  )
}

/** What publishing changes, or what an event of no device may have too: for lists alone. */
function still(): fc.Arbitrary<Conditions> {
  return fc.oneof(
    fc
      .tuple(fc.constantFrom('$lt', '$gte'), fc.integer({ min: 2, max: 11 }))
      .map(([operator, hour]) => ({
        last_heard: { [operator]: `2026-01-15T${String(hour).padStart(2, '0')}:00:00Z` },
      })),
    fc.constantFrom('12345', '12346').map((product) => ({ product: Number(product) })),
    fc.constantFrom('$eq', '$ne', '$lt').map((operator) => ({ platform: { [operator]: 13 } })),
    fc.constant({ last_heard: { $lt: '2026-01-15' } }),
  )
}

function leaf(world: World): fc.Arbitrary<Conditions> {
  const sites = fc.subarray(groupNames, { minLength: 1, maxLength: 4 })
  const version = fc.integer({ min: 1, max: 5 })
  const text = fc.constantFrom('$in', '$nin')
  const number = fc.constantFrom('$eq', '$ne', '$lt', '$lte', '$gt', '$gte')
  const flag = fc.constantFrom('$eq', '$ne', undefined)
  const under = (name: string) => (tested: unknown) => ({ [name]: tested })
  const flags = fc.tuple(flag, fc.boolean())
  const asFlag = ([operator, value]: [string | undefined, boolean]) =>
    operator === undefined ? value : { [operator]: value }
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom('$any', '$any', '$all', '$only'), sites)
        .map(([operator, value]) => ({ groups: { [operator]: value } })),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom('firmware_version', 'desired_firmware_version'), number, version)
        .map(([name, operator, value]) => ({ [name]: { [operator]: value } })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(text, fc.uniqueArray(version, { minLength: 1, maxLength: 3 }))
        .map(([operator, value]) => ({ firmware_version: { [operator]: value } })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('firmware_version', 'desired_firmware_version'), fc.boolean())
        .map(([name, value]) => ({ [name]: { $exists: value } })),
    },
    { weight: 1, arbitrary: flags.map(asFlag).map(under('online')) },
    { weight: 1, arbitrary: flags.map(asFlag).map(under('development')) },
    { weight: 1, arbitrary: flags.map(asFlag).map(under('quarantined')) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(text, someIds(world))
        .map(([operator, value]) => ({ id: { [operator]: value } })),
    },
  )
}
