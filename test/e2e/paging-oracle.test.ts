/** Pages through the real gate equal the whole fleet filtered by an interpreter that shares no code with it. */

import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { seenBy } from '../oracle/answers.ts'
import { drawMany, forEachOf, seedsOf, startBatch, type Answer } from '../oracle/batch.ts'
import { bodyOf, brief, compareList, smallest, type Case, type Miss } from '../oracle/compare.ts'
import { dueOwnDevices } from '../oracle/lists.ts'
import { listQueries, searchOf } from '../oracle/queries.ts'
import { idOf } from '../oracle/world.ts'

const batches = 10
const usersEach = 40
const queriesEach = 320

/** Headers that differ between two answers to the same request, or belong to the connection. */
const ownToEach = new Set([
  'x-request-id',
  'x-upstream-request-id',
  'date',
  'connection',
  'keep-alive',
])

describe('a device list through the gate', () => {
  it('is that of a cloud which holds only the devices of the API user, page for page', async () => {
    const told = { cases: 0, pages: 0, items: 0, denied: 0, refusedKeys: 0 }
    for (const seed of seedsOf(batches)) {
      await using batch = await startBatch(seed, { theme: 'lists', users: usersEach })
      const queries = drawMany(listQueries(batch.fleet.hasNulls), seed, queriesEach)
      const cases = queries.map((query, index): Case => {
        return { query, user: batch.names[index % batch.names.length] ?? '' }
      })
      const misses: Miss[] = []
      await forEachOf(cases, async (each) => {
        const found = await compareList(batch, each, told)
        if (found !== undefined) misses.push({ ...each, ...found })
      })
      expect(smallest(misses, batch, seed)).toBe('')
    }
    if (process.env['ORACLE_TELL'] !== undefined) console.log(told)
    expect(told.cases).toBe(batches * queriesEach)
    expect(told.items).toBeGreaterThan(told.cases)
    expect(told.denied).toBeGreaterThan(0)
  }, 300_000)

  it('answers HEAD as GET, but for the body', async () => {
    const [seed = 1] = seedsOf(1)
    await using batch = await startBatch(seed + 500, { theme: 'lists', users: 20 })
    const queries = drawMany(listQueries(batch.fleet.hasNulls), seed, 80)
    const statuses = new Set<number>()
    await forEachOf([...queries.entries()], async ([index, query]) => {
      const user = batch.names[index % batch.names.length] ?? ''
      const path = `/v1/products/${query.product}/devices${searchOf(query)}`
      const got = await batch.ask(user, path)
      const head = await batch.ask(user, path, 'HEAD')
      statuses.add(got.status)
      expect(head.text).toBe('')
      expect([head.status, headersOf(head)]).toEqual([got.status, headersOf(got)])
      expect(Number(got.headers.get('content-length'))).toBe(Buffer.byteLength(got.text))
      expect(got.headers.has('etag')).toBe(false)
    })
    expect(statuses).toEqual(new Set([200, 403]))
  }, 60_000)

  it('of /v1/devices is the lists of all products of the boundary', async () => {
    for (const seed of seedsOf(3)) {
      await using batch = await startBatch(seed + 700, { theme: 'lists', users: usersEach })
      const { policy, world } = batch
      const misses: Miss[] = []
      await forEachOf(batch.names, async (user) => {
        const due = dueOwnDevices(policy, user, world)
        const answer = await batch.ask(user, '/v1/devices')
        const got = answer.status === 403 ? undefined : bodyOf(answer)
        if (!isDeepStrictEqual(got, due)) {
          misses.push({ user, what: 'own devices', expected: brief(due), got: brief(got) })
        }
      })
      expect(smallest(misses, batch, seed + 700)).toBe('')
    }
  }, 60_000)

  it('shows a device alone as devices:get decides it', async () => {
    for (const seed of seedsOf(3)) {
      await using batch = await startBatch(seed + 900, { theme: 'lists', users: usersEach })
      const { policy, world } = batch
      const asks = batch.names.flatMap((user, index) =>
        world.products.flatMap(({ id: product, devices }) =>
          [devices[index % devices.length], devices[(7 * index) % devices.length]].flatMap(
            (device) => (device === undefined ? [] : [{ user, product, device }]),
          ),
        ),
      )
      const misses: Miss[] = []
      await forEachOf(asks, async ({ user, product, device }) => {
        const path = `/v1/products/${product}/devices/${idOf(device)}`
        const answer = await batch.ask(user, path)
        const due = seenBy(policy, user, world, { action: 'devices:get', product, device })
        const got = answer.status === 403 ? undefined : bodyOf(answer)
        if (!isDeepStrictEqual(got, due)) misses.push({ user, what: path, expected: due, got })
      })
      expect(smallest(misses, batch, seed + 900)).toBe('')
    }
  }, 60_000)
})

function headersOf({ headers }: Answer): [string, string][] {
  return [...headers].filter(([name]) => !ownToEach.has(name))
}
