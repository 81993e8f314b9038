// What belongs to a device only the cloud knows of (SIM cards, ledger instances), and names of devices: row F15, as bytes.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { answerByLine } from '../kit/attacked-gate.ts'
import {
  mine,
  okJson,
  other,
  product,
  sentOn,
  startBench,
  type Bench,
  type Exchanged,
} from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'

const mySim = '8901410312345000001'
const otherSim = '8901410312345000002'
const noSim = '8901410312345000009'
const sims = `/v1/products/${product}/sims`
const instances = `/v1/products/${product}/ledgers/state/instances`

const user = (name: string) => `
  ${name}:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
    rules:
      - can: [sims:get, sims:update, ledger.instances:get, devices:get]
    expires: never`

let bench: Bench

beforeAll(async () => {
  const names = ['limited', 'guesser', 'prober']
  bench = await startBench({
    policies: {
      'users.yaml': `
users:${names.map(user).join('')}
  broad:
    owner: field@acme.example
    product: ${product}
    devices: all
    rules:
      - can: sims:get
    expires: never
`,
    },
    config: 'rations: { unknown_lookups: 4 }',
  })
})

beforeEach(() => {
  const of = (device: string) => rawAnswer(200, `{"id":"x","last_device_id":"${device}"}`)
  answerByLine(bench.upstream, {
    [`GET ${sims}/${mySim}`]: of(mine),
    [`GET ${sims}/${otherSim}`]: of(other),
    [`PUT ${sims}/${mySim}`]: rawAnswer(200, okJson),
    [`GET /v1/products/${product}/ledgers/state`]: rawAnswer(200, '{"ledger":{"scope":"Device"}}'),
    [`GET ${instances}/${mine}`]: rawAnswer(200, '{"instance":{"data":1}}'),
    [`GET /v1/devices/barn`]: rawAnswer(200, `{"id":"${other}","product_id":777}`),
    [`GET /v1/devices/yard`]: rawAnswer(200, `{"id":"${other}","product_id":${product}}`),
  })
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

const lookUp = (path: string) => sentOn(bench.upstream, `GET ${path}`, ['accept: application/json'])

/** The answer's bytes without what is of one request only. */
function plainAnswer({ text }: Exchanged): string {
  return text.replaceAll(/^(x-request-id|date): .*\r\n/gim, '')
}

describe('what belongs to a device', () => {
  it('is looked up, decided on the device, and asked for as it was named', async () => {
    const got = await bench.ask('limited', `GET ${sims}/${mySim}`)
    expect([got.status, got.traces]).toEqual([200, 1])
    expect(got.upstream).toBe(
      lookUp(`${sims}/${mySim}`) + sentOn(bench.upstream, `GET ${sims}/${mySim}`),
    )
    expect(got.decisions).toMatchObject([{ decision: 'allow' }])
    expect(JSON.stringify(got.decisions)).toContain(mine)
    const put = await bench.ask(
      'limited',
      `PUT ${sims}/${mySim}`,
      ['Content-Type: application/json'],
      '{"action":"deactivate"}',
    )
    expect([put.status, put.traces]).toEqual([200, 1])
  })

  it('is not written to once it is in another device, though it was read a moment ago', async () => {
    const json = ['Content-Type: application/json']
    const path = `${sims}/${mySim}`
    expect((await bench.ask('limited', `GET ${path}`)).status).toBe(200)
    answerByLine(bench.upstream, {
      [`GET ${path}`]: rawAnswer(200, `{"id":"x","last_device_id":"${other}"}`),
      [`PUT ${path}`]: rawAnswer(200, okJson),
    })
    const put = await bench.ask('limited', `PUT ${path}`, json, '{"action":"deactivate"}')
    expect([put.status, put.upstream, put.traces]).toEqual([403, lookUp(path), 1])
    expect(put.decisions).toMatchObject([{ decision: 'deny', reason: 'outside_devices' }])
    expect((await bench.ask('limited', `GET ${path}`)).status).toBe(403)
  })

  it('F15 is refused with the same bytes where it is foreign and where it is unknown', async () => {
    const foreign = await bench.ask('limited', `GET ${sims}/${otherSim}`)
    const unknown = await bench.ask('limited', `GET ${sims}/${noSim}`)
    for (const got of [foreign, unknown]) {
      expect([got.status, got.traces]).toEqual([403, 1])
      expect(got.decisions).toMatchObject([{ decision: 'deny', reason: 'outside_devices' }])
    }
    expect(plainAnswer(unknown)).toBe(plainAnswer(foreign))
    expect(foreign.upstream).toBe(lookUp(`${sims}/${otherSim}`))
    expect(unknown.upstream).toBe(lookUp(`${sims}/${noSim}`))
  })

  it('F15 is looked up in no place that is not theirs', async () => {
    const got = await bench.ask('limited', `GET /v1/products/777/sims/${mySim}`)
    expect([got.status, got.upstream, got.traces]).toEqual([403, '', 1])
    expect(got.decisions).toMatchObject([{ reason: 'outside_boundary' }])
  })

  it('costs no look-up for who reaches all devices', async () => {
    const got = await bench.ask('broad', `GET ${sims}/${otherSim}`)
    expect([got.status, got.traces]).toEqual([200, 1])
    expect(got.upstream).toBe(sentOn(bench.upstream, `GET ${sims}/${otherSim}`))
  })

  it('is an instance by its scope value, and no other spelling of it', async () => {
    const own = await bench.ask('limited', `GET ${instances}/${mine}`)
    expect([own.status, own.traces]).toEqual([200, 1])
    for (const name of [other, mine.toUpperCase().replace('EF', 'ef'), 'default']) {
      const got = await bench.ask('limited', `GET ${instances}/${name}`)
      expect([name, got.status, got.upstream, got.traces]).toEqual([name, 403, '', 1])
    }
  })
})

describe('names of devices', () => {
  it.each([
    ['of another product', 'barn', 'guesser'],
    ['of their product, outside their devices', 'yard', 'prober'],
  ])('F15 %s cost the ration as unknown ones do', async (_, foreign, guesser) => {
    const ask = (name: string) => bench.ask(guesser, `GET /v1/devices/${name}`)
    const answers = [
      await ask(foreign),
      await ask(`no-${guesser}-1`),
      await ask(`no-${guesser}-2`),
      await ask(`no-${guesser}-3`),
      await ask(`no-${guesser}-4`),
    ]
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 429])
    expect(answers.map(({ traces }) => traces)).toEqual([1, 1, 1, 1, 1])
    expect(plainAnswer(answers[1] ?? unseen())).toBe(plainAnswer(answers[0] ?? unseen()))
  })
})

function unseen(): never {
  throw new Error('no such answer')
}
