// Bodies of callers whom nobody knows yet: what they may hold together, and that who shows a token elsewhere does not wait behind them.

import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mine, product, startBench, type Bench } from '../kit/raw-exchange.ts'

const device = `/v1/products/${product}/devices/${mine}`
const form = 'Content-Type: application/x-www-form-urlencoded'
const line = `POST ${device}/reboot`
/** Of `limits.body`; an address has twice that, and a piece costs 256 bytes more than it holds. */
const most = 4096

let bench: Bench
let u: string
let open: Socket[]

beforeEach(async () => {
  open = []
  bench = await startBench({
    config: `limits: { body: ${most}B }\n`,
    policies: {
      'users.yaml': `
users:
  u:
    owner: field@acme.example
    product: ${product}
    devices: [${mine}]
    rules:
      - can: devices.function:call
    expires: never
`,
    },
  })
  u = bench.gate.tokens['u'] ?? ''
})

afterEach(async () => {
  for (const socket of open) socket.destroy()
  await bench[Symbol.asyncDispose]()
})

/** A form without a token whose last byte never comes; resolves once the gate wants its body. */
async function unfinished(bytes: number): Promise<Socket> {
  const socket = connect(bench.gate.port, '127.0.0.1')
  open.push(socket)
  const head = [
    `${line} HTTP/1.1`,
    'Host: gate.example',
    form,
    `Content-Length: ${bytes + 1}`,
    'Expect: 100-continue',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  const said = await new Promise<string>((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
  })
  expect(said).toContain('100 Continue')
  socket.write(`arg=${'x'.repeat(bytes - 4)}`)
  return socket
}

const padded = (bytes: number) => `access_token=${u}&arg=`.padEnd(bytes, 'x')
const ask = (bytes: number) => bench.ask(undefined, line, [form], padded(bytes))

describe('bodies of callers whom nobody knows', () => {
  it('B09 are served while there is room, and given back when they are over', async () => {
    for (const _ of [1, 2, 3]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const got = await ask(most)
      expect([got.status, got.traces, got.rejects]).toEqual([200, 1, []])
      expect(got.upstream).toContain('arg=x')
      expect(got.decisions).toMatchObject([{ decision: 'allow', user: 'u' }])
    }
  })

  it('B09 are refused beyond what an address may hold, on record, and nothing goes up', async () => {
    const held = await Promise.all([unfinished(most - 1), unfinished(most - 600)])
    // They arrive when they arrive: a small one is refused as soon as both have.
    await expect.poll(async () => (await ask(700)).status, { timeout: 10_000 }).toBe(429)
    const got = await ask(700)
    expect([got.status, got.upstream, got.decisions, got.traces]).toEqual([429, '', [], 1])
    expect(got.rejects).toMatchObject([{ reason: 'rationed', status: 429 }])
    expect(got.headers.get('retry-after')).toBe('10')

    const known = await bench.ask('u', line, [form], 'arg=1')
    expect([known.status, known.traces, known.rejects]).toEqual([200, 1, []])
    expect(known.upstream).toContain('arg=1')
    const twice = await bench.ask('u', line, [form], padded(700))
    expect([twice.status, twice.upstream]).toEqual([400, ''])
    expect(twice.rejects).toMatchObject([{ reason: 'several_credentials' }])

    for (const socket of held) socket.destroy()
    await expect.poll(async () => (await ask(most)).status, { timeout: 10_000 }).toBe(200)
  })

  it('B09 are not waited for where a wrong token stands elsewhere', async () => {
    const head = [
      `${line} HTTP/1.1`,
      'Host: gate.example',
      'Connection: close',
      form,
      'Content-Length: 1000',
      'Expect: 100-continue',
      'Authorization: Bearer fg_u_wrong',
    ]
    const got = await bench.send(`${head.join('\r\n')}\r\n\r\n`)
    expect([got.status, got.upstream, got.decisions, got.traces]).toEqual([401, '', [], 1])
    expect(got.text).not.toContain('100 Continue')
    expect(got.rejects).toMatchObject([{ reason: 'invalid_token' }])
  })
})
