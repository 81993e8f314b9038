// Attacks by the request target: rows P01 to P26, as bytes on a socket.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  answerByLine,
  answerOfMine,
  device,
  foreign,
  mine,
  organization,
  other,
  plain,
  startAttackedGate,
  type AttackedGate,
} from '../kit/attacked-gate.ts'
import { sentOn } from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'
import { expectDenied, expectRejected, expectServed } from './verdicts.ts'

let bench: AttackedGate
const sent = (line: string, headers: string[] = []) => sentOn(bench.upstream, line, headers)

beforeAll(async () => {
  bench = await startAttackedGate()
})

beforeEach(() => {
  bench.upstream.answerWith(rawAnswer(200, answerOfMine))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

describe('an ambiguous target', () => {
  it.each([
    ['P01 dot segments', `/v1/devices/${mine}/../${other}`],
    ['P01 dot segments in the product form', `${device}/../${other}`],
    ['P01 a dot segment at the end', `${device}/..`],
    ['P01 one dot', `/v1/products/1337/./devices/${mine}`],
    ['P02 encoded dots', '/v1/devices/%2e%2e/orgs'],
    ['P02 half encoded dots', `/v1/products/1337/devices/.%2E/devices/${mine}`],
    ['P02 one encoded dot', `/v1/%2e/devices/${mine}`],
    ['P03 an encoded slash in the id', `/v1/devices/${mine}%2f..%2f${other}`],
    ['P03 the same in capitals', `${device}%2F..%2F${other}`],
    ['P04 a slash encoded twice', `/v1/devices/${mine}%252f..%252f${other}`],
    ['P04 dots encoded twice', `/v1/devices/%252e%252e/orgs`],
    ['P05 backslashes', `/v1/devices/${mine}\\..\\${other}`],
    ['P05 encoded backslashes', `/v1/devices/${mine}%5c..%5c${other}`],
    ['P06 path parameters', `/v1/devices/${mine};x=1/..;/${other}`],
    ['P06 one path parameter', `${device};x=1`],
    ['P06 an encoded path parameter', `/v1/devices/..%3b/${mine}`],
    ['P08 a fragment', `/v1/devices/${mine}#/../${other}`],
    ['P08 a fragment in the query', `${device}?format=raw#/../${other}`],
    ['P09 absolute form', `http://gate.example${device}`],
    ['P09 absolute form of another host and scheme', `ftp://evil${device}`],
    ['P11 an authority', '//evil/v1/devices'],
    ['P11 three slashes', '///v1/devices'],
    ['P11 an authority before a path of ours', `//${device}`],
    ['P12 merged slashes', `/v1//devices///${other}`],
    ['P12 two slashes at the end', `${device}//`],
    ['P15 a NUL', `${device}%00`],
    ['P15 a NUL before a suffix', `${device}%00.json`],
    ['P15 an encoded line end', `${device}%0d%0aX-A:b`],
    ['P16 a bad percent', '/v1/orgs/%zz/x'],
    ['P16 half a percent', `${device}%2`],
    ['P16 overlong UTF-8', '/v1/orgs/%c0%af/products'],
    ['P16 no UTF-8', '/v1/orgs/%ff/products'],
    ['P16 no UTF-8 in a query value', `${device}/temp?format=%ff`],
    ['P24 an asterisk with GET', '*'],
    ['P26 3000 segments', '/a'.repeat(3000)],
  ])('%s is 400', async (_, target) => {
    expectRejected(await bench.ask(`GET ${target}`), 400, 'ambiguous_target')
    // Nobody learns by it whether a token is good.
    const nobody = await bench.ask(`GET ${target}`, { user: 'nobody' })
    expectRejected(nobody, 400, 'ambiguous_target')
  })

  it.each([
    ['P25 a space', `${device}/a b`],
    ['P25 a tab', `${device}\t`],
    ['P25 a high byte', `${device}\x80`],
    ['P25 raw UTF-8', `${device}\xc3\xab`],
    ['P25 DEL', `${device}\x7f`],
    ['P25 a raw NUL', `${device}\0`],
    ['P25 a bare carriage return', `${device}\rX`],
  ])('%s in the request line is 400', async (_, target) => {
    const got = await bench.ask(`GET ${target}`)
    expectRejected(got, 400, 'invalid_request')
    expect(got.closed).toBe('end')
  })
})

describe('a target that is no route', () => {
  it.each([
    ['P13 capitals', `/V1/DEVICES/${other}`],
    ['P13 one capital, own device', `/v1/Products/1337/devices/${mine}`],
    ['P22 another version', '/v10/devices'],
    ['P22 a longer word', '/v1/devicesX'],
    ['P22 a longer word before an id', `/v1/devices-evil/${other}`],
    ['P22 a prefix of the version', `/v1evil${device.slice(3)}`],
  ])('%s is 404 after a valid token and 401 before', async (_, target) => {
    expectDenied(await bench.ask(`GET ${target}`), 404, 'unmapped_route')
    expectRejected(await bench.ask(`GET ${target}`, { user: 'nobody' }), 401, 'missing_token')
  })

  it.each([
    ['P03 an encoded slash without dots', `${device}%2f${other}`],
    ['P14 a dot at the end', `${foreign}.`],
    ['P14 a dot at the end of an own id', `${device}.`],
    ['P14 an encoded space', `${foreign}%20`],
    ['P14 an encoded space after an own id', `${device}%20`],
    ['P26 an id of 4000 pieces', `/v1/products/1337/devices/${'a-'.repeat(4000)}`],
    ['P26 an alias of 4000 pieces', `/v1/products/${'a-'.repeat(4000)}!/devices`],
  ])('%s is 400', async (_, target) => {
    expectDenied(await bench.ask(`GET ${target}`), 400, 'invalid_request')
  })
})

describe('other spellings of one thing', () => {
  it('P14 one trailing slash changes nothing', async () => {
    expectServed(await bench.ask(`GET ${device}/`), sent(`GET ${device}`))
    expectDenied(await bench.ask(`GET ${foreign}/`), 403, 'outside_devices')
  })

  it('P18 an id in capitals is the same device for policy, audit and upstream', async () => {
    const mineUpper = await bench.ask(`GET /v1/products/1337/devices/${mine.toUpperCase()}`)
    expectServed(mineUpper, sent(`GET ${device}`))
    expect(mineUpper.decisions).toMatchObject([{ resources: [`device:${mine}`], target: device }])
    const otherUpper = await bench.ask(`GET /v1/products/1337/devices/${other.toUpperCase()}`)
    expectDenied(otherUpper, 403, 'outside_devices')
  })

  it('P18 a product slug becomes the id that is decided, logged and sent', async () => {
    const lookUp = 'GET /v1/products/my-product-v1'
    answerByLine(bench.upstream, {
      [lookUp]: rawAnswer(200, '{"product":{"id":1337,"slug":"my-product-v1"}}'),
      [`GET ${device}`]: rawAnswer(200, answerOfMine),
    })
    const accept = ['accept: application/json']
    const bySlug = await bench.ask(`GET /v1/products/my-product-v1/devices/${mine}`)
    expectServed(bySlug, sent(lookUp, accept) + sent(`GET ${device}`))
    expect(bySlug.decisions).toMatchObject([{ target: device, products: ['1337'] }])
    const denied = await bench.ask(`GET /v1/products/my-product-v1/devices/${other}`)
    expectDenied(denied, 403, 'outside_devices')
  })

  it('P18 a device name becomes an id, or the request is denied', async () => {
    const lookUp = (name: string) => `GET /v1/devices/${name}`
    answerByLine(bench.upstream, {
      [lookUp('pump')]: rawAnswer(200, answerOfMine),
      [lookUp('valve')]: rawAnswer(200, `{"id":"${other}","product_id":1337}`),
      [`GET ${device}`]: rawAnswer(200, answerOfMine),
    })
    const accept = ['accept: application/json']
    const own = await bench.ask(lookUp('pump'))
    expectServed(own, sent(lookUp('pump'), accept) + sent(`GET ${device}`))
    expect(own.decisions).toMatchObject([{ target: `/v1/devices/${mine}` }])
    for (const name of ['valve', 'nobody']) {
      const got = await bench.ask(lookUp(name))
      expect(got.answers.map(({ status }) => status)).toEqual([403])
      expect(got.upstream).toBe(sent(lookUp(name), accept))
      expect([got.traces, got.decisions]).toMatchObject([1, [{ decision: 'deny' }]])
    }
    expectDenied(await bench.ask('GET /v1/products/1337/devices/pump'), 400, 'invalid_request')
  })

  it('P18 an organization slug becomes the id that is decided and sent', async () => {
    const list = `GET /v1/orgs/${organization}/products`
    answerByLine(bench.upstream, {
      'GET /v1/orgs/acme': rawAnswer(
        200,
        `{"organization":{"id":"${organization}","slug":"acme"}}`,
      ),
      'GET /v1/orgs/evil': rawAnswer(
        200,
        '{"organization":{"id":"5f0000000000000000000bb2","slug":"evil"}}',
      ),
      [list]: rawAnswer(200, '{"products":[]}'),
    })
    const accept = ['accept: application/json']
    const own = await bench.ask('GET /v1/orgs/acme/products', { user: 'partner' })
    expectServed(own, sent('GET /v1/orgs/acme', accept) + sent(list))
    expect(own.decisions).toMatchObject([{ target: list.slice(4) }])
    const evil = await bench.ask('GET /v1/orgs/evil/products', { user: 'partner' })
    expect(evil.answers.map(({ status }) => status)).toEqual([403])
    expect(evil.upstream).toBe(sent('GET /v1/orgs/evil', accept))
    expect([evil.traces, evil.decisions]).toMatchObject([
      1,
      [{ decision: 'deny', reason: 'outside_boundary' }],
    ])
  })

  it('P20 a reserved word is no device', async () => {
    for (const line of [
      'POST /v1/devices/events',
      `GET /v1/devices/events/${other}`,
      'GET /v1/events',
    ]) {
      expectDenied(await bench.ask(line), 403, 'refused_route')
    }
    expectDenied(await bench.ask('GET /v1/devices/events'), 403, 'refused_route')
    expectDenied(await bench.ask('DELETE /v1/devices/events'), 405, 'method_not_allowed')
    const fn = await bench.ask(`POST ${device}/ping`)
    expectDenied(fn, 405, 'method_not_allowed')
  })

  it('P20 "mine" is the name of a device, and of none that is known', async () => {
    answerByLine(bench.upstream, {})
    const got = await bench.ask('GET /v1/devices/mine')
    expect(got.answers.map(({ status }) => status)).toEqual([403])
    expect(got.upstream).toBe(sent('GET /v1/devices/mine', ['accept: application/json']))
    expect([got.traces, got.decisions]).toMatchObject([1, [{ decision: 'deny' }]])
  })

  it('P21 an encoded slash in an event name is decoded once', async () => {
    const names = ['spark/status', 'spark%2Fstatus', 'spark/stat', 'spark/statuses']
    bench.upstream.use(({ socket }) => {
      const spoken = names.map((name) => `event: ${name}\ndata: {"coreid":"${mine}"}\n\n`)
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:ok\n\n')
      setTimeout(() => socket.end(spoken.join('')), 150)
    })
    const events = '/v1/products/1337/events'
    const got = await bench.ask(`GET ${events}/spark%2Fstatus`, { user: 'broad' })
    expect(got.answers.map(({ status }) => status)).toEqual([200])
    const heard = got.text.matchAll(/event: (.*)$/gm)
    expect(Array.from(heard, ([, name]) => name)).toEqual(['spark/status', 'spark/statuses'])
    // The stream of the whole product, which all clients share.
    expect(got.upstream.split('\r\n')[0]).toBe(`GET ${events} HTTP/1.1`)
    expect(got.upstream.match(/ HTTP\/1\.1\r\n/g)).toHaveLength(1)
    expect([got.traces, got.decisions]).toMatchObject([
      1,
      [{ decision: 'allow', fields: ['events:spark/status*'] }],
    ])
    const twice = await bench.ask(`GET ${events}/spark%252Fstatus`, { user: 'broad' })
    expectRejected(twice, 400, 'ambiguous_target')
  })

  it('P24 OPTIONS * is answered here', async () => {
    const got = await bench.ask('OPTIONS *')
    expectRejected(got, 204, 'preflight')
  })

  it('P26 no target takes the gate longer than 50 ms', async () => {
    const targets = [
      '/a'.repeat(3000),
      '/'.repeat(8000),
      `/v1/products/1337/devices/${'a-'.repeat(4000)}`,
      `/v1/products/${'a-'.repeat(4000)}!/devices/${mine}`,
      `/v1/devices/${'%2e'.repeat(2600)}`,
      `${device}/temp?${'format=1&'.repeat(880)}`,
      `/${'a'.repeat(15_000)}`,
    ]
    for (const target of targets) {
      const bytes = plain(`GET ${target}`, ['Connection: close', bench.bearer()])
      let best = Infinity
      for (let i = 0; i < 3; i += 1) {
        const cpu = process.cpuUsage()
        const got = await bench.attack(bytes)
        const { user, system } = process.cpuUsage(cpu)
        best = Math.min(best, (user + system) / 1000)
        expect(got.answers.map(({ status }) => status)).toEqual([400])
        expect([got.upstream, got.traces]).toEqual(['', 1])
      }
      // The CPU of client, upstream, gate and this test together.
      expect(best).toBeLessThan(50)
    }
  })
})

describe('after all attacks', () => {
  it('no row has come that belongs to none of the requests', async () => {
    expect(await bench.lateRows()).toBe(0)
  })
})
