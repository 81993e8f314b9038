// Attacks and accidents in policy and configuration files: rows C01 to C17. A set loads whole or not at all.

import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { Mistakes, type Mistake } from '../../src/lib/mistake.ts'
import { openParts } from '../../src/open-parts.ts'
import { startGate } from '../../src/server.ts'
import { cpuMs } from '../kit/cpu-time.ts'
import { traces } from '../kit/invariant.ts'
import { mine, other, product, sentOn, startBench, type Bench } from '../kit/raw-exchange.ts'
import { rawAnswer } from '../kit/recording-upstream.ts'
import { parseLines, startTestGate, type AuditRow, type TestGate } from '../kit/start-gate.ts'

const device = (id: string) => `/v1/products/${product}/devices/${id}`
const user = (name: string, rest: string) => `
users:
  ${name}:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
${rest}
`
const good = user('limited', '    rules: [{ can: devices:get }]\n    expires: never')

/** A whole file whose one mistake stands in line 9. */
const rule = (text: string) => user('bad', `    expires: never\n    rules:\n      - ${text}`)

const bombLevels = Array.from(
  { length: 9 },
  (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 9 }, () => `*a${i}`).join(', ')}]`,
)
const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]', ...bombLevels].join('\n')

/** Name, text, line of the mistake, what is said of it. */
const broken: [name: string, text: string, line: number, says: RegExp][] = [
  ['C03 a rule that names no action', rule('where: { id: x }'), 9, /can.*cannot/],
  ['C03 an action as another tool has it', rule('action: read'), 9, /unknown key "action"/],
  ['C03 everything', rule('can: all'), 9, /"all" is reserved/],
  ['C03 a star', rule("can: '*'"), 9, /reserved/],
  ['C04 empty conditions', rule('{ can: devices:get, where: {} }'), 9, /empty|condition/],
  ['C04 no conditions', rule('can: devices:get\n        where:'), 10, /value is missing/],
  ['C04 null conditions', rule('{ can: devices:get, where: null }'), 9, /value is missing/],
  [
    'C07 a mistyped operator',
    rule('{ cannot: devices:get, where: { id: { $equals: x } } }'),
    9,
    /\$equals/,
  ],
  [
    'C07 an operator in another case',
    rule('{ cannot: devices:get, where: { id: { $In: [x] } } }'),
    9,
    /\$In/,
  ],
  [
    'C07 a mistyped attribute',
    rule('{ cannot: devices:get, where: { gruops: { $any: [x] } } }'),
    9,
    /did you mean "groups"/,
  ],
  ['C07 a mistyped action', rule('cannot: devices:gte'), 9, /did you mean "devices:get"/],
  ['C09 equality on a list', rule('{ can: devices:get, where: { groups: site-7 } }'), 9, /groups/],
  [
    'C09 $in on a list',
    rule('{ can: devices:get, where: { groups: { $in: [site-7] } } }'),
    9,
    /groups/,
  ],
  ['C09 a path into a list', rule('{ can: devices:get, where: { owner.id: x } }'), 9, /owner\.id/],
  ['C10 null as a value', rule('{ can: devices:get, where: { id: null } }'), 9, /value is missing/],
  [
    'C10 a number that is none',
    rule('{ can: devices:get, where: { firmware_version: { $lt: 0x14 } } }'),
    9,
    /0x14/,
  ],
  [
    'C10 a null boundary',
    'users:\n  bad:\n    owner: x\n    product: null\n    expires: never\n',
    4,
    /value is missing/,
  ],
  [
    'C11 a regular expression',
    rule("{ can: devices:get, where: { id: { $regex: '^(a+)+$' } } }"),
    9,
    /\$regex/,
  ],
  ['C12 an alias bomb of nine levels', bomb, 1, /anchors/],
  ['C12 an alias that holds itself', 'users: &a\n  bad: *a\n', 2, /aliases/],
  ['C12 5,000 brackets', `users: ${'['.repeat(5000)}\n`, 1, /brackets/],
  ['C12 5,000 brackets, one a line', `users:\n${'[\n'.repeat(5000)}`, 2, /./],
  ['C13 a prototype', 'users:\n  __proto__: { owner: x }\n', 2, /__proto__/],
  ['C13 a constructor', 'users: {}\nconstructor: {}\n', 2, /unknown key "constructor"/],
  ['C14 an empty file', '', 1, /empty/],
  ['C14 comments only', '# nothing\n# here\n', 1, /empty/],
  ['C14 two documents', 'users: {}\n---\nusers: {}\n', 2, /one document/],
  ['C14 a merge key', 'users:\n  <<: {}\n', 2, /"<<" is no key/],
  [
    'C14 a null rule',
    user('bad', '    expires: never\n    rules:\n      - can: devices:get\n      -'),
    10,
    /value is missing/,
  ],
  ['C14 an unknown key', 'usres: {}\n', 1, /unknown key "usres"; did you mean "users"/],
  [
    'C14 an unknown key in a rule',
    rule('{ can: devices:get, subjets: x }'),
    9,
    /unknown key "subjets"/,
  ],
  ['C14 a function tag', 'users: !!js/function x\n', 1, /tag/i],
  ['C14 a key twice', 'users: {}\nusers: {}\n', 2, /unique|twice|duplicate/i],
  ['C14 a directive', '%YAML 1.1\n---\nusers: {}\n', 1, /directive/i],
  ['C14 not UTF-8 text', 'users: \u0000\n', 1, /./],
]

let bench: Bench
let folder: string

beforeAll(async () => {
  bench = await startBench({ policies: { 'users.yaml': good } })
  folder = await mkdtemp(join(tmpdir(), 'fleetgate-files-'))
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function eventsOf(gate: TestGate, name: string): Promise<AuditRow[]> {
  const rows = parseLines(await readFile(join(gate.folder, 'audit', 'decisions.jsonl'), 'utf8'))
  return rows.filter((row) => row['kind'] === 'event' && row['event'] === name)
}

function mistakesOf(start: () => unknown) {
  try {
    start()
  } catch (error) {
    if (error instanceof Mistakes) return error.list
    throw error
  }
  return []
}

describe('a policy set with one mistake', () => {
  it.each(broken)('%s is reported at its line, quickly', async (_, text, line, says) => {
    const policies = join(folder, 'one')
    await rm(policies, { recursive: true, force: true })
    await mkdir(policies)
    await writeFile(join(policies, 'bad.yaml'), text)
    let mistakes: readonly Mistake[] = []
    const cost = await cpuMs(() => {
      mistakes = mistakesOf(() => openParts({ ...bench.gate.config, policies }))
    }, 1)
    expect(cost).toBeLessThan(1000)
    expect(mistakes.map((mistake) => mistake.line)).toContain(line)
    const there = mistakes.filter((mistake) => mistake.line === line)
    expect(there.map(({ message }) => message).join('\n')).toMatch(says)
    expect(mistakes[0]?.file).toMatch(/bad\.yaml$/)
  })

  it('keeps a gate from starting, before it writes or listens', async () => {
    const policies = join(folder, 'start')
    await mkdir(policies)
    await writeFile(join(policies, 'users.yaml'), good)
    for (const [name, text] of broken) {
      await writeFile(join(policies, 'bad.yaml'), text)
      const audit = { ...bench.gate.config.audit, folder: join(folder, 'audit-of-none') }
      const config = { ...bench.gate.config, policies, audit }
      const log = createLog({ write: () => undefined, clock: systemClock })
      const outcome = await startGate(config, { clock: systemClock, log }).catch((error) => error)
      expect([name, outcome instanceof Mistakes ? 'refused' : outcome]).toEqual([name, 'refused'])
    }
    await expect(readFile(join(folder, 'audit-of-none', 'decisions.jsonl'))).rejects.toThrow(
      /ENOENT/,
    )
  })

  it.each(broken.filter((_, index) => index % 4 === 0))(
    '%s leaves the set before it in force at a reload',
    async (_, text) => {
      const { gate } = bench
      const before = (await eventsOf(gate, 'policies_refused')).length
      await gate.writePolicy('bad.yaml', text)
      await gate.reload()
      const got = await bench.ask('limited', `GET ${device(mine)}`)
      expect([got.status, got.traces]).toEqual([200, 1])
      expect(got.upstream).toBe(sentOn(bench.upstream, `GET ${device(mine)}`))
      const denied = await bench.ask('limited', `GET ${device(other)}`)
      expect([denied.status, denied.upstream, denied.traces]).toEqual([403, '', 1])
      const refused = await eventsOf(gate, 'policies_refused')
      expect(refused.length).toBeGreaterThan(before)
      const revision = got.decisions[0]?.['revision']
      expect(refused.at(-1)?.['data']).toMatchObject({ revision })
      expect(gate.log()).toContain('policies refused; the ones before stay in force')
    },
  )

  it('C12 refuses a file of 50 MB unread', async () => {
    const policies = join(folder, 'large')
    await mkdir(policies)
    await writeFile(join(policies, 'bad.yaml'), `# ${'x'.repeat(50_000_000)}\n`)
    let mistakes: readonly Mistake[] = []
    const cost = await cpuMs(() => {
      mistakes = mistakesOf(() => openParts({ ...bench.gate.config, policies }))
    }, 1)
    expect(mistakes).toMatchObject([{ line: 1, message: expect.stringContaining('larger than') }])
    expect(cost).toBeLessThan(1000)
  })
})

