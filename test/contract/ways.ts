/** What both ways to the upstream promise, whichever way a route takes. */

import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { startRig, type Rig, type Way } from '../kit/exchange-rig.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../kit/recording-upstream.ts'
import { whatIsGiven } from './ways-answer.ts'
import { whatGoesWrong } from './ways-faults.ts'
import { whatIsSent } from './ways-request.ts'

export function waysContract(way: Way): void {
  describe(`the ${way} way`, () => {
    let up: RecordingUpstream
    let rig: Rig
    beforeAll(async () => {
      up = await startRecordingUpstream()
      rig = await startRig({ upstreamUrl: up.url, way, timeoutMs: 1500 })
    })
    afterAll(async () => {
      await rig[Symbol.asyncDispose]()
      await up[Symbol.asyncDispose]()
    })
    afterEach(() => {
      for (const { socket } of up.connections) socket.destroy()
      up.connections.length = 0
      rig.outcomes.length = 0
      rig.rejects.length = 0
    })
    const underTest = {
      get up() {
        return up
      },
      get rig() {
        return rig
      },
    }
    whatIsSent(underTest)
    whatIsGiven(underTest)
    whatGoesWrong(underTest)
  })
}
