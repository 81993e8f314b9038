import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RequestContext } from '../../../src/domain/access-request.ts'
import type { Charge, Decision } from '../../../src/domain/decision.ts'
import { createMeter } from '../../../src/proxy/create-meter.ts'
import type { Decide } from '../../../src/proxy/decide.ts'
import type { Asked } from '../../../src/proxy/describe.ts'
import { countDecisions } from '../../../src/proxy/limits.ts'
import type { Meter } from '../../../src/proxy/meter.ts'
import { aRoute } from '../../kit/a-route.ts'
import { allowed, aPrincipal, denied } from '../../kit/fakes.ts'

const context: RequestContext = { requestId: 'r', atMs: 0, address: '192.0.2.7' }
const asked: Asked = {
  route: aRoute(),
  target: '/v1/devices',
  requests: [],
  unresolved: undefined,
  resource: { type: 'none' },
  upstream: { target: '/v1/devices', body: undefined, contentType: '', guard: { kind: 'none' } },
}
const charge = (key: string, calls: number, perS = 60): Charge => ({ key, limit: { calls, perS } })

/** Written down in their order: what was asked of the meter. */
function playedMeter(full: readonly Charge[]): Meter & { asked: string[] } {
  const rounds = [...full]
  const asked: string[] = []
  return {
    asked,
    wait({ key }) {
      asked.push(`wait ${key}`)
      return 1
    },
    async take(charges) {
      asked.push(`take ${charges.map(({ key }) => key).join(' ')}`)
      return rounds.shift()
    },
    share: () => undefined,
  }
}

/**
 * As the engine does it: the first of these rules that still has room decides, and the rate counts beside it. Nothing
 * left: over_limit.
 */
function engine(rules: readonly (readonly Charge[])[], rounds: string[] = []): Decide {
  return (_principal, _asked, { wait }): Decision => {
    const waits = rules.map((charges) => Math.max(...charges.map((each) => wait?.(each) ?? 0)))
    rounds.push(waits.map((ms) => (ms > 0 ? 'full' : 'room')).join(' '))
    const charges = rules[waits.indexOf(0)]
    if (charges !== undefined) return { ...allowed, charges }
    const retryAfterS = Math.ceil(Math.min(...waits) / 1_000)
    return { ...denied, reason: 'over_limit', retryAfterS }
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const clock = { now: () => Date.now(), monotonic: () => Date.now() }
const realMeter = () => createMeter({ clock })
const outcome = (decision: Decision) => (decision.outcome === 'allow' ? 'allow' : decision.reason)

describe('a decision', () => {
  it('that rests on no limit is handed on as it is, in the same turn, and nothing is counted', () => {
    const meter = playedMeter([])
    for (const decision of [allowed, denied]) {
      const counted = countDecisions(() => decision, meter)(aPrincipal, asked, context)
      expect(counted).toBe(decision)
    }
    expect(meter.asked).toEqual([])
  })

  it('that denies is not counted, whatever limits were looked at', async () => {
    const meter = playedMeter([])
    const decide = countDecisions(engine([[charge('a', 1)]]), meter)
    const decision = await decide(aPrincipal, asked, context)
    expect(decision).toMatchObject({ outcome: 'deny', reason: 'over_limit' })
    expect(meter.asked).toEqual(['wait a'])
  })

  it('that allows is counted once, against all it rests on at once, in the turn in which it was made', async () => {
    const meter = playedMeter([])
    const charges = [charge('a', 1), charge('rate', 9)]
    const decide = countDecisions(() => ({ ...allowed, charges }), meter)
    const pending = decide(aPrincipal, asked, context)
    expect(meter.asked).toEqual(['take a rate'])
    expect(await pending).toMatchObject({ outcome: 'allow', charges })
    expect(meter.asked).toEqual(['take a rate'])
  })

  it('that waits for facts is counted when it is made, not before', async () => {
    const meter = playedMeter([])
    const charges = [charge('a', 1)]
    const decide = countDecisions(async () => ({ ...allowed, charges }), meter)
    const pending = decide(aPrincipal, asked, context)
    expect(meter.asked).toEqual([])
    expect(await pending).toMatchObject({ outcome: 'allow' })
    expect(meter.asked).toEqual(['take a'])
  })

  it('is asked of an engine that knows everything of the request, and the room of each limit', async () => {
    const meter = realMeter()
    const limit = charge('a', 1)
    await meter.take([limit])
    await meter.take([limit])
    const seen: RequestContext[] = []
    const decide: Decide = (_principal, _asked, given) => {
      seen.push(given)
      return denied
    }
    await countDecisions(decide, meter)(aPrincipal, asked, { ...context, atMs: 7 })
    expect(seen).toMatchObject([{ requestId: 'r', atMs: 7, address: '192.0.2.7' }])
    expect(seen[0]?.wait?.(limit)).toBe(60_000)
    expect(seen[0]?.wait?.(charge('b', 1))).toBe(0)
  })

  it('whose limit was taken by another meanwhile is made again, without that rule', async () => {
    const meter = realMeter()
    const rounds: string[] = []
    const narrow = [charge('narrow', 1)]
    const decide = countDecisions(engine([narrow, [charge('wide', 9)]], rounds), meter)
    const both = await Promise.all([
      decide(aPrincipal, asked, context),
      decide(aPrincipal, asked, context),
    ])
    expect(both.map(outcome)).toEqual(['allow', 'allow'])
    const keys = both.map((made) => (made.outcome === 'allow' ? made.charges?.[0]?.key : undefined))
    expect(keys).toEqual(['narrow', 'wide'])
    expect(rounds).toEqual(['room room', 'room room', 'full room'])
  })

  it('that finds room nowhere is over_limit with whole seconds to wait, and ends', async () => {
    const meter = playedMeter(Array.from({ length: 100 }, () => charge('a', 1)))
    let asks = 0
    const stubborn: Decide = () => {
      asks += 1
      return { ...allowed, charges: [charge('a', 1)] }
    }
    const decision = await countDecisions(stubborn, meter)(aPrincipal, asked, context)
    expect(decision).toMatchObject({ outcome: 'deny', reason: 'over_limit', retryAfterS: 1 })
    expect(asks).toBeLessThan(100)
  })
})

describe('many decisions at once', () => {
  const burst = (decide: Decide, times: number) =>
    Promise.all(Array.from({ length: times }, async () => decide(aPrincipal, asked, context)))
  const passed = (all: readonly Decision[]) => all.filter((made) => made.outcome === 'allow').length

  it('let exactly the calls of the limit pass, and say to the others how long to wait', async () => {
    const decide = countDecisions(engine([[charge('a', 7)]]), realMeter())
    const all = await burst(decide, 50)
    expect(passed(all)).toBe(7)
    for (const made of all.slice(7)) {
      expect(made).toMatchObject({ outcome: 'deny', reason: 'over_limit', retryAfterS: 60 })
    }
    vi.advanceTimersByTime(60_000)
    expect(passed(await burst(decide, 50))).toBe(7)
  })

  it('that one limit refuses leave the room of another to those who need only that', async () => {
    const meter = realMeter()
    const rate = charge('rate', 4)
    const both = countDecisions(engine([[charge('narrow', 1), rate]]), meter)
    const rateOnly = countDecisions(engine([[rate]]), meter)
    expect(passed(await burst(both, 12))).toBe(1)
    expect(meter.wait(rate)).toBe(0)
    expect(passed(await burst(rateOnly, 12))).toBe(3)
    expect(meter.wait(rate)).toBeGreaterThan(0)
  })
})