describe('what a rule means on the wire', () => {
  const ids = Array.from({ length: 6 }, (_, i) => `0123456789abcdef0000010${i}`)
  const all = (name: string, rules: string) => `
  ${name}:
    owner: field@acme.example
    product: ${product}
    devices: all
    expires: never
    rules:
${rules}
`
  const can = '      - can: devices:get\n'
  const cannot = `      - { cannot: devices:get, where: { id: ${ids[0]} } }\n`
  const quarantine = '      - { cannot: devices:get, where: { groups: { $any: [quarantine] } } }\n'
  let meaning: Bench

  beforeAll(async () => {
    meaning = await startBench({
      policies: {
        'users.yaml': `users:${[
          all('first', cannot + can),
          all('last', can + cannot),
          all('free', can + quarantine),
          all('member', '      - { can: devices:get, where: { groups: { $any: [site-7] } } }\n'),
          all('newer', '      - { can: devices:get, where: { firmware_version: { $lt: 3 } } }\n'),
          all('unequal', '      - { can: devices:get, where: { serial_number: { $ne: x } } }\n'),
        ].join('')}
  plain:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [420032000e47343432313031, 1e9] }
    rules: [{ can: devices:get }]
    expires: never
  quoted:
    owner: field@acme.example
    product: "${product}"
    devices: { ids: ["420032000e47343432313031"] }
    rules: [{ can: devices:get }]
    expires: never
`.replace(', 1e9', ''),
      },
    })
  })

  afterAll(async () => {
    await meaning[Symbol.asyncDispose]()
  })

  it('C01 keeps ids that look like numbers apart, quoted or not', async () => {
    const number = '420032000e47343432313031'
    for (const name of ['plain', 'quoted']) {
      const own = await meaning.ask(name, `GET ${device(number)}`)
      expect([own.status, own.traces]).toEqual([200, 1])
      expect(own.upstream).toBe(sentOn(meaning.upstream, `GET ${device(number)}`))
      const same = await meaning.ask(name, `GET ${device('350041000e47363433353735')}`)
      expect([same.status, same.upstream, same.traces]).toEqual([403, '', 1])
    }
  })

  it('C05 forbids whatever the order', async () => {
    for (const name of ['first', 'last']) {
      const denied = await meaning.ask(name, `GET ${device(ids[0] ?? '')}`)
      expect([denied.status, denied.upstream, denied.traces]).toEqual([403, '', 1])
      expect(denied.decisions).toMatchObject([
        { reason: 'forbidden', rule: { line: expect.any(Number) } },
      ])
      const allowed = await meaning.ask(name, `GET ${device(ids[1] ?? '')}`)
      expect([allowed.status, allowed.traces]).toEqual([200, 1])
    }
  })

  it.each([
    ['C06 in the group', 'member', '"groups":["site-7","x"]', 200],
    ['C06 in another group', 'member', '"groups":["site-70"]', 403],
    ['C08 no groups, to be in one', 'member', '"x":1', 403],
    ['C08 null groups, to be in one', 'member', '"groups":null', 403],
    ['C08 groups of another type', 'member', '"groups":"site-7"', 403],
    ['C08 not in the forbidden group', 'free', '"groups":["site-7"]', 200],
    ['C08 no groups, to be out of one', 'free', '"x":1', 403],
    ['C08 null groups, to be out of one', 'free', '"groups":null', 403],
    ['C08 nothing to be unequal to', 'unequal', '"x":1', 403],
    ['C08 null is not unequal', 'unequal', '"serial_number":null', 403],
    ['C10 null is not below 3', 'newer', '"firmware_version":null', 403],
    ['C10 a text is no number', 'newer', '"firmware_version":"2"', 403],
    ['C10 a number below 3', 'newer', '"firmware_version":2', 200],
  ])('%s', async (name, who, attributes, status) => {
    const id = hash('sha256', name).slice(0, 24)
    const answer = `{"id":"${id}","product_id":${product},${attributes}}`
    meaning.upstream.answerWith(rawAnswer(200, answer))
    const got = await meaning.ask(who, `GET ${device(id)}`)
    expect([got.status, got.traces]).toEqual([status, 1])
    expect(got.decisions).toMatchObject([{ decision: status === 200 ? 'allow' : 'deny' }])
    // What is asked for its attributes first; only an allowed request is sent on after it.
    const lookUp = sentOn(meaning.upstream, `GET ${device(id)}`, ['accept: application/json'])
    const own = status === 200 ? sentOn(meaning.upstream, `GET ${device(id)}`) : ''
    expect(got.upstream).toBe(lookUp + own)
  })
})

