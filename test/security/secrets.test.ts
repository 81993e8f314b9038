// T12: the whole life of tokens at a real gate in a process of its own, and then a search for all of them in all that it left behind.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import type { RecordedRequest } from '../../examples/device-cloud/recorder.ts'
import { Secret } from '../../src/lib/secret.ts'
import { scannerPattern } from '../../src/store/token-format.ts'
import { aDefinition, startAdmin } from '../kit/admin-rig.ts'
import { fleetgate } from '../kit/cli.ts'
import { freePort } from '../kit/free-port.ts'
import { operate, storeKinds, type Method, type Operated } from '../kit/operated-gate.ts'
import type { TestDatabase } from '../kit/postgres.ts'
import { until } from '../kit/recording-upstream.ts'
import { testDatabase } from '../kit/test-database.ts'
import { withWrongChecksum } from '../kit/tokens.ts'

const root = join(import.meta.dirname, '..', '..')
const main = join(root, 'src', 'main.ts')
const product = 12345
const ours = new RegExp(scannerPattern, 'g')

const policies = (git: string) => `
users:
  in-git:
    owner: git@acme.example
    product: ${product}
    devices: all
    scopes: [devices:get, devices:list, events:get]
    lifetime: 90d
  taken-over:
    owner: git@acme.example
    product: ${product}
    devices: all
    scopes: [devices:get, devices.function:call]
    lifetime: 90d
  brief:
    owner: git@acme.example
    product: ${product}
    devices: all
    scopes: [devices:get]
    lifetime: 1s
${git}`

type Serving = { log(): string; out(): string; reload(): void; stop(): Promise<void> }
type Ran = { code: number | null; out: string; err: string }

/** Everything that a secret may not be in, by name; and the secrets by theirs. */
class Search {
  readonly outputs = new Map<string, string>()
  readonly #secrets = new Map<string, string>()

  know(name: string, secret: string): string {
    if (secret.length < 8) throw new Error(`no secret: ${name}`)
    this.#secrets.set(name, secret)
    return secret
  }

  get known(): readonly string[] {
    return [...this.#secrets.values()]
  }

  add(name: string, text: string): void {
    this.outputs.set(name, (this.outputs.get(name) ?? '') + text)
  }

  /** Which secret is where, and in which form; `except`: names of secrets. */
  found(texts: ReadonlyMap<string, string> = this.outputs, except: readonly string[] = []) {
    const hits: string[] = []
    for (const [secret, value] of this.#secrets) {
      if (except.includes(secret)) continue
      for (const [form, needle] of Object.entries(formsOf(value))) {
        for (const [name, text] of texts) {
          if (text.includes(needle)) hits.push(`${secret} (${form}) in ${name}`)
        }
      }
    }
    return hits
  }
}

/** A part of a secret is as bad, and a hash of a token that the gate keeps is what an attacker wants to compare with. */
function formsOf(secret: string): Record<string, string> {
  const digest = createHash('sha256').update(secret).digest()
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '')
  return {
    // Of ours the first letters are the public id.
    ...(secret.startsWith('fg_')
      ? { part: secret.slice(18, 34), end: secret.slice(34, 50) }
      : { part: secret.slice(0, 14), end: secret.slice(-14) }),
    base64,
    'escaped for a URL': encodeURIComponent(secret),
    'hash, hex': digest.toString('hex'),
    'hash, base64': digest.toString('base64').replace(/=+$/, ''),
    'hash, base64url': digest.toString('base64url'),
  }
}

function hashesIn(bytes: Buffer, secrets: readonly string[]): number {
  return secrets.filter((secret) => {
    const digest = createHash('sha256').update(secret).digest()
    return bytes.includes(digest) || bytes.includes(digest.toString('hex'))
  }).length
}

describe('the search', () => {
  it('finds a planted secret in each of its forms, a part of it, and nothing where there is none', () => {
    const token = `fg_u_${'a'.repeat(12)}_${'Bc4'.repeat(11).slice(0, 32)}_${'d'.repeat(6)}`
    const cloudToken = '0123456789abcdef0123456789abcdef01234567'
    for (const secret of [token, cloudToken, 'of-a-database-for-tests']) {
      for (const [form, needle] of Object.entries(formsOf(secret))) {
        const search = new Search()
        search.know('planted', secret)
        search.add('here', `{"a":"${needle}"}`)
        search.add('there', `{"id":"${token.slice(5, 17)}"}`)
        expect(search.found()).toContain(`planted (${form}) in here`)
        expect(search.found().filter((hit) => hit.endsWith('there'))).toEqual([])
      }
    }
  })
})

