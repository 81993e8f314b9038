// Paging through what the gate cuts equals filtering the whole list, by a few lines that share nothing with it.

import { fc } from '../../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { listsRig, type Row } from '../../../kit/lists-rig.ts'
import { PRODUCT, userWith } from '../../../kit/policies.ts'

const path = `/v1/products/${PRODUCT}/devices`
const groupNames = ['a', 'b', 'c']

type Device = { id: string; groups: string[]; owner: string | null; online: boolean; name: string }

const device = fc.record({
  id: fc.integer({ min: 1, max: 0xffff }).map((n) => n.toString(16).padStart(24, '0')),
  groups: fc.subarray(groupNames),
  owner: fc.option(fc.constantFrom('ann', 'bob', 'eve')),
  online: fc.boolean(),
  name: fc.constantFrom('x', 'y', 'z'),
})
const fleets = fc.uniqueArray(device, { selector: ({ id }) => id, maxLength: 40 })

type Limit = { text: string; reaches: (one: Device) => boolean }

function limits(fleet: readonly Device[]): fc.Arbitrary<Limit> {
  const some = fc.subarray(groupNames, { minLength: 1 })
  return fc.oneof(
    some.map((names) => ({
      text: `{ groups: { $any: [${names.join()}] } }`,
      reaches: ({ groups }: Device) => groups.some((each) => names.includes(each)),
    })),
    fc.boolean().map((online) => ({
      text: `{ online: ${online} }`,
      reaches: (one: Device) => one.online === online,
    })),
    fc
      .subarray(fleet.map(({ id }) => id))
      .map((ids) => ['f'.repeat(24), ...ids])
      .map((ids) => ({
        text: `[${ids.join()}]`,
        reaches: ({ id }: Device) => ids.includes(id),
      })),
  )
}

type Keys = { rules: string; shows: (one: Device) => Partial<Device> }

const rules: fc.Arbitrary<Keys> = fc.constantFrom<Keys>(
  { rules: '- can: devices:list', shows: (one) => one },
  {
    rules: '- can: devices:list\n  answer: [id, owner]',
    shows: ({ id, owner }) => ({ id, owner }),
  },
  {
    rules:
      '- can: devices:list\n- cannot: devices:list\n  where: { online: true }\n  hide: [owner]',
    shows: ({ owner, ...rest }) => (rest.online ? rest : { ...rest, owner }),
  },
  {
    rules: '- can: devices:list\n  where: { groups: { $any: [a, b] } }\n  answer: [id, groups]',
    shows: ({ id, groups }) => (groups.includes('a') || groups.includes('b') ? { id, groups } : {}),
  },
)

const cases = fleets.chain((fleet) =>
  fc.record({
    fleet: fc.constant(fleet),
    limit: limits(fleet),
    keys: rules,
    size: fc.integer({ min: 1, max: 12 }),
    group: fc.option(fc.constantFrom(...groupNames)),
  }),
)

describe('a cut list', () => {
  it('equals the whole one filtered, item for item and total for total', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ fleet, limit, keys, size, group }) => {
        const owners = [...new Set(fleet.flatMap(({ owner }) => owner ?? []))]
        const gate = listsRig({
          policies: userWith(keys.rules, `devices: ${limit.text}`),
          cloud: {
            [path]: {
              devices: fleet.map((one) => ({ ...one, mobile_secret: 'TOP' })),
              customers: owners.map((username) => ({ username })),
              meta: { total_pages: 99 },
            },
          },
        })
        // A filter over what is hidden is refused; that is a test of its own.
        const filter = group === null || keys.rules.includes('answer') ? '' : `&groups=${group}`
        const due = fleet
          .filter((one) => limit.reaches(one))
          .filter(({ groups }) => filter === '' || groups.includes(group ?? ''))
          .map((one) => keys.shows(one))
          .filter((one) => Object.keys(one).length > 0)
        const pages = Math.ceil(due.length / size)
        for (let page = 1; page <= pages + 1; page += 1) {
          const { body } = await gate.ask(`GET ${path}?page=${page}&perPage=${size}${filter}`)
          const devices = due.slice((page - 1) * size, page * size)
          const named = devices.map(({ owner }) => owner)
          expect(body).toEqual({
            devices,
            customers: owners
              .filter((each) => named.includes(each))
              .map((username) => ({ username })),
            meta: { total_pages: pages },
          })
        }
      }),
      { numRuns: 300 },
    )
  }, 60_000)

  it('never shows less where a grant says more', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ fleet, limit, keys }) => {
        const shown = async (text: string) => {
          const cloud = { [path]: { devices: fleet } }
          const gate = listsRig({ policies: userWith(text, `devices: ${limit.text}`), cloud })
          const { body } = await gate.ask(`GET ${path}?perPage=100`)
          return new Map((body as { devices: Row[] }).devices.map((row) => [row['id'], row]))
        }
        const narrow = await shown(keys.rules)
        const wide = await shown(`${keys.rules}\n- can: devices:list\n  answer: [id, name]`)
        for (const [id, row] of narrow) expect(wide.get(id)).toMatchObject(row)
      }),
      { numRuns: 100 },
    )
  }, 60_000)
})
