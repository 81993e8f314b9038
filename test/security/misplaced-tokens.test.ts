// Tokens of the gate's own in an enforced request where the cloud would see them: rows T05 and T12, as bytes on a socket.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mintToken } from '../../src/store/token-format.ts'
import { recordsOf } from '../kit/operated-gate.ts'
import { mine, okJson, product, requestBytes, startBench, type Bench } from '../kit/raw-exchange.ts'
import { rawAnswer, until } from '../kit/recording-upstream.ts'

const device = `/v1/products/${product}/devices/${mine}`
const json = 'Content-Type: application/json'
const form = 'Content-Type: application/x-www-form-urlencoded'
const upload = `POST /v1/products/${product}/firmware`

const policies = {
  'users.yaml': `
users:
  limited:
    owner: field@acme.example
    product: ${product}
    devices: all
    rules:
      - can: [devices:get, devices:list, devices:update.notes, devices.function:call, events:send]
    expires: never
  builder:
    owner: ci@acme.example
    product: ${product}
    scopes: firmware:create
    expires: never
`,
}

let bench: Bench
let token: string
/** As long, and no token: what is denied for the one must go on for the other. */
let near: string

beforeAll(async () => {
  bench = await startBench({ policies })
  token = bench.gate.tokens['limited'] ?? ''
  near = `${token.slice(0, -1)}-`
})

beforeEach(() => {
  bench.upstream.answerWith(rawAnswer(200, okJson))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

describe('a token of the gate’s own where the cloud would see it', () => {
  it.each<[string, string, string[], (word: string) => string | undefined]>([
    ['a function’s argument', `POST ${device}/setpoint`, [json], (word) => `{"arg":"${word}"}`],
    ['the same in a form', `POST ${device}/setpoint`, [form], (word) => `arg=x${word}`],
    [
      'an event',
      `POST /v1/products/${product}/events`,
      [json],
      (word) => `{"name":"a","data":"see ${word}.","private":true}`,
    ],
    ['a note', `PUT ${device}`, [json], (word) => `{"notes":"a\\n${word}"}`],
    [
      'an escaped argument',
      `POST ${device}/setpoint`,
      [json],
      (word) => `{"arg":"\\u0066g${word.slice(2)}"}`,
    ],
  ])('T05 in %s is 400, and what only looks like one goes on', async (_, line, headers, body) => {
    const operators = mintToken('o', randomBytes).token
    for (const own of [token, mintToken('u', randomBytes).token, operators]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const got = await bench.ask('limited', line, headers, body(own))
      expect([got.status, got.upstream, got.traces]).toEqual([400, '', 1])
      expect(got.decisions).toMatchObject([{ decision: 'deny', reason: 'misplaced_token' }])
    }
    const got = await bench.ask('limited', line, headers, body(near))
    expect([got.status, got.traces]).toEqual([200, 1])
    expect(got.decisions).toMatchObject([{ decision: 'allow' }])
    expect(got.upstream).toContain(near)
  })

  it('T12 in a path or a query is 400, and in no record', async () => {
    const list = `GET /v1/products/${product}/devices?deviceName=`
    const page = '{"devices":[],"customers":[],"meta":{"total_pages":1}}'
    for (const [line, answer] of [
      [list, page],
      [`POST ${device}/`, okJson],
    ] as const) {
      bench.upstream.answerWith(rawAnswer(200, answer))
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const got = await bench.ask('limited', line + token)
      expect([got.status, got.upstream, got.traces]).toEqual([400, '', 1])
      expect(got.decisions).toMatchObject([{ decision: 'deny', reason: 'misplaced_token' }])
      // oxlint-disable-next-line no-await-in-loop
      const fine = await bench.ask('limited', line + near)
      expect([fine.status, fine.upstream.includes(near)]).toEqual([200, true])
    }
    const written = JSON.stringify([await recordsOf(bench.gate), bench.gate.log()])
    expect(written).not.toContain(token)
  })

  it('T12 in a header that passes is 400, and one that does not pass is nobody’s business', async () => {
    const got = await bench.ask('limited', `GET ${device}`, [`X-Particle-Tool: ${token}`])
    expect([got.status, got.upstream, got.traces]).toEqual([400, '', 1])
    for (const header of [`X-Particle-Tool: ${near}`, `X-Odd: ${token}`]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const fine = await bench.ask('limited', `GET ${device}`, [header])
      expect([fine.status, fine.upstream.includes(token)]).toEqual([200, false])
    }
  })

  it.each([
    ['one piece', [0]],
    ['two pieces', [30]],
    ['many', [1, 2, 3, 20, 40, 55]],
  ])('T05 in an upload is 400 before the cloud has it whole, in %s', async (_, cuts) => {
    const boundary = 'b0undary'
    const part = (disposition: string, content: string) =>
      `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`
    const bodyOf = (word: string) => {
      const file = part('name="file"; filename="a.bin"', `${'\x00'.repeat(4_000)}${word}`)
      return `${part('name="version"', '7')}${file}--${boundary}--\r\n`
    }
    const type = `Content-Type: multipart/form-data; boundary=${boundary}`
    const send = async (word: string) => {
      const body = bodyOf(word)
      const at = body.indexOf(word)
      const places = [0, ...cuts.map((cut) => at + cut), body.length]
      const pieces = places.slice(1).map((end, i) => body.slice(places[i], end))
      const chunks = pieces.filter((piece) => piece !== '')
      const whole = chunks.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')
      // Only once it has all of it.
      bench.upstream.use((connection) => {
        const whole = until(() => connection.text.endsWith('\r\n0\r\n\r\n'))
        whole.then(
          () => connection.socket.write(rawAnswer(200, okJson)),
          () => undefined,
        )
      })
      const head = requestBytes(upload, [
        `Authorization: Bearer ${bench.gate.tokens['builder']}`,
        ...[type, 'Transfer-Encoding: chunked'],
      ])
      return bench.send(`${head}${whole}0\r\n\r\n`)
    }
    const got = await send(token)
    expect([got.status, got.traces]).toEqual([400, 1])
    expect(got.upstream).not.toContain(token.slice(-10))
    const fine = await send(near)
    expect([fine.status, fine.traces]).toEqual([200, 1])
    expect(fine.upstream.replace(/\r\n[0-9a-f]+\r\n/g, '')).toContain(near.slice(-10))
  })
})
