/** Streams through the real gate carry exactly the events that an interpreter written apart from it says are due. */

import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { drawMany, policyFor, seedsOf, startBatch, type Batch } from '../oracle/batch.ts'
import { isDue } from '../oracle/events.ts'
import { listen, pause, waitUntil, type Heard, type Listener } from '../oracle/listen.ts'
import {
  factsOf,
  publications,
  streamQueries,
  type Publication,
  type StreamQuery,
} from '../oracle/publications.ts'
import { productOf } from '../oracle/world.ts'

const batches = 6
const users = 10
const streamsEach = 3
const events = 400

type Stream = { user: string; query: StreamQuery; listener: Listener }

describe('an event stream through the gate', () => {
  it('carries what its API user is due, in the order of each sender', async () => {
    const told = { streams: 0, due: 0, denied: 0 }
    for (const seed of seedsOf(batches)) {
      await using batch = await startBatch(seed, { theme: 'streams', users })
      using closing = new DisposableStack()
      const whole = await listenToCloud(batch, closing)
      const streams = await openStreams(batch, seed, closing)
      await publishAll(batch, drawMany(publications(batch.world), seed, events), whole)
      const dues = streams.map((stream) => dueOf(batch, stream, whole))
      const isSettled = () =>
        streams.every(({ listener }, index) => listener.heard.length >= (dues[index]?.length ?? 0))
      await waitUntil(isSettled, 20_000)
      // Time for what must not come.
      await pause(200)
      const misses = streams.flatMap((stream, index) => missOf(batch, stream, dues[index] ?? []))
      const [smallest] = misses.toSorted((one, other) => one.length - other.length)
      expect(
        smallest === undefined
          ? ''
          : `seed ${seed}: ${misses.length} of ${streams.length}: ${smallest}`,
      ).toBe('')
      told.streams += streams.length
      told.due += dues.flat().length
      told.denied += streams.filter(({ listener }) => listener.status === 403).length
    }
    if (process.env['ORACLE_TELL'] !== undefined) console.log(told)
    expect(told.due).toBeGreaterThan(events)
    expect(told.denied).toBeGreaterThan(0)
    expect(told.denied).toBeLessThan(told.streams)
  }, 120_000)
})

/** Everything that every product's own stream carries, by product. */
async function listenToCloud(
  { cloud, world }: Batch,
  closing: DisposableStack,
): Promise<Map<string, Listener>> {
  const all = new Map<string, Listener>()
  for (const { id } of world.products) {
    const listener = await listen(`${cloud.url}/v1/products/${id}/events`, cloud.token)
    all.set(id, closing.use(listener))
  }
  return all
}

async function openStreams(
  batch: Batch,
  seed: number,
  closing: DisposableStack,
): Promise<Stream[]> {
  const { gate, names, world } = batch
  const streams: Stream[] = []
  for (const [index, query] of drawMany(
    streamQueries(world),
    seed,
    users * streamsEach,
  ).entries()) {
    const user = names[index % names.length] ?? ''
    const listener = await listen(gate.url + query.path, gate.tokens[user] ?? '')
    streams.push({ user, query, listener: closing.use(listener) })
  }
  return streams
}

async function publishAll(
  { cloud }: Batch,
  list: readonly Publication[],
  whole: ReadonlyMap<string, Listener>,
): Promise<void> {
  for (const [index, { device, product, name }] of list.entries()) {
    if (device !== undefined) cloud.publish(device, name, String(index))
    else {
      await fetch(`${cloud.url}/v1/products/${product}/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${cloud.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name, data: String(index) }),
      })
    }
    if (index % 20 === 19) await pause(2)
  }
  const numbers = () =>
    [...whole.values()]
      .flatMap(({ heard }) => heard)
      .filter(({ coreid }) => coreid !== 'particle-internal')
  await waitUntil(() => numbers().length >= list.length, 20_000)
  expect(numbers()).toHaveLength(list.length)
}

function dueOf(
  { policy, world }: Batch,
  { user, query }: Stream,
  whole: ReadonlyMap<string, Listener>,
): Heard[] {
  const product = productOf(world, query.product)
  if (product === undefined) return []
  return (whole.get(product.id)?.heard ?? []).filter(
    (heard) =>
      (query.device === undefined || heard.coreid === query.device) &&
      isDue(policy, user, world, { event: factsOf(product, heard), prefix: query.prefix }),
  )
}

/** A stream that was refused is right where nothing was due. */
function missOf({ policy }: Batch, { user, query, listener }: Stream, due: Heard[]): string[] {
  const { status, heard } = listener
  if ([200, 403].includes(status) && isDeepStrictEqual(bySender(heard), bySender(due))) return []
  const extra = heard.filter(({ data }) => !due.some((other) => other.data === data))
  const missing = due.filter(({ data }) => !heard.some((other) => other.data === data))
  const told = { user, query, status, heard: heard.length, due: due.length }
  const examples = { extra: extra.slice(0, 2), missing: missing.slice(0, 2) }
  return [JSON.stringify({ ...told, ...examples, policy: policyFor(policy, user) }, undefined, 1)]
}

function bySender(heard: readonly Heard[]): Record<string, Heard[] | undefined> {
  return Object.groupBy(heard, ({ coreid }) => coreid)
}
