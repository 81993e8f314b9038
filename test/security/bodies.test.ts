// Attacks in request bodies and bulk requests: rows B01 to B10, as bytes on a socket.

import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cpuMs } from '../kit/cpu-time.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { startGateProcess } from '../kit/gate-process.ts'
import { traces } from '../kit/invariant.ts'
import {
  mine,
  mineToo,
  okJson,
  other,
  product,
  requestBytes,
  sentOn,
  startBench,
  type Bench,
  type Exchanged,
} from '../kit/raw-exchange.ts'
import { rawAnswer, until } from '../kit/recording-upstream.ts'

const devices = `/v1/products/${product}/devices`
const device = `${devices}/${mine}`
const upload = `POST /v1/products/${product}/firmware`
const json = 'Content-Type: application/json'
const form = 'Content-Type: application/x-www-form-urlencoded'
const sentJson = 'content-type: application/json'

const policies = {
  'users.yaml': `
users:
  limited:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}, ${mineToo}] }
    rules:
      - can: [devices:update.name, devices:update.groups, devices:import.ids]
      - { can: devices:import.file, body: [file, import_sims] }
      - can: devices.function:call
        with: { argument: { $in: ['', '20'] } }
      - can: events:send
    expires: never
  builder:
    owner: ci@acme.example
    product: ${product}
    scopes: firmware:create
    expires: never
  compiler:
    owner: ci@acme.example
    product: ${product}
    scopes: binary:compile
    expires: never
  whole:
    owner: ci@acme.example
    organization: 0123456789abcdef0000acee
    scopes: binary:compile
    expires: never
`,
}

let bench: Bench

beforeAll(async () => {
  bench = await startBench({ policies })
})