describe('a reload under load', () => {
  it('C16 drops nothing and decides each request by the set it names', async () => {
    const upstream = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"id":"${mine}"}`)
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const { port } = upstream.address() as AddressInfo
    const narrow = user('limited', '    rules: [{ can: devices:ping }]\n    expires: never')
    const gate = await startTestGate({
      upstream: { url: `http://127.0.0.1:${port}`, token: 'c'.repeat(40) },
      policies: { 'users.yaml': good },
    })
    const stop = new AbortController()
    try {
      const place = (name: string) => join(gate.folder, name)
      const file = place('policies/users.yaml')
      await writeFile(place('good.yaml'), good)
      await writeFile(place('narrow.yaml'), narrow)
      const swapTo = async (target: string) => {
        await rm(place('link'), { force: true })
        await symlink(place(target), place('link'))
        await rename(place('link'), file)
      }
      const over = async (text: string) => {
        await rm(file)
        await writeFile(file, text)
      }
      const steps: (() => Promise<void>)[] = [
        () => over(narrow),
        () => over(good.slice(0, good.indexOf('rules') + 9)),
        () => over(good),
        () => over(`${good}nonsense: 1\n`),
        () => swapTo('narrow.yaml'),
        () => swapTo('nowhere.yaml'),
        () => swapTo('good.yaml'),
        () => over(''),
        // What a checkout leaves in between: no file at all.
        () => rm(file),
        () => writeFile(file, good),
      ]
      const answers = new Map<string, number>()
      let failures = 0
      const headers = { authorization: `Bearer ${gate.tokens['limited']}` }
      const client = async () => {
        while (!stop.signal.aborted) {
          try {
            const answer = await fetch(gate.url + device(mine), { headers })
            await answer.arrayBuffer()
            answers.set(answer.headers.get('x-request-id') ?? '', answer.status)
          } catch {
            failures += 1
          }
        }
      }
      const clients = Array.from({ length: 4 }, client)
      const end = performance.now() + 3000
      for (let step = 0; step < steps.length || performance.now() < end; step++) {
        await steps[step % steps.length]?.()
        // A storm of signals costs two loads.
        await Promise.all(Array.from({ length: step === 0 ? 20 : 1 }, () => gate.reload()))
      }
      stop.abort()
      await Promise.all(clients)

      expect(failures).toBe(0)
      const statuses = Object.groupBy(answers.values(), String)
      expect(Object.keys(statuses).toSorted()).toEqual(['200', '403'])
      const { decisions, total } = await traces(gate)
      expect(total).toBe(answers.size)
      const loaded = await eventsOf(gate, 'policies_loaded')
      const revisions = new Set(loaded.map((row) => Object(row['data']).revision))
      expect(revisions.size).toBe(2)
      const meaning = new Map<unknown, Set<unknown>>()
      for (const row of decisions) {
        const known = meaning.get(row['revision']) ?? new Set()
        meaning.set(row['revision'], known.add(row['decision']))
        const status = answers.get(String(row['request_id']))
        expect(status).toBe(row['decision'] === 'allow' ? 200 : 403)
      }
      const seen = [...meaning.values()].map((decisions) => [...decisions].join())
      expect(new Set(seen)).toEqual(new Set(['allow', 'deny']))
      expect([...meaning.keys()].every((revision) => revisions.has(String(revision)))).toBe(true)
      expect((await eventsOf(gate, 'policies_refused')).length).toBeGreaterThanOrEqual(5)
      // A half-written file never takes a token away.
      expect(await eventsOf(gate, 'token_revoked')).toEqual([])
    } finally {
      stop.abort()
      await gate[Symbol.asyncDispose]()
      upstream.closeAllConnections()
      await new Promise((resolve) => upstream.close(resolve))
    }
  })
})

