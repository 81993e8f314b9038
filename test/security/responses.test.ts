// Answers that would show more than they should: rows F01 to F07, F16, H18 and H19, M01 on lists that are cut item by item.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  mine,
  mineToo,
  other,
  product,
  startBench,
  upstreamCredential,
  type Bench,
  type Exchanged,
} from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'

const path = `/v1/products/${product}/devices`
const list = `GET ${path}`

const policies = {
  'users.yaml': `
users:
  site:
    owner: field@acme.example
    product: ${product}
    devices: { groups: { $any: [site-7, site-8] } }
    rules:
      - can: devices:list
        hide: notes
    expires: never
  listed:
    owner: field@acme.example
    product: ${product}
    devices: [${mine}, ${mineToo}]
    scopes: [devices:list]
    expires: never
  whole:
    owner: field@acme.example
    product: ${product}
    devices: all
    scopes: [devices:list]
    expires: never
`,
}

const device = (id: string, group: string, owner: string) => ({
  id,
  name: `name of ${id}`,
  owner,
  groups: [group],
  notes: 'a note',
  mobile_secret: 'TOP',
})
const fleet = {
  devices: [
    device(mine, 'site-7', 'ann@example.com'),
    device(other, 'site-9', 'bob@example.com'),
    device(mineToo, 'site-8', 'ann@example.com'),
  ],
  customers: [
    { id: 'c1', username: 'ann@example.com' },
    { id: 'c2', username: 'bob@example.com' },
  ],
  meta: { total_pages: 1, total: 3, next: `${path}?after=${other}` },
  total: 3,
  links: { next: `/devices/${other}` },
}

let bench: Bench