beforeEach(() => {
  bench.upstream.answerWith(rawAnswer(200, okJson))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

/** Nothing upstream, one decision row: the token was right, the body was not. */
function expectRefused(got: Exchanged, status: number, reason: string): void {
  expect([got.status, got.upstream, got.traces]).toEqual([status, '', 1])
  expect(got.decisions).toMatchObject([{ decision: 'deny', reason }])
}

function expectServed(got: Exchanged, sent: string): void {
  expect([got.status, got.upstream, got.traces]).toEqual([200, sent, 1])
  expect(got.decisions).toMatchObject([{ decision: 'allow' }])
}

function call(body: string, type: string[] = [json], path = `${device}/setpoint`) {
  return bench.ask('limited', `POST ${path}`, type, body)
}

describe('a body that is read', () => {
  it('is sent on as it was understood, not as it was written', async () => {
    const got = await call(' { "arg" : "\\u0032\\u0030" } ')
    expectServed(got, sentOn(bench.upstream, `POST ${device}/setpoint`, [sentJson], '{"arg":"20"}'))
    expectRefused(await call('{"arg":"21"}'), 403, 'not_granted')
  })

  it.each([
    ['B01 a key twice', '{"arg":"21","arg":"20"}'],
    ['B01 a key twice, once escaped', '{"\\u0061rg":"21","arg":"20"}'],
    ['B01 a key twice, deeper', '{"arg":"20","format":{"a":1,"a":2}}'],
    ['B01 one value under two names', '{"arg":"20","args":"21"}'],
    ['B02 a key of nobody', '{"arg":"20","owner":"x"}'],
    ['B09 100,000 brackets', '['.repeat(100_000)],
    ['B09 a deep nest', `{"arg":${'['.repeat(5000)}${']'.repeat(5000)}}`],
    ['B09 many keys', `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":1`).join(',')}}`],
    ['B09 a prototype', '{"__proto__":{"arg":"20"},"arg":"20"}'],
    ['B09 a nested prototype', '{"arg":{"__proto__":{"admin":1}}}'],
    ['B09 a number no double holds', '{"arg":1e999}'],
    ['B05 a form under a JSON label', 'arg=20'],
    ['B05 not UTF-8', '{"arg":"\xff"}'],
    ['B05 a byte order mark', '\xef\xbb\xbf{"arg":"20"}'],
    ['B05 two values', '{"arg":"20"}{"arg":"21"}'],
    ['B05 no mapping', '["arg","20"]'],
  ])('%s is 400', async (_, body) => {
    const cost = await cpuMs(async () => expectRefused(await call(body), 400, 'invalid_body'), 1)
    expect(cost).toBeLessThan(1000)
  })

  it.each([
    ['B05 JSON under a form label', [form], '{"arg":"20"}', 400, 'invalid_body'],
    ['B05 UTF-7', [`${json}; charset=utf-7`], '{"arg":"20"}', 415, 'unsupported_media_type'],
    ['B05 UTF-16', [`${json}; charset=utf-16`], '{"arg":"20"}', 415, 'unsupported_media_type'],
    ['B05 no content type', [], '{"arg":"20"}', 415, 'unsupported_media_type'],
    ['B05 text', ['Content-Type: text/plain'], '{"arg":"20"}', 415, 'unsupported_media_type'],
    ['B05 two content types', [json, form], '{"arg":"20"}', 400, 'invalid_body'],
    ['B05 a form field twice', [form], 'arg=21&arg=20', 400, 'invalid_body'],
    ['B05 a bracketed field', [form], 'arg[]=20', 400, 'invalid_body'],
  ])('%s is refused', async (_, type, body, status, reason) => {
    expectRefused(await call(body, type), status, reason)
  })

  it('B05 refuses a semicolon in a form before it looks for a token in it', async () => {
    const got = await call('arg=20;args=21', [form])
    expect([got.status, got.upstream, got.traces]).toEqual([400, '', 1])
    expect(got.rejects).toMatchObject([{ reason: 'invalid_body' }])
  })

  it('B07 refuses an encoded body unread, on both ways', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000)).toString('latin1')
    for (const coding of ['gzip', 'deflate', 'br', 'identity, gzip']) {
      const got = await call(bomb, [json, `Content-Encoding: ${coding}`])
      expectRefused(got, 415, 'unsupported_media_type')
    }
    const type = ['Content-Type: multipart/form-data; boundary=XX', 'Content-Encoding: gzip']
    const got = await bench.ask('builder', upload, type, bomb)
    expectRefused(got, 415, 'unsupported_media_type')
  })

  it('B08 writes a form value that plays a multipart part as one encoded value', async () => {
    const value = 'x%0D%0A--B%0D%0AContent-Disposition%3A%20form-data%3B%20name%3D%22admin%22'
    const got = await bench.ask('limited', `PUT ${device}`, [form], `name=${value}`)
    expect([got.status, got.traces]).toEqual([200, 1])
    expect(got.upstream).toMatch(/\r\n\r\nname=x%0D%0A--B%0D%0AContent-Disposition[^\r\n]*$/)
    const called = await bench.ask(
      'limited',
      `POST ${device}/setpoint`,
      [form],
      `arg=20&format=${value}`,
    )
    const type = 'content-type: application/x-www-form-urlencoded'
    const sent = sentOn(bench.upstream, `POST ${device}/setpoint`, [type], `arg=20&format=${value}`)
    expectServed(called, sent)
  })

  it('B09 refuses 10 MB and a million keys by their size', async () => {
    const large = await call(`{"arg":"${'a'.repeat(10_000_000)}"}`)
    expectRefused(large, 413, 'payload_too_large')
    const keys = Array.from({ length: 1_000_000 }, (_, i) => `"${i}":1`).join(',')
    expectRefused(await call(`{${keys}}`), 413, 'payload_too_large')
    const chunk = `186a0\r\n${'a'.repeat(100_000)}\r\n`
    const chunked = await bench.send(
      requestBytes(`POST ${device}/setpoint`, [
        `Authorization: Bearer ${bench.gate.tokens['limited']}`,
        json,
        'Transfer-Encoding: chunked',
      ]) + chunk.repeat(11),
    )
    expectRefused(chunked, 413, 'payload_too_large')
  })
})

describe('a body that names things', () => {
  it.each([
    ['B02 an id', '{"name":"x","id":"OTHER"}'],
    ['B02 a product', '{"name":"x","product_id":99}'],
    ['B02 an owner', '{"name":"x","owner":"x"}'],
    ['B02 a device', `{"name":"x","deviceID":"${other}"}`],
  ])('%s beside the path is 400', async (_, body) => {
    expectRefused(await bench.ask('limited', `PUT ${device}`, [json], body), 400, 'invalid_body')
  })

  it('B02 asks for each deed of a body, and all must be granted', async () => {
    const one = await bench.ask('limited', `PUT ${device}`, [json], '{"name":"x"}')
    expect([one.status, one.traces]).toEqual([200, 1])
    expect(one.upstream).toMatch(/\r\n\r\n\{"name":"x"\}$/)
    const two = '{"name":"x","development":true}'
    const both = await bench.ask('limited', `PUT ${device}`, [json], two)
    expectRefused(both, 403, 'not_granted')
    expect(both.decisions).toMatchObject([
      { actions: ['devices:update.name', 'devices:update.development'] },
    ])
    expectRefused(await bench.ask('limited', `PUT ${device}`, [json], '{}'), 400, 'no_deed')
  })

  it('B02 decides the device that an event speaks for', async () => {
    const publish = (id: string) =>
      bench.ask(
        'limited',
        `POST /v1/products/${product}/events`,
        [json],
        `{"name":"alarm","as_device_id":"${id}"}`,
      )
    const own = await publish(mine)
    expect([own.status, own.traces]).toEqual([200, 1])
    expectRefused(await publish(other), 403, 'outside_devices')
  })

  const bulk = (ids: readonly string[]) =>
    bench.ask(
      'limited',
      `PUT ${devices}`,
      [json],
      JSON.stringify({ action: 'groups', devices: ids, metadata: { add: ['site-1'] } }),
    )

  it('B03 sends a bulk request on when every device of it is its own', async () => {
    const body = `{"action":"groups","devices":["${mine}","${mineToo}"],"metadata":{"add":["site-1"]}}`
    const sent = sentOn(bench.upstream, `PUT ${devices}`, [sentJson], body)
    expectServed(await bulk([mine, mineToo]), sent)
  })

  it.each([
    ['B03 one foreign at the end', [mine, other]],
    ['B03 one foreign at the beginning', [other, mine]],
    ['B03 one foreign among fifty', [...Array.from({ length: 49 }, () => mine), other]],
    ['B03 forty-nine foreign behind an own', [mine, ...Array.from({ length: 49 }, () => other)]],
  ])('%s refuses all', async (_, ids) => {
    const got = await bulk(ids)
    expectRefused(got, 403, 'outside_devices')
    expect(got.decisions).toMatchObject([{ failed_resource: other }])
  })

  it.each([
    ['B03 ids as text', `"${mine},${other}"`],
    ['B03 a list in a list', `["${mine}",["${other}"]]`],
    ['B03 an object', `[{"id":"${other}"}]`],
    ['B03 a number', `["${mine}",1]`],
    ['B03 null', 'null'],
  ])('%s names no devices', async (_, ids) => {
    const body = `{"action":"groups","devices":${ids},"metadata":{"add":["site-1"]}}`
    const got = await bench.ask('limited', `PUT ${devices}`, [json], body)
    expect([got.status, got.upstream, got.traces]).toEqual([400, '', 1])
  })

  it('B03 decides an empty list like a request about no device', async () => {
    const got = await bulk([])
    expect([got.upstream, got.traces]).toEqual(['', 1])
    expect(got.decisions).toMatchObject([{ decision: 'deny' }])
  })
})

describe('a file of ids', () => {
  const type = 'Content-Type: multipart/form-data;boundary=XX'
  const part = (disposition: string, content: string, more = '') =>
    `--XX\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n${content}\r\n`
  const file = (content: string, more = '') =>
    part('name="file"; filename="../../x.txt"', content, more)
  const send = (body: string, headers = [type]) =>
    bench.ask('limited', `POST ${devices}`, headers, body)
  const end = '--XX--\r\n'

  it('B03 is sent on written anew when every device of it is its own', async () => {
    const got = await send(part('name="import_sims"', 'true') + file(`${mine}\r\n${mineToo}`) + end)
    expect([got.status, got.traces]).toEqual([200, 1])
    const boundary = /content-type: multipart\/form-data; boundary=(\S+)\r\n/.exec(
      got.upstream,
    )?.[1]
    const body =
      `--${boundary}\r\nContent-Disposition: form-data; name="import_sims"\r\n\r\ntrue\r\n` +
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="file.txt"\r\n` +
      `Content-Type: text/plain; charset=utf-8\r\n\r\n${mine}\n${mineToo}\n\r\n--${boundary}--\r\n`
    const sent = [`content-type: multipart/form-data; boundary=${boundary}`]
    expectServed(got, sentOn(bench.upstream, `POST ${devices}`, sent, body))
  })

  it.each([
    ['B03 one foreign at the end', `${mine}\n${other}`],
    ['B03 one foreign at the beginning', `${other}\r\n${mine}`],
    ['B03 one foreign among many', `${`${mine}\n`.repeat(49)}${other}\n`],
    ['B03 one of another product', `${mine}\n${'e'.repeat(24)}`],
  ])('%s refuses all', async (_, lines) => {
    expectRefused(await send(file(lines) + end), 403, 'outside_devices')
  })

  it('B03 that names a device otherwise than by its id is refused', async () => {
    expectRefused(await send(file('pump') + end), 403, 'outside_devices')
    const upper = await send(file(mine.toUpperCase().replace('0', 'A')) + end)
    expect([upper.status, upper.upstream, upper.traces]).toEqual([400, '', 1])
  })

  it.each([
    ['B01 comes twice', file(mine) + file(other)],
    ['B02 comes with a part of nobody', file(mine) + part('name="owner"', 'x')],
    ['B02 comes with a device beside it', file(mine) + part('name="id"', other)],
    ['B03 hides one behind a space', file(`${mine} ${other}`)],
    ['B03 hides one behind a comma and a space', file(`${mine}, ${other}`)],
    ['B03 hides one behind a carriage return', file(`${mine}\r${other}`)],
    ['B03 hides one behind a blank line', file(`${mine}\n\n${other}`)],
    ['B03 hides one behind a NUL', file(`${mine}\0${other}`)],
    ['B03 is empty', file('')],
    ['B05 begins with a byte order mark', file(`\xef\xbb\xbf${mine}`)],
    ['B05 is UTF-16', file(`${mine}\n`, 'Content-Type: text/plain; charset=utf-16\r\n')],
    ['B05 is no file', part('name="file"', mine)],
    ['B07 is encoded', file(btoa(mine), 'Content-Transfer-Encoding: base64\r\n')],
    [
      'B08 plays a part',
      file(`${mine}\n--XX\nContent-Disposition: form-data; name="id"\n\n${other}`),
    ],
    ['T05 brings a token', file(mine) + part('name="access_token"', 'x')],
  ])('that %s is 400', async (_, body) => {
    expectRefused(await send(body + end), 400, 'invalid_body')
  })

  it('B05 under another label is refused', async () => {
    expectRefused(await send(file(mine) + end, [json]), 400, 'invalid_body')
    // A form is looked through for a token, before it is known whose it is.
    const asForm = await send(file(mine) + end, [form])
    expect([asForm.status, asForm.upstream, asForm.traces]).toEqual([400, '', 1])
    const mixed = ['Content-Type: multipart/mixed; boundary=XX']
    expectRefused(await send(file(mine) + end, mixed), 415, 'unsupported_media_type')
    expectRefused(await send(`{"ids":["${mine}"]}`), 400, 'invalid_body')
  })

  it('B02 is claimed for nobody that was not granted, in whatever place that stands', async () => {
    const claim = part('name="claim_user"', 'x@acme.example')
    expectRefused(await send(file(mine) + claim + end), 403, 'not_granted')
    expect((await send(file(mine) + end)).status).toBe(200)
    const twice = await bench.ask(
      'limited',
      `POST ${devices}?claim_user=x@acme.example`,
      [type],
      file(mine) + claim + end,
    )
    expectRefused(twice, 400, 'invalid_body')
  })

  it('B09 is bounded in devices and in bytes', async () => {
    const ids = (count: number) =>
      Array.from({ length: count }, (_, i) => i.toString(16).padStart(24, 'f')).join('\n')
    expectRefused(await send(file(ids(5_000)) + end), 403, 'outside_devices')
    expectRefused(await send(file(ids(5_001)) + end), 413, 'payload_too_large')
    expectRefused(await send(file(ids(60_000)) + end), 413, 'payload_too_large')
  })
})

