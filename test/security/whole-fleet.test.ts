// What a body does to every device where it names none: an API user that is limited to some never reaches the cloud with it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  mine,
  okJson,
  other,
  product,
  sentOn,
  startBench,
  type Bench,
} from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'

const config = `PUT /v1/products/${product}/config`
const hook = `POST /v1/products/${product}/integrations`
const json = 'Content-Type: application/json'

let bench: Bench

beforeAll(async () => {
  const user = (name: string, devices: string) => `
  ${name}:
    owner: field@acme.example
    product: ${product}
    devices: ${devices}
    scopes: [configuration:update, integrations:create]
    expires: never`
  bench = await startBench({
    policies: { 'users.yaml': `users:${user('limited', `[${mine}]`)}${user('broad', 'all')}\n` },
  })
  bench.upstream.answerWith(rawAnswer(202, okJson))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

const put = (user: string, body: string) => bench.ask(user, config, [json], body)

describe('a body that names no device where that means every one', () => {
  it.each([
    ['no list of devices', config, '{"x":1}'],
    ['no keys at all', config, '[1]'],
    ['the key deeper down only', config, `{"x":{"deviceIds":["${mine}"]}}`],
    ['an integration for all', hook, '{"event":"e","url":"https://x.example"}'],
  ])('B03 is denied to a limited API user, and nothing is sent: %s', async (_, line, body) => {
    const got = await bench.ask('limited', line, [json], body)
    expect([got.status, got.upstream, got.traces]).toEqual([403, '', 1])
    expect(got.decisions).toMatchObject([{ decision: 'deny', reason: 'outside_devices' }])
  })

  it('B03 is sent on for their own device, and for who reaches all', async () => {
    const own = `{"deviceIds":["${mine}"],"x":1}`
    const named = await put('limited', own)
    const whole = await put('broad', '{"x":1}')
    for (const [got, body] of [
      [named, own],
      [whole, '{"x":1}'],
    ] as const) {
      expect([got.status, got.traces]).toEqual([202, 1])
      expect(got.upstream).toBe(
        sentOn(bench.upstream, config, ['content-type: application/json'], body),
      )
    }
    const foreign = await put('limited', `{"deviceIds":["${mine}","${other}"]}`)
    expect([foreign.status, foreign.upstream]).toEqual([403, ''])
  })

  it.each([
    'deviceids',
    'DeviceIDs',
    'device_ids',
    'device-ids',
    'deviceIds[]',
    ' deviceIds',
    'deviceIdſ',
  ])(
    'B02 is refused for everybody where the key is nearly the one that names devices: %s',
    async (key) => {
      for (const user of ['limited', 'broad']) {
        const ascii = JSON.stringify({ [key]: [mine], deviceIds: [mine] }).replaceAll(
          'ſ',
          '\\u017f',
        )
        const got = await put(user, ascii)
        expect([user, got.status, got.upstream, got.traces]).toEqual([user, 400, '', 1])
      }
    },
  )
})