describe.each(storeKinds)('on %s', (kind) => {
  const search = new Search()
  let cloud: DeviceCloud
  let database: TestDatabase | undefined
  let folder: string
  let file: string
  let running: Serving | undefined
  let env: Record<string, string>
  let dataUrl: string
  let adminUrl: string
  let device: string
  const children: string[] = []

  /** What the machine shows of a process to others who may look. */
  function watch(name: string, pid: number | undefined): () => void {
    const look = () => {
      for (const what of ['cmdline', 'environ']) {
        try {
          const text = readFileSync(`/proc/${pid}/${what}`, 'latin1')
          const key = `${what} of ${name}`
          if (!search.outputs.get(key)?.includes(text)) search.add(key, text)
        } catch {
          // It has ended.
        }
      }
    }
    look()
    const timer = setInterval(look, 10)
    return () => clearInterval(timer)
  }

  async function run(args: readonly string[], input = '', more = env): Promise<Ran> {
    const child = spawn(process.execPath, [main, ...args, '-c', file], { env: more })
    const name = `fleetgate ${args.slice(0, 2).join(' ')}`
    children.push(name)
    const stop = watch(name, child.pid)
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    child.stdin.end(input)
    const [code] = await once(child, 'close')
    stop()
    search.add(`stderr of ${name}`, err)
    return { code, out, err }
  }

  /** A command that prints one token, alone. */
  async function printed(name: string, args: readonly string[]): Promise<string> {
    const { code, out, err } = await run(args)
    expect([code, err]).toEqual([0, expect.any(String)])
    expect(out).toMatch(new RegExp(`^${scannerPattern}\n$`))
    return search.know(name, out.trim())
  }

  /** One that must print none. */
  async function silent(args: readonly string[], input = '', more = env): Promise<Ran> {
    const ran = await run(args, input, more)
    search.add(`stdout of fleetgate ${args.slice(0, 2).join(' ')}`, ran.out)
    return ran
  }

  async function serve(): Promise<Serving> {
    const child = spawn(process.execPath, [main, 'serve', '-c', file], { env })
    const stop = watch('the gate', child.pid)
    let log = ''
    let out = ''
    child.stderr.on('data', (chunk) => (log += chunk))
    child.stdout.on('data', (chunk) => (out += chunk))
    const closed = once(child, 'close').then(stop)
    await until(() => /serves \S+ in front/.test(out) || child.exitCode !== null, 15_000)
    if (child.exitCode !== null) throw new Error(`the gate ended: ${log}`)
    return {
      log: () => log,
      out: () => out,
      reload: () => void child.kill('SIGHUP'),
      async stop() {
        child.kill('SIGTERM')
        await closed
      },
    }
  }

  beforeAll(async () => {
    cloud = await startDeviceCloud({ eventIntervalMs: 0, devices: 3, heartbeatIntervalMs: 60_000 })
    search.know('the credential of the cloud', cloud.token)
    device = `/v1/products/${product}/devices/${String(cloud.fleet.devices(product)[0]?.['id'])}`
    folder = mkdtempSync(join(tmpdir(), 'fleetgate-secrets-'))
    file = join(folder, 'fleetgate.yaml')
    mkdirSync(join(folder, 'policies'))
    writeFileSync(join(folder, 'policies', 'users.yaml'), policies(''))
    writeFileSync(join(folder, 'cloud-token'), cloud.token, { mode: 0o600 })
    env = { PATH: process.env['PATH'] ?? '', NO_COLOR: '1' }
    let store = ''
    if (kind === 'postgres') {
      database = await testDatabase()
      store = `store: "${database.url}"\nstore_password: { env: STORE_PASSWORD }\n`
      env['STORE_PASSWORD'] = search.know('the password of the store', database.password.reveal())
    }
    const adminPort = await freePort()
    const dataPort = await freePort()
    writeFileSync(
      file,
      `upstream: { url: "${cloud.url}", credentials: { default: { file: cloud-token } } }
listen: { data: "127.0.0.1:${dataPort}", admin: "127.0.0.1:${adminPort}" }
audit: { wait: 10s }
api_users: { team_api: { lifetime: 90d } }
${store}`,
    )
    dataUrl = `http://127.0.0.1:${dataPort}`
    adminUrl = `http://127.0.0.1:${adminPort}`
    const gate = await serve()
    running = gate
    await theWholeLife(gate)
    await gate.stop()
    search.add('stdout of the gate', gate.out())
    search.add('log of the gate', gate.log())
    for (const name of readdirSync(join(folder, 'audit'))) {
      search.add(`audit/${name}`, readFileSync(join(folder, 'audit', name), 'latin1'))
    }
  }, 120_000)

  afterAll(async () => {
    await running?.stop()
    await cloud.close()
    rmSync(folder, { recursive: true, force: true })
    await database?.[Symbol.asyncDispose]()
  })

  let dataCalls = 0
  /** A call on the data port, its whole answer kept. */
  async function data(
    name: string,
    path: string,
    { headers = {}, ...init }: RequestInit & { headers?: Record<string, string> } = {},
  ): Promise<number> {
    dataCalls += 1
    const answer = await fetch(dataUrl + path, { ...init, headers, redirect: 'manual' })
    const text = await answer.text()
    search.add(`answer on the data port: ${name}`, JSON.stringify([...answer.headers]) + text)
    return answer.status
  }

  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  /** The one token that an answer shows is known from then on; a second time in the same answer is a leak. */
  function kept(operated: Operated) {
    return async (method: Method, path: string, body?: unknown, ifMatch?: string) => {
      const said = await operated(method, path, body, ifMatch)
      const shown: string = said.token || (/"token":"(fg_o_\w+)"/.exec(said.text)?.[1] ?? '')
      if (shown !== '') search.know(`from ${method} ${path} (${search.known.length})`, shown)
      const rest = shown === '' ? said.text : said.text.replace(shown, '')
      search.add(
        `answer on the admin port: ${method} ${path}`,
        JSON.stringify([...said.headers]) + rest,
      )
      return { ...said, token: shown }
    }
  }

  async function theWholeLife(gate: Serving): Promise<void> {
    const owner = await printed('the first operator', [
      'operators',
      'create',
      'olga',
      '--role',
      'owner',
    ])
    const minted = await printed('minted by a command', ['token', 'mint', 'in-git'])
    const brief = await printed('brief', ['token', 'mint', 'brief'])
    const adopted = search.know('adopted', createHash('sha1').update(owner).digest('hex'))
    expect((await silent(['token', 'adopt', 'taken-over'], `${adopted}\n`)).code).toBe(0)
    const admin = kept(operate(adminUrl, owner))

    const definition = {
      ...{ owner: 'field@acme.example', product, devices: 'all', lifetime: '90d' },
      scopes: ['devices:get', 'devices.function:call', 'events:get'],
    }
    const made = await admin('POST', '/api/users', { name: 'wall', definition })
    expect(made.status).toBe(201)
    const narrowed = { ...definition, scopes: ['devices:get', 'devices:list'] }
    const updated = await admin('PUT', '/api/users/wall', { definition: narrowed }, made.etag)
    expect([updated.status, updated.token]).toEqual([200, expect.stringMatching(/^fg_u_/)])
    const rotated = await admin('POST', '/api/users/wall/token')
    const byGit = await admin('POST', '/api/users/in-git/token')
    const second = await admin('POST', '/api/operators', { name: 'vera', role: 'viewer' })
    const revoked = await admin('POST', '/api/users', { name: 'gone', definition })
    expect((await admin('DELETE', '/api/users/gone/token')).status).toBe(200)
    expect((await admin('POST', '/api/users', { name: 'wall', definition })).status).toBe(409)
    const team = `/v1/products/${product}/team`
    const bot = await admin('POST', team, { friendly_name: 'Bot', scopes: ['devices:get'] })
    const { username } = bot.body.created
    const botScopes = await admin('PUT', `${team}/${username}`, { scopes: ['devices:list'] })
    const botAgain = await admin('PUT', `${team}/${username}/token`)
    for (const { token } of [rotated, byGit, second, revoked, bot, botScopes, botAgain]) {
      expect(token).toMatch(/^fg_[uo]_/)
    }
    const looks = [
      '/api/users',
      '/api/users/wall',
      '/api/users/in-git',
      '/api/users/wall/held-back',
    ]
    const more = ['/api/operators', '/api/status', '/api/whoami', '/health', '/openapi.json', team]
    for (const path of [...looks, ...more]) expect((await admin('GET', path)).status).toBe(200)

    // With every token there is, in every place that takes one, and in those that take none.
    const good = [rotated.token, byGit.token, adopted]
    for (const token of good) expect(await data('good', device, bearer(token))).toBe(200)
    // Its life of a second began some commands ago.
    const endsAtMs = performance.now() + 15_000
    while ((await data('expired', device, bearer(brief))) === 200) {
      if (performance.now() > endsAtMs) throw new Error('a token of one second lives on')
    }
    const dead = { minted, made: made.token, updated: updated.token, revoked: revoked.token }
    for (const [name, token] of Object.entries({ ...dead, owner, cloud: cloud.token })) {
      expect([name, await data(name, device, bearer(token))]).toEqual([name, 401])
      expect([name, await data(name, `${device}?access_token=${token}`)]).toEqual([name, 401])
    }
    const wrong = withWrongChecksum(rotated.token)
    expect(await data('wrong', device, bearer(wrong))).toBe(401)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const token of [...good, made.token, wrong]) {
      const query = await data('query', `${device}?access_token=${token}`)
      expect(query).toBe(good.includes(token) ? 200 : 401)
      const body = `access_token=${token}&arg=on`
      const call = { method: 'POST', headers: form, body }
      await data('form', `${device}/blink`, call)
      await data('two at once', `${device}?access_token=${token}`, bearer(token))
      await data('in the path', `/v1/devices/${token}`, bearer(token))
      await data('as a key', `${device}?${token}=1`, bearer(token))
      await data('in headers', `${device}?bogus=1`, {
        headers: { ...bearer(token).headers, 'user-agent': token, 'x-request-id': token },
      })
      await admin('GET', `/api/users/${token}`)
      await admin('GET', `/api/users?search=${token}`)
      await kept(operate(adminUrl, token))('GET', '/api/users')
      if (token === adopted) continue
      const leaky = { ...definition, description: token }
      const because = `lost ${token}`
      expect((await admin('POST', '/api/users/wall/suspend', { because })).status).toBe(400)
      expect((await admin('POST', '/api/users', { name: 'x', definition: leaky })).status).toBe(400)
      const scopes = [token]
      const odd = await admin('POST', '/api/users', {
        name: 'x',
        definition: { ...definition, scopes },
      })
      expect(odd.status).toBe(400)
    }

    // A cloud that says back what it was sent, in any way it can.
    const said = `Bearer ${cloud.token}`
    const echo = { 'www-authenticate': said, 'x-request-id': cloud.token, 'retry-after': said }
    const json = { 'content-type': 'application/json', location: `/?access_token=${cloud.token}` }
    for (const status of [200, 201, 302, 400, 401, 403, 404, 500, 503, 429]) {
      cloud.fault({
        when: ({ url }) => url === device,
        answer: {
          status,
          headers: { ...echo, ...json, 'set-cookie': `token=${cloud.token}` },
          body: JSON.stringify({ id: device.slice(-24), name: said, error: said, [said]: said }),
        },
      })
      await data(`echoed with ${status}`, device, bearer(rotated.token))
    }
    cloud.fault({
      when: ({ url }) => url === device,
      bytes: `HTTP/1.1 200 ${said}\r\n${said}\r\n\r\n`,
      ending: 'close',
    })
    await data('echoed as no answer at all', device, bearer(byGit.token))

    // Policy files that do not hold, under the eyes of the log.
    const users = join(folder, 'policies', 'users.yaml')
    writeFileSync(users, policies('  broken: ['))
    gate.reload()
    await until(() => gate.log().includes('policies refused'))
    writeFileSync(users, policies(''))
    gate.reload()

    await printed('rotated by a command', ['token', 'rotate', 'taken-over'])
    expect((await silent(['token', 'adopt', 'in-git'], `${adopted}\n`)).code).not.toBe(0)
    expect((await silent(['token', 'adopt', 'in-git'], owner)).code).not.toBe(0)
    for (const args of [
      ...[
        ['token', 'list', '--json'],
        ['token', 'list'],
        ['users', 'list', '--json'],
      ],
      ...[['users', 'show', 'in-git'], ['operators', 'list', '--json'], ['check']],
      ...[
        ['token', 'extend', 'in-git'],
        ['token', 'revoke', 'in-git'],
        ['operators', 'revoke', 'vera'],
      ],
      ['users', 'suspend', 'wall', '--because', 'test'],
    ]) {
      expect([args, (await silent(args)).code]).toEqual([args, 0])
    }
    expect((await silent(['token', 'mint', 'nobody'])).code).not.toBe(0)
    const read = await admin('GET', '/api/users/wall')
    expect((await admin('DELETE', '/api/users/wall', undefined, read.etag)).status).toBe(204)
    expect((await admin('DELETE', `${team}/${username}`)).status).toBe(200)
  }

  it('T12 no token and no password is in any answer, log, record, command line or environment', () => {
    // What came to a process by its environment is there.
    const byEnvironment = kind === 'postgres' ? ['the password of the store'] : []
    const isEnvironment = (name: string) => name.startsWith('environ of ')
    const all = [...search.outputs]
    const environments = new Map(all.filter(([name]) => isEnvironment(name)))
    const others = new Map(all.filter(([name]) => !isEnvironment(name)))
    expect(search.known.length).toBeGreaterThan(12)
    expect(search.found(others)).toEqual([])
    expect(search.found(environments, byEnvironment)).toEqual([])
    // Nor one that is not known here: of ours they are told by their shape.
    for (const [name, text] of others) expect([name, text.match(ours)]).toEqual([name, null])
  })

  it('T12 and all of these were looked at, so that there was something to find', () => {
    const names = [...search.outputs.keys()]
    for (const name of ['audit/decisions.jsonl', 'audit/rejects.jsonl', 'log of the gate']) {
      expect(search.outputs.get(name)?.length).toBeGreaterThan(200)
    }
    for (const name of ['the gate', ...children]) {
      expect(search.outputs.get(`cmdline of ${name}`)).toContain('main.ts')
      expect(search.outputs.get(`environ of ${name}`)).toContain('PATH=')
    }
    expect(names.filter((name) => name.includes('on the admin port')).length).toBeGreaterThan(25)
    expect(names.filter((name) => name.includes('on the data port')).length).toBeGreaterThan(15)
    expect(search.outputs.get('answer on the data port: echoed with 400')).toContain('***')
    const decisions = search.outputs.get('audit/decisions.jsonl') ?? ''
    for (const kept of ['"kind":"change"', '"change":"user.update"', '"decision":"allow"']) {
      expect(decisions).toContain(kept)
    }
    // Rows name tokens by their public ids.
    const [, , id = ''] = search.known.find((each) => each.startsWith('fg_u_'))?.split('_') ?? []
    expect([...search.outputs.values()].some((text) => text.includes(id))).toBe(true)
    const planted = new Map([['planted', decisions + (search.known[0] ?? '')]])
    expect(search.found(planted)).not.toEqual([])
  })

  const isLookUp = ({ url }: { url: string }) => search.known.some((secret) => url.endsWith(secret))
  const sentUp = (requests: readonly RecordedRequest[]) =>
    requests.map(({ rawHead, rawBody }) => rawHead + Buffer.from(rawBody, 'base64').toString())
  const foundIn = (sent: readonly string[]) =>
    search.found(new Map([['a request to the cloud', sent.join('\n')]]), [
      'the credential of the cloud',
    ])

  it('T12 the cloud got the credential of the gate alone', () => {
    const sent = sentUp(cloud.requests().filter((request) => !isLookUp(request)))
    expect(sent.length).toBeGreaterThan(10)
    expect(foundIn(sent)).toEqual([])
    for (const head of sent) expect(head).toContain(`Bearer ${cloud.token}`)
  })

  it('T12 a token in the place of a name is not asked of the cloud', () => {
    expect(foundIn(sentUp(cloud.requests().filter(isLookUp)))).toEqual([])
  })

  it('T12 the store holds hashes of tokens, and no token', async () => {
    const isStored = (secret: string) => secret !== cloud.token && !secret.includes('database')
    const secrets = search.known.filter(isStored)
    let bytes: Buffer
    const { query } = database ?? {}
    if (query === undefined) {
      const files = readdirSync(folder).filter((name) => name.startsWith('fleetgate.sqlite'))
      bytes = Buffer.concat(files.map((name) => readFileSync(join(folder, name))))
    } else {
      const tables = await query(
        `select table_name as name from information_schema.tables where table_schema = 'fleetgate'`,
      )
      expect(tables.length).toBeGreaterThan(4)
      const dumps = await Promise.all(
        tables.map(({ name }) => query(`select t::text as row from ${String(name)} t`)),
      )
      bytes = Buffer.from(JSON.stringify(dumps))
    }
    const plain = secrets.filter(
      (secret) => bytes.includes(secret) || bytes.includes(secret.slice(18, 34)),
    )
    expect(plain).toEqual([])
    expect(hashesIn(bytes, secrets)).toBeGreaterThan(10)
  })
})