describe('an upload', () => {
  const type = 'Content-Type: multipart/form-data; boundary=XX'
  const file = (name: string, content: string) =>
    `--XX\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n${content}\r\n--XX--\r\n`

  it('B10 streams 5 MB, byte for byte', async () => {
    const body = file('../../x.bin', 'b'.repeat(5_000_000))
    bench.upstream.use((connection) => {
      void until(() => connection.text.endsWith('--XX--\r\n')).then(() =>
        connection.socket.write(rawAnswer(201, okJson)),
      )
    })
    const got = await bench.ask('builder', upload, [type], body)
    expect([got.status, got.traces]).toEqual([201, 1])
    expect(got.upstream.endsWith(`\r\n\r\n${body}`)).toBe(true)
    expect(got.upstream).toContain(`content-length: ${body.length}\r\n`)
    expect(await lastOutcome()).toMatchObject({ status: 201, upstream_status: 201 })
  })

  it('B10 sends nothing of a part whose file name ends its header', async () => {
    const body = file('../../x\r\nY: z', 'content')
    const got = await bench.ask('builder', upload, [type], body)
    expect([got.status, got.traces]).toEqual([400, 1])
    expect(got.upstream).not.toContain('Y: z')
    expect(await lastOutcome()).toMatchObject({ status: 400, ended: 'invalid_body' })
  })

  describe('that names a product', () => {
    const compile = 'POST /v1/binaries'
    const named = (id: string, key = 'product_id') =>
      `--XX\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${id}\r\n`

    it.each([
      ['its own product', named(product)],
      ['a platform', named('13', 'platform_id')],
    ])('B02 goes on with %s', async (_, part) => {
      const body = part + file('app.ino', 'void setup() {}')
      const got = await bench.ask('compiler', compile, [type], body)
      expect([got.status, got.traces]).toEqual([200, 1])
      expect(got.upstream.endsWith(`\r\n\r\n${body}`)).toBe(true)
      expect(got.decisions).toMatchObject([{ decision: 'allow' }])
      expect(await lastOutcome()).toMatchObject({ status: 200, ended: 'answered' })
    })

    it.each([
      ['compiler', 'a foreign one', '99999'],
      ['compiler', 'an unknown one', '4'],
      ['compiler', 'a slug', 'acme-tracker'],
      ['compiler', 'its own, spelled otherwise', `0${product}`],
      ['whole', 'one of an organization', product],
    ])('B02 never arrives whole, and is 403: %s, %s', async (user, _, id) => {
      const parts = file('app.ino', 'void setup() {}').replace('--XX--\r\n', '')
      const body = `${parts}${named(id)}--XX--\r\n`
      const got = await bench.ask(user, compile, [type], body)
      expect([got.status, got.traces]).toEqual([403, 1])
      expect(got.upstream).not.toContain('--XX--')
      expect(await lastOutcome()).toMatchObject({ status: 403, ended: 'forbidden' })
    })

    it('B02 is 400 under a key that nobody declared', async () => {
      const body = named('99999', 'productId') + file('app.ino', 'void setup() {}')
      const got = await bench.ask('compiler', compile, [type], body)
      expect([got.status, got.traces]).toEqual([400, 1])
      expect(got.upstream).not.toContain('--XX--')
    })
  })

  it('B10 ends the upstream request when the client goes away half way', async () => {
    const before = (await traces(bench.gate)).total
    bench.upstream.clear()
    bench.upstream.use(() => {})
    const socket = await opened(bench.gate.port)
    socket.write(head(5_000_000) + file('x.bin', 'b'.repeat(2_500_000)).slice(0, 2_500_000))
    await until(() => bench.upstream.seen().length > 1_000_000)
    await using clock = await startFairClock()
    socket.resetAndDestroy()
    const over = clock.until(() =>
      bench.upstream.connections.every(({ text, closed }) => closed || text === ''),
    )
    expect(await over).toBeLessThan(1000)
    await expect.poll(async () => (await lastOutcome())['ended']).toBe('client_gone')
    expect((await traces(bench.gate)).total - before).toBe(1)
  })

  it('B10 ends an upload that drips beyond the configured time', async () => {
    await using slow = await startBench({
      policies,
      config: 'timeouts: { headers: 1s, request: 1500ms }',
    })
    slow.upstream.use(() => {})
    const socket = await opened(slow.gate.port)
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.write(head(5_000_000, slow) + file('x.bin', 'b'.repeat(1000)).slice(0, 1000))
    const drip = setInterval(() => socket.write('b'), 50)
    await until(() => socket.closed).finally(() => clearInterval(drip))
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    await until(() => slow.upstream.connections.every(({ text, closed }) => closed || text === ''))
    await expect.poll(async () => (await lastOutcome(slow))['ended']).toBe('request_timeout')
    expect((await traces(slow.gate)).total).toBe(1)
  })

  it('B10 holds no upload in memory', async () => {
    const { gate, upstream } = bench
    const configFile = join(gate.folder, 'process.yaml')
    await writeFile(
      configFile,
      `upstream: { url: '${upstream.url}', credentials: { default: { file: upstream-token } } }
listen: { data: '127.0.0.1:0' }
audit: { folder: audit-of-process }
`,
    )
    await using other = await startGateProcess(configFile)
    // Read and dropped: what is kept here would say nothing of the gate.
    upstream.use((connection) => {
      connection.socket.removeAllListeners('data')
      let seen = connection.text.length
      connection.text = ''
      connection.socket.on('data', (chunk: Buffer) => {
        seen += chunk.length
        if (chunk.includes('--XX--\r\n')) connection.socket.write(rawAnswer(201, okJson))
      })
      connection.socket.once('end', () => expect(seen).toBeGreaterThan(192_000_000))
    })
    const socket = await opened(other.port)
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
    const [beginning = '', ending = ''] = file('x.bin', '|').split('|')
    const megabyte = Buffer.alloc(1_000_000, 'b')
    const send = async (count: number) => {
      for (let sent = 0; sent < count; sent++) {
        if (!socket.write(megabyte)) await new Promise((resolve) => socket.once('drain', resolve))
      }
    }
    socket.write(head(beginning.length + 192_000_000 + ending.length) + beginning)
    // What a collector has not collected yet goes, sooner or later; what is held stays as long as the upload is not over.
    await send(64)
    const warm = await other.residentBytes()
    await send(128)
    await expect
      .poll(async () => (await other.residentBytes()) - warm, { timeout: 30_000 })
      .toBeLessThan(20 * 1024 * 1024)
    socket.write(ending)
    await until(() => answer.startsWith('HTTP/1.1 201'))
    socket.destroy()
  })

  function head(length: number, { gate } = bench): string {
    const token = `Authorization: Bearer ${gate.tokens['builder']}`
    return requestBytes(upload, [token, type, `Content-Length: ${length}`])
  }
})

async function lastOutcome({ gate } = bench): Promise<Readonly<Record<string, unknown>>> {
  return (await gate.outcomes()).at(-1) ?? {}
}

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}
