// Events of an organization's stream: whose they are is found first, in order and in bounded time and memory.

import { describe, expect, it } from 'vitest'
import { Problem } from '../../../../src/domain/problem.ts'
import { maxWaitingBytes } from '../../../../src/proxy/streams/waiting.ts'
import { fakeDirectory } from '../../../kit/fakes.ts'
import { aJudge, limits, mine, other, settled, streamsRig, yes } from '../../../kit/streams-rig.ts'

const third = 'c'.repeat(24)

/** Finds all but `other`, when the test says so. */
function playedDirectory() {
  const known = new Map<string, { product: string | undefined }>()
  const waiting: ((product: string | undefined) => void)[] = []
  const directory = fakeDirectory({
    products: async () => ['777'],
    placed: (device) => known.get(device),
    locate: (ids) =>
      new Promise((resolve, reject) => {
        waiting.push((product) => {
          if (product === undefined) return reject(new Problem('attribute_unavailable'))
          const found = ids.filter((id) => id !== other)
          for (const id of found) known.set(id, { product })
          resolve(new Map(found.map((id) => [id, product])))
        })
      }),
  })
  return {
    directory,
    known,
    waiting,
    async answer(product: string | undefined) {
      await settled()
      waiting.shift()?.(product)
      await settled()
    },
  }
}

function names(text: string): string[] {
  return [...text.matchAll(/^event: (.*)$/gm)].map(([, name = '']) => name)
}

describe('the stream of an organization', () => {
  it('finds the product of each device, keeps its order, and drops whom it does not know', async () => {
    const asked: unknown[] = []
    const { directory, answer, waiting } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set(
      'acme',
      aJudge(({ resource }) => {
        asked.push(resource)
        return yes
      }),
    )
    const { sink } = await rig.opened({ of: 'organization' })
    rig.cloud.publish(mine, 'a')
    rig.cloud.publish(mine, 'b')
    rig.cloud.publish(other, 'x')
    rig.cloud.publish('api', 'now')
    expect(names(sink.text)).toEqual(['now'])
    await answer('777')
    expect(names(sink.text)).toEqual(['now', 'a', 'b'])
    rig.cloud.publish(mine, 'c')
    expect(names(sink.text)).toEqual(['now', 'a', 'b', 'c'])
    expect(waiting).toEqual([])
    expect(asked).toContainEqual({
      type: 'device',
      organization: 'acmeacme',
      product: '777',
      device: mine,
    })
    expect(rig.cloud.last.question.target).toBe('/v1/orgs/acmeacme/events')
  })

  it('drops what nobody can be found to have sent within five seconds, and goes on with all others', async () => {
    const { directory, known, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set(
      'acme',
      aJudge(() => yes),
    )
    const { sink, outcome } = await rig.opened({ of: 'organization' })
    rig.cloud.publish(mine, 'first')
    await answer('777')
    rig.cloud.publish(third, 'late')
    rig.pass(3000)
    rig.cloud.publish(third, 'kept')
    known.set(other, { product: undefined })
    rig.cloud.publish(other, 'of nobody')
    rig.cloud.publish(mine, 'second')
    rig.pass(2400)
    expect(names(sink.text)).toEqual(['first', 'second'])
    await answer('777')
    expect(names(sink.text)).toEqual(['first', 'second', 'kept'])
    rig.cloud.publish('d'.repeat(24), 'not to be found')
    await answer(undefined)
    rig.cloud.publish(mine, 'third')
    expect(names(sink.text)).toEqual(['first', 'second', 'kept', 'third'])
    sink.end('client_gone')
    expect(await outcome).toMatchObject({ events: { sent: 4, withheld: 3 } })
  })

  it('R9 holds up nobody who only was asked about together with what hangs, nor who is asked about later', async () => {
    const { directory, known, waiting, answer } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set(
      'acme',
      aJudge(() => yes),
    )
    const { sink } = await rig.opened({ of: 'organization' })
    rig.cloud.publish(third, 'first')
    await answer('777')
    rig.cloud.publish(mine, 'together')
    rig.cloud.publish('d'.repeat(24), 'hangs')
    await settled()
    known.set(mine, { product: '777' })
    rig.pass(200)
    expect(names(sink.text)).toEqual(['first', 'together'])
    rig.cloud.publish('e'.repeat(24), 'later')
    rig.pass(1000)
    await settled()
    expect(waiting).toHaveLength(2)
    waiting.pop()?.('777')
    await settled()
    expect(names(sink.text)).toEqual(['first', 'together', 'later'])
  })

  it('asks again about a device that is known to be of a product which was never found to be its own', async () => {
    const { directory, known, waiting } = playedDirectory()
    const rig = streamsRig({ directory })
    rig.judges.set(
      'acme',
      aJudge(() => yes),
    )
    const { sink } = await rig.opened({ of: 'organization' })
    known.set(mine, { product: 'foreign' })
    rig.cloud.publish(mine, 'x')
    await settled()
    expect(waiting).toHaveLength(1)
    expect(names(sink.text)).toEqual([])
  })

  it('holds no more than its bound, and never pauses the cloud’s', async () => {
    const { directory, answer } = playedDirectory()
    const large = { ...limits, eventBytes: 1_000_000 }
    const rig = streamsRig({ directory, limits: large })
    rig.judges.set(
      'acme',
      aJudge(() => yes),
    )
    const { sink } = await rig.opened({ of: 'organization' })
    let heard = 0
    sink.write = () => void (heard += 1)
    const data = 'x'.repeat(900_000)
    const most = Math.floor(maxWaitingBytes / (data.length + 400))
    for (let count = 0; count < most + 5; count += 1) rig.cloud.publish(mine, 'n', data)
    expect(rig.cloud.last.state).toBe('open')
    expect(sink.open).toBe(true)
    await answer('777')
    expect(heard).toBe(most)
    rig.cloud.publish(mine, 'after')
    expect(heard).toBe(most + 1)
  })
})
