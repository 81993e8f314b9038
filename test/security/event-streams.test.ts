// Rows F09 to F14, T07 and A01 of the attack list: event streams that are odd, slow, silent, left behind or no longer allowed.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Socket } from 'node:net'
import type { OpenAuditFile } from '../../src/audit/file.ts'
import { commandLine, elsewhere } from '../kit/elsewhere.ts'
import { diskError, faultyDisk } from '../kit/audit.ts'
import { listen, type EventClient } from '../kit/event-client.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { traces } from '../kit/invariant.ts'
import { startListeners } from '../kit/many-listeners.ts'
import { rawAnswer, startRecordingUpstream, until } from '../kit/recording-upstream.ts'
import type { RecordingUpstream } from '../kit/recording-upstream.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'
import { startVanishingClient } from '../kit/vanishing-client.ts'

const product = '12345'
const mine = '0123456789abcdef00000001'
const other = '0123456789abcdef00000009'
const credential = 'c10ddeadbeefc10ddeadbeefc10ddeadbeef0042'
const path = `/v1/products/${product}/events`
const head =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'

const policies = {
  'users.yaml': `
users:
  limited:
    owner: a@acme.example
    product: ${product}
    devices: [${mine}]
    scopes: [events:get]
    expires: never
  all:
    owner: a@acme.example
    product: ${product}
    devices: all
    scopes: [events:get]
    expires: never
  idler:
    owner: a@acme.example
    product: ${product}
    devices: [${mine}]
    scopes: [events:get]
    idle: 1h
`,
}

let upstream: RecordingUpstream
let gate: TestGate
let skewMs: number

beforeEach(async () => {
  upstream = await startRecordingUpstream()
  upstream.answerWith(head)
  skewMs = 0
})

