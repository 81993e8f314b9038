/** Lists stay right while the fleet is changed through the gate: nothing that was known before outlives a write. */

import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { seenBy } from './answers.ts'
import { drawMany, forEachOf, seedsOf, startBatch, type Batch } from './batch.ts'
import { bodyOf, compareList, smallest, type Case, type Miss } from './compare.ts'
import { editing, edits, type Edit } from './edits.ts'
import { listQueries } from './queries.ts'
import { idOf, readWorld } from './world.ts'

const users = 16
const steps = 40
const listsEach = 4

describe('a fleet that is changed through the gate', () => {
  it('is listed as it is after each change', async () => {
    const told = { cases: 0, pages: 0, items: 0, denied: 0, refusedKeys: 0 }
    let done = 0
    for (const seed of seedsOf(3)) {
      await using started = await startBatch(seed + 600, {
        theme: 'lists',
        users,
        derive: (policy, { products }) => {
          const ids = (products[0]?.devices ?? []).map(idOf)
          const rules = [{ can: editing }]
          // By name, not all: whoever may import has to say what.
          const admin = { owner: 'o@acme.example', never: true as const, product: '12345', rules }
          return {
            ...policy,
            users: { ...policy.users, admin: { ...admin, devices: [...ids, 'a'.repeat(24)] } },
          }
        },
      })
      const own = started.world.products[0]?.devices.map(idOf) ?? []
      const readers = started.names.filter((name) => name !== 'admin')
      const queries = drawMany(listQueries(true), seed, steps * listsEach)
      let batch = started
      for (const [step, edit] of drawMany(edits([...own, 'a'.repeat(24)]), seed, steps).entries()) {
        if ((await send(batch, edit)) < 300) done += 1
        batch = { ...started, world: await readWorld(started.cloud) }
        const cases = queries
          .slice(step * listsEach, (step + 1) * listsEach)
          .map((query, index): Case => ({ query, user: readers[(step + 5 * index) % users] ?? '' }))
        const misses: Miss[] = []
        await forEachOf(cases, async (each) => {
          const found = await compareList(batch, each, told)
          if (found !== undefined) misses.push({ ...each, ...found })
        })
        misses.push(...(await singlesOf(batch, edit, cases)))
        const said = smallest(misses, batch, seed + 600)
        expect(said === '' ? '' : `step ${step}, ${JSON.stringify(edit)}: ${said}`).toBe('')
      }
    }
    expect(done).toBeGreaterThan(steps)
    expect(told.items).toBeGreaterThan(told.cases)
  }, 120_000)
})

async function send({ gate }: Batch, { method, path, body }: Edit): Promise<number> {
  const answer = await fetch(gate.url + path, {
    method,
    headers: {
      authorization: `Bearer ${gate.tokens['admin']}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  await answer.text()
  expect({ method, path, body, failed: answer.status >= 500 }).toMatchObject({ failed: false })
  return answer.status
}

/** The device that the write was about, alone. */
async function singlesOf(batch: Batch, edit: Edit, cases: readonly Case[]): Promise<Miss[]> {
  const { policy, world } = batch
  const [, id] = /devices\/([0-9a-f]{24})$/.exec(edit.path) ?? []
  const device = world.products[0]?.devices.find((each) => idOf(each) === id)
  if (device === undefined) return []
  const misses: Miss[] = []
  for (const { user } of cases) {
    const path = `/v1/products/12345/devices/${id}`
    const ask = { action: 'devices:get', product: '12345', device }
    const due = seenBy(policy, user, world, ask)
    const answer = await batch.ask(user, path)
    const got = answer.status === 403 ? undefined : bodyOf(answer)
    if (!isDeepStrictEqual(got, due)) misses.push({ user, what: path, expected: due, got })
  }
  return misses
}