describe('a link that leads nowhere', () => {
  it('C16 is a broken set, not a set without what it led to', async () => {
    const gate = await startTestGate({
      upstream: { url: bench.upstream.url, token: 'c'.repeat(40) },
      policies: { 'users.yaml': good, 'more.yaml': good.replace('limited', 'linked') },
    })
    try {
      const place = join(gate.folder, 'policies', 'more.yaml')
      await rm(place)
      await symlink(join(gate.folder, 'nowhere.yaml'), place)
      await gate.reload()
      expect(gate.log()).toContain('more.yaml: a link that leads nowhere')
      await expect.poll(() => eventsOf(gate, 'policies_refused')).toHaveLength(1)
      expect(await eventsOf(gate, 'token_revoked')).toEqual([])
      const headers = { authorization: `Bearer ${gate.tokens['linked']}` }
      expect((await fetch(gate.url + device(mine), { headers })).status).toBe(200)
      expect((await fetch(gate.url + device(other), { headers })).status).toBe(403)
      expect((await traces(gate)).decisions).toHaveLength(2)
    } finally {
      await gate[Symbol.asyncDispose]()
    }
  })
})

describe('a configuration with a secret', () => {
  const text = (credential: string) => `upstream:
  url: http://127.0.0.1:1
  credentials:
    default: ${credential}
`

  it('C17 refuses a credential file that others can read, with its line and the way out', async () => {
    const secret = 'c10ddeadbeefc10ddeadbeefc10ddeadbeef0042'
    const path = join(folder, 'upstream-token')
    await writeFile(path, `${secret}\n`)
    const load = () =>
      loadConfig(text('{ file: upstream-token }'), join(folder, 'fleetgate.yaml'), {})
    for (const mode of [0o644, 0o640, 0o604, 0o666]) {
      await chmod(path, mode)
      const loaded = load()
      expect(loaded).toMatchObject({
        ok: false,
        mistakes: [{ line: 4, message: expect.stringMatching(/others can reach.*chmod 600/) }],
      })
      expect(JSON.stringify(loaded)).not.toContain(secret)
    }
    await chmod(path, 0o600)
    expect(load().ok).toBe(true)
    expect(JSON.stringify(load())).not.toContain(secret)
  })

  it('C17 takes no credential written into the file', () => {
    const loaded = loadConfig(text('c10ddeadbeef'), join(folder, 'fleetgate.yaml'), {})
    expect(loaded).toMatchObject({ ok: false, mistakes: [{ line: 4 }] })
    expect(JSON.stringify(loaded)).not.toContain('c10ddeadbeef')
  })

  it('C17 takes one from the environment, and shows it nowhere', () => {
    const env = { CLOUD_TOKEN: 'c10ddeadbeef' }
    const file = join(folder, 'fleetgate.yaml')
    const loaded = loadConfig(text('{ env: CLOUD_TOKEN }'), file, env)
    expect(loaded.ok).toBe(true)
    expect(JSON.stringify(loaded)).not.toContain('c10ddeadbeef')
    expect(loadConfig(text('{ env: CLOUD_TOKEN }'), file, {})).toMatchObject({
      ok: false,
      mistakes: [{ line: 4 }],
    })
  })
})
