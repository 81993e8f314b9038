// Row F13 of the attack list on the rule itself: who counts as gone, told by what the system sends again.

import { describe, expect, it } from 'vitest'
import { settled, streamsRig } from '../../../kit/streams-rig.ts'

function rigOf() {
  const unanswered = new Map<string, number>()
  let reads = 0
  const rig = streamsRig({
    async readUnanswered() {
      reads += 1
      return unanswered
    },
  })
  return {
    ...rig,
    unanswered,
    reads: () => reads,
    async after(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        rig.pass(1000)
        // oxlint-disable-next-line no-await-in-loop -- a second after the other
        await settled()
      }
    },
    async listener(ends: string | undefined) {
      const client = await rig.opened()
      client.sink.ends = ends
      return client
    },
  }
}

describe('F13 clients that are gone without a word', () => {
  it('are ended as client_gone once nothing was answered for so long, and nobody else', async () => {
    const { unanswered, after, listener } = rigOf()
    const gone = await listener('80 10.0.0.1 1000')
    const others = [await listener('80 10.0.0.1 1001'), await listener(undefined)]
    unanswered.set('80 10.0.0.1 1000', 3)
    await after(39_000)
    expect(gone.sink.open).toBe(true)
    await after(8000)
    expect(await gone.outcome).toMatchObject({ ended: 'client_gone' })
    expect(others.map(({ sink }) => sink.open)).toEqual([true, true])
  })

  it('are not those who answer in between, however often', async () => {
    const { unanswered, after, listener } = rigOf()
    const { sink } = await listener('a')
    for (let turn = 0; turn < 5; turn += 1) {
      unanswered.set('a', 4)
      await after(15_000)
      unanswered.set('a', 5)
      await after(12_000)
      // It answered, and was lost again before anybody looked.
      if (turn % 2 === 0) unanswered.set('a', 1)
      else unanswered.delete('a')
      await after(6000)
    }
    expect(sink.open).toBe(true)
  })

  it('costs nothing where nobody listens, and a look every five seconds where somebody does', async () => {
    const { after, listener, reads } = rigOf()
    await after(20_000)
    expect(reads()).toBe(0)
    await listener('a')
    await after(60_000)
    expect(reads()).toBeGreaterThan(10)
    expect(reads()).toBeLessThan(14)
  })

  it('is not looked for twice at once, and a look that fails is not the last', async () => {
    const look = Promise.withResolvers<Map<string, number>>()
    let reads = 0
    const rig = streamsRig({
      readUnanswered() {
        reads += 1
        return reads === 1 ? look.promise : Promise.resolve(new Map())
      },
    })
    await rig.opened()
    rig.pass(30_000)
    expect(reads).toBe(1)
    look.reject(new Error('gone'))
    await settled()
    expect(rig.faults).toEqual([new Error('gone')])
    rig.pass(6000)
    await settled()
    expect(reads).toBe(2)
  })
})