it('T12 a store that is not to be had is told without its password, by whatever door that came', async () => {
  await using database = await testDatabase()
  const password = database.password.reveal()
  const folder = mkdtempSync(join(tmpdir(), 'fleetgate-secrets-'))
  const file = join(folder, 'fleetgate.yaml')
  mkdirSync(join(folder, 'policies'))
  writeFileSync(join(folder, 'policies', 'users.yaml'), policies(''))
  const tell = async (store: string, STORE_PASSWORD: string, from = '{ env: STORE_PASSWORD }') => {
    const upstream = 'upstream: { url: "http://127.0.0.1:9", credentials: { default: { env: C } } }'
    writeFileSync(file, `${upstream}\nstore: "${store}"\nstore_password: ${from}\n`)
    const env = { STORE_PASSWORD, C: 'c10d'.repeat(10) }
    const commands = [['token', 'list'], ['check'], ['serve']]
    return Promise.all(commands.map((args) => fleetgate([...args, '-c', file], { env })))
  }
  try {
    const told = [
      await tell(database.url, `${password}-not`),
      await tell(`postgres://postgres:${password}@127.0.0.1:9/none`, password),
      await tell(`postgres://127.0.0.1:9/none?password=${password}`, password),
      await tell('postgres://postgres@127.0.0.1:9/none', password),
      await tell(`postgres://postgres:${password}@127.0.0.1:notaport/none`, password),
      await tell(database.url, password, password),
    ]
    for (const [list, , serve] of told) {
      expect([list?.code, serve?.code]).toEqual([expect.any(Number), expect.any(Number)])
      expect([list?.code === 0, serve?.code === 0]).toEqual([false, false])
    }
    for (const { out, err } of told.flat()) expect(out + err).not.toContain(password)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

it('T12 committed schemas and pages show no token', () => {
  for (const folder of ['schemas', 'docs']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!/\.(json|md|yaml)$/.test(name)) continue
      const text = readFileSync(join(root, folder, name), 'utf8')
      expect([name, text.match(ours)]).toEqual([name, null])
    }
  }
})

it('T12 an adopted token in the words of an operator is refused as one of ours is', async () => {
  await using rig = await startAdmin()
  const authorization = `Bearer ${await rig.operator('olga', 'owner')}`
  const user = rig.policy.user('git-reader', undefined)
  if (user === undefined) throw new Error('no git-reader')
  const adopted = createHash('sha1').update(authorization).digest('hex')
  await rig.tokens.adopt(user, new Secret(adopted), 'cli:test')
  const post = (path: string, body: object) =>
    rig.agent.post(path).set({ authorization }).send(body)
  const suspended = await post('/api/users/git-reader/suspend', { because: `lost ${adopted}` })
  const definition = { ...aDefinition, description: adopted }
  const made = await post('/api/users', { name: 'wall', definition })
  expect([suspended.status, made.status]).toEqual([400, 400])
  expect(rig.answers.join('\n')).not.toContain(adopted)
})
