// A16: thousands of mutated requests, reproducible by their seed. Nothing but the table's rows as raw material.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  answerOfMine,
  device,
  foreign,
  mine,
  other,
  plain,
  startAttackedGate,
  type AttackedGate,
} from '../kit/attacked-gate.ts'
import { traces } from '../kit/invariant.ts'
import { openRaw } from '../kit/raw-client.ts'
import { sentOn, upstreamCredential } from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'
import { expectServed } from './verdicts.ts'

const rounds = 3000
const atATime = 64
const seed = 0x5eed_f1ee

let bench: AttackedGate

beforeAll(async () => {
  // Mutations that leave a request unfinished end by these.
  bench = await startAttackedGate('timeouts: { headers: 300ms, request: 600ms, keep_alive: 300ms }')
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

/** Behind every mutation, so that what is left over has an end; without a token, so that it is never served. */
const sentinel = plain('GET /v1/sentinel', ['Connection: close'])

function material(token: string): string[] {
  const json = 'Content-Type: application/json'
  const call = `POST ${device}/blink`
  return [
    plain(`GET ${device}`, [token]),
    plain(`GET ${foreign}`, [token]),
    plain(`GET ${device}/temperature?format=raw`, [token]),
    plain(`GET /v1/devices/${mine}/../${other}`, [token]),
    plain(`GET ${device}%2f..%252f${other};x=1\\`, [token]),
    plain(`GET //evil/v1/devices#a`, [token]),
    plain(`GET http://x${device}`, [token]),
    plain(`HEAD ${device}/`, [token]),
    plain(`GET ${device}?access_token=${token.slice(22)}`),
    plain(`POST ${foreign}/blink`, [token, json, 'X-HTTP-Method-Override: GET'], '{"arg":"x"}'),
    plain(call, [token, json], '{"arg":"x"}'),
    plain(call, [token, json, 'Expect: 100-continue'], '{"arg":"x"}'),
    plain(call, [token, 'Content-Type: application/x-www-form-urlencoded'], 'arg=1&format=x'),
    `${call} HTTP/1.1\r\nHost: g\r\n${token}\r\n${json}\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n`,
    `${call} HTTP/1.1\r\nHost: g\r\n${token}\r\n${json}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    plain(`GET ${device}`, [token, 'Connection: Upgrade', 'Upgrade: websocket']),
    plain(`GET ${device}`, [
      token,
      'Connection: close, authorization',
      'X_Org_Id: 9',
      '__proto__: x',
    ]),
    plain(`DELETE ${foreign}`, [token], '{}'),
    plain(`OPTIONS *`, ['Origin: https://evil.example']),
    `CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n`,
    `GET ${device} HTTP/1.0\r\nConnection: keep-alive\r\n${token}\r\n\r\n`,
    plain(`GET ${device}`, [token]) + plain(`GET ${foreign}`, [token]),
  ]
}

const splinters = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\0',
    '\t',
    ' ',
    '\r\n\r\n',
    '0\r\n\r\n',
    ':',
    ';',
    '#',
    '?',
    '&',
    '\\',
    '//',
  ],
  ...[
    '%2f',
    '%2e%2e',
    '%00',
    '%25',
    '%zz',
    '%c0%af',
    '..',
    '/../',
    '*',
    '\xff',
    '\x80',
    '\x7f',
    '"',
  ],
  ...['Content-Length: 5\r\n', 'Content-Length: -1\r\n', 'Transfer-Encoding: chunked\r\n'],
  ...['Transfer-Encoding: gzip, chunked\r\n', 'Expect: 100-continue\r\n', 'Expect: x\r\n'],
  ...['Host: evil\r\n', 'Authorization: Bearer x\r\n', 'Connection: close\r\n', ' HTTP/1.1\r\n'],
  ...[
    'HTTP/1.0',
    'HTTP/2.0',
    'TRACE',
    'CONNECT',
    'Upgrade: h2c\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    other,
  ],
]

/** Mulberry32: small, even and the same everywhere. */
function randomness(start: number): (below: number) => number {
  let state = start
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function mutate(text: string, random: (below: number) => number): string {
  let mutated = text
  // Mostly one: what is broken in many places is refused for the first.
  for (let left = random(3) === 0 ? 1 + random(4) : 1; left > 0; left -= 1) {
    const at = random(mutated.length + 1)
    const until = Math.min(mutated.length, at + random(12))
    const [before, piece, behind] = [
      mutated.slice(0, at),
      mutated.slice(at, until),
      mutated.slice(until),
    ]
    switch (random(5)) {
      case 0: {
        const flipped = (mutated.charCodeAt(at) || 0) ^ (1 << random(8))
        mutated = before + String.fromCharCode(flipped) + mutated.slice(at + 1)
        break
      }
      case 1:
        mutated = before + behind
        break
      case 2:
        mutated = before + piece + piece + behind
        break
      case 3:
        mutated = before + (splinters[random(splinters.length)] ?? '') + mutated.slice(at)
        break
      case 4:
        mutated = before + (splinters[random(splinters.length)] ?? '') + behind
        break
    }
  }
  return mutated
}

/** Look-ups of whole products and organizations find nothing; devices are all ours. Returns all that was sent there. */
function playUpstream(): () => string {
  let seen = ''
  bench.upstream.use((connection) => {
    const { socket, text } = connection
    seen += `${text}\n`
    // A recording upstream finds a request at the beginning of a line; bodies end in none.
    connection.text = ''
    connection.heads = 0
    socket.write(
      /^[A-Z]+ \S*\/devices\//.test(text)
        ? rawAnswer(200, answerOfMine)
        : rawAnswer(404, '{"error":"not_found"}'),
    )
  })
  return () => seen + bench.upstream.seen()
}

describe('A16 mutated requests', () => {
  it('A16 leave the gate alive, each answer with one row, and nothing foreign upstream', async () => {
    const sentUpstream = playUpstream()
    const random = randomness(seed)
    const seeds = material(bench.bearer())
    const inputs = Array.from({ length: rounds }, () =>
      mutate(seeds[random(seeds.length)] ?? '', random),
    )
    const answers: { input: string; text: string }[] = []
    const before = await traces(bench.gate)

    const left = inputs.values()
    const play = async (): Promise<void> => {
      for (const input of left) {
        using client = openRaw(bench.gate.port)
        client.send(input + sentinel)
        const { text } = await client.receive({ withinMs: 10_000 })
        answers.push({ input, text })
      }
    }
    await Promise.all(Array.from({ length: atATime }, play))

    // Every final answer is the gate's own, and none is a fault of the gate.
    const ids: string[] = []
    for (const { input, text } of answers) {
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) [A-Z]/g)].map(([, code]) =>
        Number(code),
      )
      const final = statuses.filter((status) => status >= 200)
      const named = [...text.matchAll(/^x-request-id: (\S+)\r$/gm)].map(([, id]) => id ?? '')
      const faults = final.filter((status) => status >= 500 && status !== 501)
      const unnamed = final.length - named.length
      expect({ input, text, faults, unnamed }).toEqual({ input, text, faults: [], unnamed: 0 })
      ids.push(...named)
    }
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeGreaterThan(rounds)

    // The rest of a flood of rejects is summed up a second later.
    const rowsSince = async () => (await traces(bench.gate)).total - before.total
    await expect.poll(rowsSince, { timeout: 5000 }).toBeGreaterThanOrEqual(ids.length)
    const after = await traces(bench.gate)
    const decided = after.decisions.slice(before.decisions.length).map((row) => row['request_id'])
    expect(new Set(decided).size).toBe(decided.length)
    expect(decided.filter((id) => !ids.includes(String(id)))).toEqual([])
    // One row more only where a single answer had closed the connection before the sentinel.
    const extra = after.total - before.total - ids.length
    const closers = answers.filter(
      ({ input, text }) =>
        /close|HTTP\/1\.0|expect/i.test(input) && text.split(/^x-request-id: /m).length === 2,
    )
    expect(extra).toBeLessThanOrEqual(closers.length)

    expectOnlyOwn(sentUpstream())
    bench.upstream.answerWith(rawAnswer(200, answerOfMine))
    const alive = await startOver()
    expectServed(alive, sentOn(bench.upstream, `GET ${device}`))
  }, 60_000)
})

/** The first attack after the flood takes all its rows into account; the second is plain. */
async function startOver() {
  await bench.ask(`GET ${device}`)
  return bench.ask(`GET ${device}`)
}

function expectOnlyOwn(seen: string): void {
  expect(seen).not.toContain(bench.gate.tokens['limited'])
  const lines = [...seen.matchAll(/^[A-Z]+ [^\r\n]* HTTP\/1\.1\r$/gm)].map(([line]) => line)
  expect(lines.length).toBeGreaterThan(100)
  expect(seen.split(`authorization: Bearer ${upstreamCredential}\r\n`).length - 1).toBe(
    lines.length,
  )
  const own = String.raw`/v1/products/1337/devices/${mine}`
  const allowed = new RegExp(
    String.raw`^(?:GET ${own}(?:/[\w-]+)?(?:\?format=[^ ]*)?|POST ${own}/blink|GET /v1/(?:devices|products|orgs)/[\w-]+) HTTP/1\.1\r$`,
  )
  expect(lines.filter((line) => !allowed.test(line))).toEqual([])
}