beforeAll(async () => {
  // A list is read anew each time, so that each odd answer is seen.
  const config = 'lists: { max_age: 1ms, max_stale: 1ms }\nlimits: { answer: 1MB }'
  bench = await startBench({ policies, config })
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

function answerWith(body: unknown, headers: Record<string, string> = {}, status = 200): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  bench.upstream.answerWith(rawAnswer(status, text, headers))
}

/** One decision that allowed, our credential and nothing of the client's upstream. */
function expectAsked(got: Exchanged): void {
  expect(got.decisions).toMatchObject([{ decision: 'allow', enforcement: 'filter' }])
  expect(got.traces).toBe(1)
  expect(got.upstream).toMatch(new RegExp(`^GET ${path}\\?[^ ]* HTTP/1.1\r\n`))
  expect(got.upstream).toContain(`authorization: Bearer ${upstreamCredential}`)
  expect(got.upstream).toContain('accept-encoding: identity')
  expect(got.upstream).not.toMatch(/range|fg_u_/i)
}

/** Nothing of the devices that are out of reach, in head or body. */
function expectNoTrace(got: Exchanged): void {
  for (const trace of [other, 'bob', 'site-9', 'TOP']) expect(got.text).not.toContain(trace)
}

/** Refused whole; the decision stands, and the outcome says why. */
function expectRefused(got: Exchanged): void {
  expect(got.status).toBe(502)
  expectAsked(got)
  expectNoTrace(got)
  expect(got.text).not.toContain(mine)
}

describe('a list for an API user that sees a part of it', () => {
  it.each([
    ['site', false],
    ['listed', true],
  ])('F01 holds no trace of the rest: %s', async (user, notes) => {
    answerWith(fleet, {
      ETag: '"3-devices"',
      'X-Total-Count': '3',
      Link: `<${path}?after=${other}>`,
    })
    const got = await bench.ask(user, list)
    expect(got.status).toBe(200)
    expectAsked(got)
    expectNoTrace(got)
    const kept = fleet.devices
      .filter(({ id }) => id !== other)
      .map(({ id, name, owner, groups, notes: note }) => ({
        ...{ id, name, owner, groups },
        ...(notes && { notes: note }),
      }))
    expect(JSON.parse(got.body)).toEqual({
      devices: kept,
      customers: [{ id: 'c1', username: 'ann@example.com' }],
      meta: { total_pages: 1 },
    })
    for (const name of ['etag', 'link', 'x-total-count', 'last-modified', 'accept-ranges']) {
      expect(got.headers.get(name)).toBeUndefined()
    }
    expect(got.headers.get('cache-control')).toMatch(/no-store/)
  })

  it('F01 is whole for whom it is not cut, but for what is secret', async () => {
    answerWith(fleet)
    const got = await bench.ask('whole', list)
    expect(got.text).toContain(other)
    expect(got.text).not.toContain('TOP')
    expect(got.decisions).toMatchObject([{ decision: 'allow' }])
  })

  it.each([
    ['F02 HTML', `<b>${mine} ${other}</b>`, { 'Content-Type': 'text/html' }],
    ['F02 CSV', `id\n${mine}\n${other}\n`, { 'Content-Type': 'text/csv' }],
    ['F02 lines of JSON', `${JSON.stringify(fleet)}\n${JSON.stringify(fleet)}`, {}],
    ['F02 nothing', '', {}],
    ['F02 null', 'null', {}],
    ['F02 a byte order mark', `\ufeff${JSON.stringify(fleet)}`, {}],
    ['F03 gzip', JSON.stringify(fleet), { 'Content-Encoding': 'gzip' }],
    ['F03 x-gzip', JSON.stringify(fleet), { 'Content-Encoding': 'x-gzip' }],
    ['F03 gzip twice', JSON.stringify(fleet), { 'Content-Encoding': 'gzip, gzip' }],
    ['F03 br', JSON.stringify(fleet), { 'Content-Encoding': 'br' }],
    ['F07 the list at the root', JSON.stringify(fleet.devices), {}],
    ['F07 a map by id', JSON.stringify({ devices: { [mine]: {}, [other]: {} } }), {}],
    ['F07 an item that is no object', JSON.stringify({ devices: [mine, other] }), {}],
    ['F07 a list in a list', JSON.stringify({ devices: [fleet.devices] }), {}],
  ])('is refused whole: %s', async (_, body, headers) => {
    answerWith(body, headers)
    expectRefused(await bench.ask('site', list))
  })

  it.each([
    ['id renamed', fleet.devices.map(({ id, ...rest }) => ({ deviceID: id, ...rest }))],
    ['id nested', fleet.devices.map((one) => ({ device: one }))],
  ])('F07 shows no item that it cannot tell apart: %s', async (_, devices) => {
    answerWith({ ...fleet, devices })
    const got = await bench.ask('listed', list)
    expectAsked(got)
    expectNoTrace(got)
    expect(got.text).not.toContain(mine)
  })

  it('F02 is refused where it is no UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from(`{"devices":[{"id":"${mine}","name":"`),
      Buffer.of(0xff),
    ])
    const body = Buffer.concat([bytes, Buffer.from('"}]}')])
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    bench.upstream.answerWith(Buffer.concat([Buffer.from(head), body]))
    expectRefused(await bench.ask('site', list))
  })

  it('F04 is never a whole answer where the cloud broke off', async () => {
    bench.upstream.use(({ socket }) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n',
      )
      socket.write('{"devices":[{"i', () => socket.resetAndDestroy())
    })
    expectRefused(await bench.ask('site', list))
  })

  it('F05 is refused where it is larger than the gate reads', async () => {
    answerWith({ ...fleet, padding: 'x'.repeat(2_000_000) })
    expectRefused(await bench.ask('site', list))
  })

  it('F16 follows no redirect', async () => {
    const headers = { Location: 'http://169.254.169.254/latest' }
    answerWith('{}', headers, 302)
    const got = await bench.ask('site', list)
    expectRefused(got)
    expect(got.text).not.toContain('169.254')
    expect(bench.upstream.seen().match(/HTTP\/1\.1\r\n/g)).toHaveLength(1)
  })

  it('H18 H19 is asked for whole and plain, whatever the client asks for', async () => {
    answerWith(fleet)
    const steering = [
      'Accept-Encoding: x-gzip, gzip, gzip, zstd',
      'Range: bytes=0-60',
      'If-Range: "x"',
    ]
    const got = await bench.ask('site', list, steering)
    expect(got.status).toBe(200)
    expectAsked(got)
    expectNoTrace(got)
  })

  it('H19 is refused where the cloud sends a part of it anyway', async () => {
    answerWith(fleet, { 'Content-Range': 'bytes 0-19/600' }, 206)
    expectRefused(await bench.ask('site', list))
  })

  it('M01 tells HEAD what it tells GET, and no more', async () => {
    answerWith(fleet)
    const got = await bench.ask('site', list)
    const head = await bench.ask('site', `HEAD ${path}`)
    expect([head.status, head.body]).toEqual([200, ''])
    expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(got.body)))
    expectAsked(head)
  })

  it.each([
    ['paging twice', 'site', 'perPage=1&per_page=2', 400],
    ['a page that is no number', 'site', 'page=-1', 400],
    ['page 0', 'site', 'page=0', 400],
    ['a size of 1e9', 'site', 'perPage=1e9', 400],
  ])('answers %s', async (_, user, query, status) => {
    answerWith(fleet)
    const got = await bench.ask(user, `${list}?${query}`)
    expect(got.status).toBe(status)
    expectNoTrace(got)
    expect(got.traces).toBe(1)
    if (status === 400) expect(got.upstream).toBe('')
  })

  it('says who asked and from where the answer came, once', async () => {
    answerWith(fleet)
    await bench.ask('site', list)
    const outcomes = await bench.gate.outcomes()
    expect(outcomes.at(-1)).toMatchObject({ status: 200, list: { way: 'index', total: 2 } })
  })

  // Last: what the cloud refuses the gate itself holds everybody up for a while.
  it('passes the error of the cloud on, and nothing of it that speaks of the fleet', async () => {
    answerWith({ error: 'Too many', device: other, devices: fleet.devices }, {}, 429)
    const got = await bench.ask('site', list)
    expect(got.status).toBe(429)
    expectAsked(got)
    expectNoTrace(got)
    expect(JSON.parse(got.body)).toEqual({ error: 'Too many' })
  })
})