afterEach(async () => {
  await gate[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

async function start(config = '', openAuditFile?: OpenAuditFile): Promise<void> {
  gate = await startTestGate({
    ...(openAuditFile !== undefined && { openAuditFile }),
    upstream: { url: upstream.url, token: credential },
    policies,
    config,
    clock: { now: () => Date.now() + skewMs, monotonic: () => performance.now() },
  })
}

function open(user: string): Promise<EventClient> {
  return listen(gate.url, path, gate.tokens[user])
}

function up(): Socket {
  const living = upstream.connections.filter(({ closed }) => !closed)
  const [only] = living
  if (only === undefined || living.length !== 1) throw new Error(`${living.length} streams up`)
  return only.socket
}

/** In chunks of HTTP, of so many bytes each. */
function send(text: string | Buffer, size = Infinity): void {
  const bytes = Buffer.from(text)
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, Math.min(bytes.length, at + size))
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'))
  }
  up().write(Buffer.concat(pieces))
}

function event(coreid: string, name = 'temperature', data = '1'): string {
  return `event: ${name}\ndata: ${JSON.stringify({ data, ttl: '60', coreid })}\n\n`
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** One decision and one outcome a stream, whatever became of it. */
async function expectEnds(...ended: string[]): Promise<void> {
  const { total, decisions } = await traces(gate)
  expect(total).toBe(ended.length)
  const rows = await gate.outcomes()
  const byRequest = decisions.map(
    ({ request_id }) => rows.find((row) => row['request_id'] === request_id)?.['ended'],
  )
  expect(byRequest).toEqual(ended)
  expect(decisions.every(({ decision }) => decision === 'allow')).toBe(true)
}

describe('F09 an event in every spelling of the grammar', () => {
  const data = (coreid: string) => `{"coreid":"${coreid}","n":1}`
  const spellings: readonly [what: string, spell: (coreid: string) => string][] = [
    ['LF', (id) => `event: t\ndata: ${data(id)}\n\n`],
    ['CRLF', (id) => `event: t\r\ndata: ${data(id)}\r\n\r\n`],
    ['CR', (id) => `event: t\rdata: ${data(id)}\r\r`],
    ['no space', (id) => `event:t\ndata:${data(id)}\n\n`],
    ['several data lines', (id) => `event: t\ndata: {"coreid":\ndata: "${id}","n":1}\n\n`],
    ['data before the name', (id) => `data: ${data(id)}\nevent: t\n\n`],
    ['comments between', (id) => `: hello\nevent: t\n:\ndata: ${data(id)}\n: bye\n\n`],
    ['id and retry', (id) => `id: 1\nretry: 5\nevent: t\ndata: ${data(id)}\n\n`],
    ['upper case in the id', (id) => `event: t\ndata: ${data(id.toUpperCase())}\n\n`],
    ['an escaped key', (id) => `event: t\ndata: {"\\u0063oreid":"${id}","n":1}\n\n`],
  ]

  it.each(spellings)('%s: ours arrives, a foreign one never leaves', async (_, spell) => {
    await start()
    await using client = await open('limited')
    for (const size of [1, 7, 1000]) send(spell(other) + spell(mine) + spell(other), size)
    send(`\n\n${event(mine, 'last')}`)
    await until(() => client.names().at(-1) === 'last')
    expect(client.names()).toEqual(['t', 't', 't', 'last'])
    for (const { data } of client.events().slice(0, 3)) {
      expect(JSON.parse(data)).toEqual({
        coreid: expect.stringMatching(new RegExp(mine, 'i')),
        n: 1,
      })
    }
    expect(client.text().toLowerCase()).not.toContain(other)
    expect(client.text()).not.toMatch(/hello|bye|retry|^id:/m)
    expect(upstream.seen()).toMatch(new RegExp(`^GET ${path} HTTP/1.1\r\n`))
    expect(upstream.seen()).toContain(`authorization: Bearer ${credential}`)
    expect(upstream.seen()).not.toContain('fg_u_')
    client.leave()
    await client.ended
    await expectEnds('client_gone')
  })

  it('begins behind a byte order mark', async () => {
    await start()
    await using client = await open('limited')
    send(`\ufeff${event(mine)}${event(other)}`, 1)
    await until(() => client.events().length === 1)
    expect(client.text()).not.toContain(other)
  })

  it.each([
    ['no source', '{"data":"1"}'],
    ['a source that is no text', `{"coreid":["${mine}"]}`],
    ['a source further down', `{"data":{"coreid":"${mine}"}}`],
    ['two sources', `{"coreid":"${mine}","coreid":"${other}"}`],
    ['no object', `["${mine}"]`],
    ['no JSON', `coreid=${mine}`],
    ['half an object', `{"coreid":"${mine}"`],
    ['a longer id', `{"coreid":"${mine}0"}`],
    ['a source inside the prototype', `{"__proto__":{"coreid":"${mine}"}}`],
    ['nothing', ''],
  ])('drops what does not say who sent it: %s', async (_, text) => {
    await start()
    await using client = await open('limited')
    send(`event: x\ndata: ${text}\n\n${event(mine, 'last')}`)
    await until(() => client.names().includes('last'))
    expect(client.names()).toEqual(['last'])
  })

  it.each([
    ['an event without end', 'x'.repeat(200_000)],
    ['data lines without end', 'data: 0123456789\n'.repeat(2400)],
  ])('breaks all streams at %s, rather than guess', async (_, bytes) => {
    await start('streams: { event: 2KB }')
    await using one = await open('limited')
    await using two = await open('all')
    send(event(mine))
    await until(() => one.events().length === 1 && two.events().length === 1)
    send(`data: ${bytes}`)
    expect(await Promise.all([one.ended, two.ended])).toEqual(['broken', 'broken'])
    await until(() => upstream.connections.every(({ closed }) => closed))
    await expectEnds('upstream_reset', 'upstream_reset')
  })

  it.each([1, 7, 1000])(
    'R17b leaves out what is too large, and nothing else, in pieces of %i',
    async (size) => {
      await start('streams: { event: 2KB }')
      await using limited = await open('limited')
      await using all = await open('all')
      const long = 'x'.repeat(5000)
      const events = [
        event(mine, 'first'),
        event(mine, 'long', long),
        event(mine, 'between'),
        event(other, 'long', `${long}\n\n${event(mine, 'inside')}`),
        event(mine, 'long').replace('data:', `data: ${long}\r\ndata:`),
        event(mine, 'last'),
      ]
      send(events.join(''), size)
      await until(() => limited.names().includes('last') && all.names().includes('last'))
      expect(limited.names()).toEqual(['first', 'between', 'last'])
      expect(all.names()).toEqual(['first', 'between', 'last'])
      expect(limited.text() + all.text()).not.toContain('xx')
      const notice = ': an event was too large and is left out\n\n'
      expect(all.text().split(notice)).toHaveLength(4)
      // It may have been another's device: no trace of it.
      expect(limited.text()).toBe(
        `:ok\n\n${event(mine, 'first')}${event(mine, 'between')}${event(mine, 'last')}`,
      )
      limited.leave()
      all.leave()
      await Promise.all([limited.ended, all.ended])
      await expectEnds('client_gone', 'client_gone')
      for (const { events: count } of await gate.outcomes()) {
        expect(count).toEqual({ sent: 3, withheld: 0, too_large: 3 })
      }
      const told = gate
        .log()
        .split('\n')
        .filter((line) => line.includes('larger than streams.event'))
      expect(told.map((line) => JSON.parse(line))).toEqual([
        expect.objectContaining({ level: 'error', product }),
      ])
    },
  )

  it('R17 reads on behind bytes that are not UTF-8, and takes them for nobody’s id', async () => {
    await start()
    await using limited = await open('limited')
    await using all = await open('all')
    const odd = (coreid: string, data: number[]) =>
      Buffer.concat([
        Buffer.from(`event: odd\ndata: {"coreid":"${coreid}`),
        Buffer.from(data),
        Buffer.from('"}\n\n'),
      ])
    const inData = `${mine}","data":"`
    send(odd(mine, [0xff]))
    send(odd(inData, [0xff, 0xc0, 0x8a]))
    send(odd(`${other}","data":"`, [0xff]))
    send(event(mine, 'last'))
    await until(() => limited.names().includes('last') && all.names().includes('last'))
    expect(limited.names()).toEqual(['odd', 'last'])
    expect(JSON.parse(limited.events()[0]?.data ?? '')).toEqual({
      ...{ coreid: mine, data: '\ufffd\ufffd\ufffd' },
    })
    expect(all.names()).toEqual(['odd', 'odd', 'last'])
    expect(limited.text()).not.toContain(other)
  })

  it('never passes the gate’s credential on', async () => {
    await start()
    await using client = await open('all')
    send(event(mine, 'echo', credential))
    await until(() => client.events().length === 1)
    expect(client.text()).not.toContain(credential)
  })
})

describe('F11 rights that end while a stream is open', () => {
  it('a revoked token’s stream breaks within a second, and not one event comes after it', async () => {
    await start()
    await using client = await open('limited')
    await using bystander = await open('all')
    await using clock = await startFairClock()
    const flood = setInterval(() => send(event(mine)), 5)
    await until(() => client.events().length > 3)
    await elsewhere(gate.config, (tokens) => tokens.revoke({ user: 'limited' }, commandLine))
    const revokedAt = performance.now()
    expect(await client.ended).toBe('broken')
    expect(await clock.between(revokedAt, client.endedAt())).toBeLessThan(1000)
    const heard = client.events().length
    const others = bystander.events().length
    await until(() => bystander.events().length > others + 3)
    clearInterval(flood)
    expect(client.events()).toHaveLength(heard)
    await using again = await open('limited')
    expect(again.status).toBe(401)
    bystander.leave()
    await bystander.ended
    const { decisions, rejects } = await traces(gate)
    expect([decisions.length, rejects.length]).toEqual([2, 1])
    expect(await gate.outcomes()).toContainEqual(expect.objectContaining({ ended: 'revoked' }))
  })

  it('T07 to listen is to use: an idle limit ends no open stream, a leap of the clock does', async () => {
    await start()
    await using client = await open('idler')
    for (let step = 0; step < 4; step += 1) {
      skewMs += 1_800_000
      await pause(300)
      expect(client.endedAt()).toBeUndefined()
    }
    skewMs -= 400 * 86_400_000
    expect(await client.ended).toBe('broken')
    await expectEnds('expired')
    skewMs += 400 * 86_400_000 + 3_600_000
    await using again = await open('idler')
    expect(again.status).toBe(401)
  })
})

describe('A01 an audit log that cannot be written', () => {
  it('ends open streams, which nobody could account for', async () => {
    const { faults, openFile } = faultyDisk()
    await start('', openFile)
    await using client = await open('limited')
    send(event(mine))
    await until(() => client.events().length === 1)
    faults.write = () => Promise.reject(diskError('ENOSPC'))
    await using refused = await open('limited')
    expect(refused.status).toBe(503)
    expect(await client.ended).toBe('broken')
    delete faults.write
    await until(() => upstream.connections.every(({ closed }) => closed))
    await expect
      .poll(async () => (await gate.outcomes()).map(({ ended }) => ended))
      .toContain('audit_unavailable')
  })
})

describe('F12 clients that vanish', () => {
  it('leave nothing behind: 1,000 streams killed, no connection to the cloud after a second', async () => {
    await start('rations: { streams: 2000 }')
    await using listeners = await startListeners(gate.port, path, gate.tokens['all'] ?? '', 1000)
    expect(upstream.connections.filter(({ closed }) => !closed)).toHaveLength(1)
    send(event(mine))
    await using clock = await startFairClock()
    await listeners.kill()
    const killedAt = performance.now()
    await until(() => upstream.connections.every(({ closed }) => closed))
    expect(await clock.between(killedAt)).toBeLessThan(1000)
    const { total } = await traces(gate)
    expect(total).toBe(1000)
    const outcomes = await gate.outcomes()
    expect(outcomes).toHaveLength(1000)
    expect(new Set(outcomes.map(({ ended }) => ended))).toEqual(new Set(['client_gone']))
  }, 60_000)

  it('R15 leave nothing behind however often they come and go', async () => {
    await start()
    const turns = 14
    for (let turn = 0; turn < turns; turn += 1) {
      const client = await open('limited')
      expect(client.status).toBe(200)
      client.leave()
      await client.ended
      const leftAt = performance.now()
      await until(() => upstream.connections.every(({ closed }) => closed), 3000)
      expect(performance.now() - leftAt).toBeLessThan(1000)
    }
    expect(upstream.connections).toHaveLength(turns)
    await expectEnds(...Array.from({ length: turns }, () => 'client_gone'))
  }, 60_000)

  it('one that gives up before the cloud has answered leaves no connection either', async () => {
    upstream.use(() => {})
    await start()
    const giveUp = new AbortController()
    const abandoned = fetch(gate.url + path, {
      headers: { authorization: `Bearer ${gate.tokens['limited']}` },
      signal: giveUp.signal,
    })
    await until(() => upstream.connections[0]?.heads === 1)
    await using clock = await startFairClock()
    giveUp.abort()
    await expect(abandoned).rejects.toThrow('abort')
    const allClosed = clock.until(() => upstream.connections.every(({ closed }) => closed))
    expect(await allClosed).toBeLessThan(1000)
    expect(upstream.connections).toHaveLength(1)
    await expectEnds('client_gone')
  })

  it('one that gives up does not take the connection from another that waits for it', async () => {
    upstream.use(() => {})
    await start()
    const opening = open('limited')
    await until(() => upstream.connections[0]?.heads === 1)
    const abandoned = fetch(gate.url + path, {
      headers: { authorization: `Bearer ${gate.tokens['limited']}` },
      signal: AbortSignal.timeout(300),
    })
    await expect(abandoned).rejects.toThrow('timeout')
    upstream.connections[0]?.socket.end(rawAnswer(503, '{"error":"busy","secret":"x"}'))
    const refused = await opening
    expect(refused.status).toBe(503)
    await refused.ended
    expect(JSON.parse(refused.text())).toEqual({ error: 'busy' })
    await until(() => upstream.connections.every(({ closed }) => closed))
    expect(upstream.connections).toHaveLength(1)
  })
})

describe('F13 readers that are slow', () => {
  it('one that stops reading is cut off, and nobody else misses anything', async () => {
    await start('streams: { buffer: 64KB }')
    await using slow = await open('all')
    await using good = await open('all')
    slow.pause()
    const events = 3000
    const data = 'x'.repeat(8000)
    for (let sent = 0; sent < events; sent += 10) {
      send(Array.from({ length: 10 }, (_, n) => event(mine, `n${sent + n}`, data)).join(''))
      await pause(1)
    }
    await until(() => good.names().length === events, 40_000)
    expect(good.names()).toEqual(Array.from({ length: events }, (_, n) => `n${n}`))
    slow.resume()
    expect(await slow.ended).toBe('broken')
    good.leave()
    await good.ended
    await expectEnds('slow_reader', 'client_gone')
    const rows = await gate.outcomes()
    const lost = rows.find(({ ended }) => ended === 'slow_reader')
    expect(Number(lost?.['bytes'])).toBeLessThan((events * data.length) / 2)
  }, 60_000)
})

// Only Linux tells of it; elsewhere it is the kernel's own limit.
describe.runIf(process.platform === 'linux')('F13 peers that are gone without a word', () => {
  it('are cut off on a quiet stream, and who answers is not', async () => {
    await start('streams: { heartbeat: 300ms, unanswered: 3s }')
    await using gone = await startVanishingClient(gate.port, path, gate.tokens['limited'] ?? '')
    await using good = await open('all')
    await pause(4000)
    expect(await gate.outcomes()).toEqual([])
    await gone.vanish()
    const vanishedAt = performance.now()
    await expect.poll(() => gate.outcomes(), { timeout: 20_000, interval: 50 }).toHaveLength(1)
    const lasted = performance.now() - vanishedAt
    expect(lasted).toBeGreaterThan(3000)
    expect(lasted).toBeLessThan(6000)
    expect(good.endedAt()).toBeUndefined()
    send(event(mine))
    await until(() => good.events().length === 1)
    good.leave()
    await good.ended
    await expectEnds('client_gone', 'client_gone')
  })
})

describe('F14 streams that are silent', () => {
  const config = `
timeouts: { upstream_first_byte: 1500ms, upstream_body: 1500ms, keep_alive: 1500ms, request: 1500ms, headers: 1s }
streams: { heartbeat: 300ms }`

  it('live on past every timeout, and the client hears a heartbeat', async () => {
    await start(config)
    await using client = await open('limited')
    for (let turn = 0; turn < 10; turn += 1) {
      const before = client.text().length
      send(event(other))
      await pause(500)
      await until(() => client.text().length > before)
    }
    send(event(mine))
    await until(() => client.events().length === 1)
    expect(client.text()).toMatch(/^:ok\n\n(:\n\n){8,}event: /)
    client.leave()
    await client.ended
    await expectEnds('client_gone')
  })

  it('are 504 where not even the head comes', async () => {
    upstream.use(() => {})
    await start(config)
    await using client = await open('limited')
    expect(client.status).toBe(504)
    await until(() => upstream.connections.every(({ closed }) => closed))
    await client.ended
    await expectEnds('upstream_timeout')
  })
})
