/** Random writes as an administrator's script would send them through the gate. */

import { fc } from '../kit/fc.ts'
import { groupNames } from './fleets.ts'

export type Edit = { method: 'PUT' | 'POST' | 'DELETE'; path: string; body?: object }

/** Every action that the edits need, named exactly. */
export const editing = [
  'devices:update.groups',
  'devices:update.name',
  'devices:update.development',
  'devices:update.firmware_version',
  'devices:remove.device',
  'devices:remove.deny',
  'devices:release',
  'devices:import.ids',
  'groups:create',
  'groups:update',
  'groups:remove',
]

/** @param ids devices that may be edited, removed from their product and imported again */
export function edits(ids: readonly string[]): fc.Arbitrary<Edit> {
  const id = fc.constantFrom(...ids)
  const group = fc.constantFrom(...groupNames)
  const some = fc.subarray(groupNames, { maxLength: 2 })
  const one = (body: fc.Arbitrary<object>): fc.Arbitrary<Edit> =>
    fc.tuple(id, body).map(([device, sent]) => ({
      method: 'PUT',
      path: `/v1/products/12345/devices/${device}`,
      body: sent,
    }))
  return fc.oneof<fc.MaybeWeightedArbitrary<Edit>[]>(
    { weight: 4, arbitrary: one(some.map((groups) => ({ groups }))) },
    {
      weight: 3,
      arbitrary: fc
        .record({
          action: fc.constant('groups'),
          devices: fc.uniqueArray(id, { minLength: 1, maxLength: 5 }),
          metadata: fc.record({ add: some, remove: some }),
        })
        .map((body) => ({ method: 'PUT', path: '/v1/products/12345/devices', body })),
    },
    { weight: 2, arbitrary: one(fc.boolean().map((development) => ({ development }))) },
    { weight: 2, arbitrary: one(fc.nat(99).map((number) => ({ name: `renamed-${number}` }))) },
    {
      weight: 2,
      arbitrary: one(
        fc.constantFrom(1, 2, 3, null).map((version) => ({ desired_firmware_version: version })),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(id, fc.boolean()).map(([device, deny]) => ({
        method: 'DELETE',
        path: `/v1/products/12345/devices/${device}`,
        ...(deny && { body: { deny } }),
      })),
    },
    {
      weight: 1,
      arbitrary: id.map((device) => ({
        method: 'DELETE',
        path: `/v1/products/12345/devices/${device}/owner`,
      })),
    },
    {
      weight: 2,
      arbitrary: fc.uniqueArray(id, { minLength: 1, maxLength: 4 }).map((imported) => ({
        method: 'POST',
        path: '/v1/products/12345/devices',
        body: { ids: imported },
      })),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(group, group).map(([name, other]) => ({
        method: 'PUT',
        path: `/v1/products/12345/groups/${name}`,
        body: { name: other },
      })),
    },
    {
      weight: 1,
      arbitrary: group.map((name) => ({
        method: 'DELETE',
        path: `/v1/products/12345/groups/${name}`,
      })),
    },
    {
      weight: 2,
      arbitrary: group.map((name) => ({
        method: 'POST',
        path: '/v1/products/12345/groups',
        body: { name },
      })),
    },
  )
}
