// A cloud that refuses its stream: what clients are told, and how often it is asked again.

import { describe, expect, it } from 'vitest'
import { Problem } from '../../../../src/domain/problem.ts'
import { Secret } from '../../../../src/lib/secret.ts'
import { UpstreamRefusal } from '../../../../src/upstream/fleet-lists.ts'
import { settled, streamsRig, type StreamsRig } from '../../../kit/streams-rig.ts'

const body = Buffer.from('{"error":"slow"}')

/** One client; where the cloud is asked for it, it refuses. */
async function refused(rig: StreamsRig, retryAfterS?: number) {
  const before = rig.cloud.connections.length
  const { exchange } = rig.client()
  await settled()
  if (rig.cloud.connections.length > before) {
    const refusal = new UpstreamRefusal(429, 'application/json', body, retryAfterS)
    rig.cloud.last.handler.ended(refusal)
    await settled()
  }
  return exchange.assembled[0]
}

describe('R18 a cloud that refuses its stream', () => {
  it('is not asked again before the time that it said, which clients are told', async () => {
    const rig = streamsRig()
    expect(await refused(rig, 60)).toMatchObject({ status: 429, retryAfterS: 60 })
    for (let second = 59; second > 0; second -= 1) {
      rig.pass(1000)
      const answer = await refused(rig, 60)
      expect(answer).toMatchObject({ status: 429, body, retryAfterS: second })
    }
    expect(rig.cloud.connections).toHaveLength(1)
    rig.pass(1000)
    expect(await refused(rig, 60)).toMatchObject({ retryAfterS: 60 })
    expect(rig.cloud.connections).toHaveLength(2)
  })

  it('is believed for five minutes at most', async () => {
    const rig = streamsRig()
    expect(await refused(rig, 99_999)).toMatchObject({ retryAfterS: 99_999 })
    rig.pass(299_000)
    expect(await refused(rig)).toMatchObject({ retryAfterS: 1 })
    rig.pass(1000)
    await refused(rig)
    expect(rig.cloud.connections).toHaveLength(2)
  })

  it('is asked more and more seldom where it does not say when, and anew once it was heard', async () => {
    const rig = streamsRig()
    expect(await refused(rig)).not.toHaveProperty('retryAfterS')
    for (let second = 0; second < 300; second += 1) {
      rig.pass(1000)
      await refused(rig)
    }
    expect(rig.cloud.connections.length).toBeGreaterThan(8)
    expect(rig.cloud.connections.length).toBeLessThan(16)
    rig.pass(30_000)
    const { sink } = await rig.opened()
    expect(sink.begun).toBe(true)
    rig.cloud.last.handler.ended(new Problem('upstream_failed'))
    await settled()
    const before = rig.cloud.connections.length
    await refused(rig)
    rig.pass(2000)
    await refused(rig)
    expect(rig.cloud.connections).toHaveLength(before + 2)
  })

  it('says no more of another credential, nor of a cloud that could not be reached', async () => {
    const rig = streamsRig()
    await refused(rig, 60)
    const failing = rig.client({ credential: new Secret('second') })
    await settled()
    rig.cloud.last.handler.ended(new Problem('upstream_failed'))
    await expect(failing.outcome).rejects.toMatchObject({ code: 'upstream_failed' })
    const credential = new Secret('third')
    expect((await rig.opened({ credential })).sink.begun).toBe(true)
    expect(rig.cloud.connections).toHaveLength(3)
  })

  it('is not asked again at once with a credential that it does not take', async () => {
    const rig = streamsRig()
    const first = rig.client()
    await settled()
    rig.cloud.last.handler.ended(new Problem('upstream_refused'))
    await expect(first.outcome).rejects.toMatchObject({ code: 'upstream_refused' })
    await expect(rig.client().outcome).rejects.toMatchObject({ code: 'upstream_refused' })
    expect(rig.cloud.connections).toHaveLength(1)
  })
})
