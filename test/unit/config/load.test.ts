import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig, loadOfflineConfig, locateParts } from '../../../src/config/load.ts'
import { formatMistake } from '../../../src/lib/mistake.ts'

const smallest = `
upstream:
  url: https://api.particle.io
  credentials:
    default: { env: CLOUD_TOKEN }
`
const env = { CLOUD_TOKEN: 'cloud-secret-1', EMPTY: '', TWO: 'two words' }

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetgate-config-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function load(text: string, environment: Record<string, string> = env) {
  return loadConfig(text, join(folder, 'fleetgate.yaml'), environment)
}

function config(text: string) {
  const loaded = load(text)
  if (!loaded.ok) throw new Error(loaded.mistakes.map(formatMistake).join('\n'))
  return loaded.config
}

/** `line:column message` of every mistake. */
function mistakes(text: string): string[] {
  const loaded = load(text)
  return loaded.ok
    ? []
    : loaded.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

const withCredential = (credential: string) =>
  `upstream:\n  url: https://api.particle.io\n  credentials:\n    default: ${credential}\n`

describe('loadConfig', () => {
  it('fills every default', () => {
    expect(config(smallest)).toMatchObject({
      catalog: { kind: 'shipped', name: 'particle' },
      policies: join(folder, 'policies'),
      store: { kind: 'sqlite', path: join(folder, 'fleetgate.sqlite') },
      replica: hostname(),
      operators: { sessionMs: 28_800_000, oidc: undefined },
      apiUsers: { outsideGit: true, teamApiExpiry: undefined },
      observeUntilMs: undefined,
      strangers: { perMinute: 600, allPerMinute: 3000 },
      audit: { folder: join(folder, 'audit'), read: 'written', change: 'synced', waitMs: 1000 },
      listen: { data: { kind: 'tcp', host: '127.0.0.1', port: 8080 }, admin: undefined },
      timeouts: { headersMs: 10_000, upstreamConnectMs: 5000 },
      limits: { bodyBytes: 1024 ** 2, connections: 10_000 },
      trustedProxies: { networks: [], hops: 1 },
      reload: { allowMassRevocation: false },
      tokens: { maxLifetimeMs: undefined, warnBeforeMs: 14 * 86_400_000 },
    })
    expect(config(smallest).upstream.quota).toEqual({ calls: 10_000, perMs: 300_000, reserve: 0.1 })
  })

  it('takes a PostgreSQL store, its password from outside the file alone', () => {
    const taken = config(
      `${smallest}\nstore: postgres://gate@db.example/fleet\nstore_password: { env: CLOUD_TOKEN }\n`,
    ).store
    expect(taken).toMatchObject({ kind: 'postgres', url: 'postgres://gate@db.example/fleet' })
    for (const url of [
      'postgres://gate:hunter2@db/fleet',
      'postgres://db/fleet?password=hunter2',
    ]) {
      const [says = '', ...more] = mistakes(`${smallest}\nstore: ${url}\n`)
      expect(more).toEqual([])
      expect(says).toContain('must not hold a password')
      expect(says).not.toContain('hunter2')
    }
  })

  it('takes operators, and an end for API users of the team API that was said', () => {
    const text = `${smallest}
listen: { admin: "127.0.0.1:8081" }
operators:
  session: 1h
  oidc:
    issuer: https://login.example.com
    client_id: fleetgate
    client_secret: { env: CLOUD_TOKEN }
    redirect_uri: https://gate.example.com/sign-in/callback
    claims_from: userinfo
    owner: [fleet-admins]
api_users: { outside_git: false, team_api: { lifetime: 90d, idle: 30d } }
observe: { until: 2027-01-15, requests: 70, requests_per_address: 50 }
tokens: { max_lifetime: 365d }
`
    expect(config(text)).toMatchObject({
      listen: { admin: { kind: 'tcp', host: '127.0.0.1', port: 8081 } },
      operators: {
        sessionMs: 3_600_000,
        oidc: {
          clientId: 'fleetgate',
          claimsFrom: 'userinfo',
          roles: { viewer: [], editor: [], owner: ['fleet-admins'] },
        },
      },
      apiUsers: {
        outsideGit: false,
        teamApiExpiry: { lifetimeMs: 90 * 86_400_000, idleMs: 30 * 86_400_000 },
      },
      observeUntilMs: Date.parse('2027-01-15T00:00:00Z'),
      strangers: { perMinute: 50, allPerMinute: 70 },
      tokens: { maxLifetimeMs: 365 * 86_400_000 },
    })
  })

  it.each([
    ['api_users: { team_api: {} }', 'must say one end'],
    ['api_users: { team_api: { never: true, idle: 3d } }', 'must say one end'],
    ['observe: { until: 2027-02-30 }', 'is no date of the calendar'],
    ['observe: { until: soon }', 'must be a date'],
    ['replica: "a b"', 'must be a name'],
    [
      'operators: { oidc: { issuer: https://a.example, client_id: x } }',
      '"redirect_uri" is missing',
    ],
  ])('refuses %s', (line, says) => {
    expect(mistakes(`${smallest}\n${line}\n`).join('\n')).toContain(says)
  })

  it('takes every section as written', () => {
    const full = config(`${smallest}
  connections: 7
catalog: ./own.yaml
policies: /srv/policies
audit: { read: synced, queue_bytes: 2MB }
listen: { data: unix:gate.sock }
timeouts: { headers: 250ms, shutdown: 1m }
limits: { body: 64KB }
trusted_proxies: [10.0.0.0/8, "fd00::/8", unix, 192.0.2.1]
trusted_hops: 2
tokens: { last_used_flush: 5s }
reload: { allow_mass_revocation: true }
attributes: { max_age: 5s }
rations: { unknown_lookups: 3 }
`)
    expect(full).toMatchObject({
      upstream: { connections: 7 },
      catalog: { kind: 'file', path: join(folder, 'own.yaml') },
      policies: '/srv/policies',
      audit: { read: 'synced', queueBytes: 2 * 1024 ** 2 },
      listen: { data: { kind: 'unix', path: join(folder, 'gate.sock') } },
      timeouts: { headersMs: 250, shutdownMs: 60_000 },
      limits: { bodyBytes: 65_536 },
      trustedProxies: { networks: ['10.0.0.0/8', 'fd00::/8', 'unix', '192.0.2.1'], hops: 2 },
      tokens: { lastUsedFlushMs: 5000 },
      reload: { allowMassRevocation: true },
      attributes: { maxAgeMs: 5000 },
      rations: { unknownPerMinute: 3, listPagesPerMinute: 300, streams: 100 },
    })
  })

  it('reports all mistakes at once, each at its place and with the nearest right word', () => {
    expect(
      mistakes(`upstream:
  url: ftp://cloud
  credentials:
    default: { env: NOT_SET }
polices: here
listen:
  data: 8080
timeouts:
  headers: 10
  keep-alive: 5s
audit:
  read: sinced
trusted_proxies: [10.0.0.0/33]
`).toSorted(),
    ).toEqual([
      '10:3 unknown key "keep-alive"; did you mean "keep_alive"?',
      expect.stringMatching(/^12:9 "read" must be one of: written, synced; did you mean "synced"/),
      expect.stringMatching(/^13:18 .*"10.0.0.0\/33": a prefix has at most 32 bits/),
      '2:8 "url" must be a URL that begins with http:// or https://',
      '4:21 "env" names the environment variable NOT_SET, which is not set; set it where the gate is started, or write { file: PATH } instead',
      '5:1 unknown key "polices"; did you mean "policies"?',
      expect.stringMatching(/^7:9 "data" must be HOST:PORT/),
      expect.stringMatching(/^9:12 "headers" must be a duration/),
    ])
  })

  it.each([
    ['a URL with a password', 'https://me:pass-word@cloud.example'],
    ['a URL with a query', 'https://cloud.example/?a=1'],
    ['a fragment', '"https://cloud.example/#a"'],
    ['no URL', 'cloud.example'],
  ])('refuses %s as upstream and does not repeat it', (_, url) => {
    const found = mistakes(smallest.replace('https://api.particle.io', url))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^3:8 "url" must/)
    expect(found.join()).not.toContain('pass-word')
  })

  it.each([
    ['catalog: partikle', /must be one that ships \(particle\) or a path/],
    ['store: mysql://db/x', /must be a path, or a URL that begins with postgres:\/\//],
    ['policies: ~/policies', /"~" is not expanded/],
    ['trusted_proxies: 0.0.0.0/0', /"0.0.0.0\/0" is everybody/],
    ['trusted_proxies: ["::ffff:0.0.0.0/96"]', /is everybody/],
    ['trusted_proxies: [10.1.2.3/8]', /did you mean "10.0.0.0\/8"/],
    ['trusted_hops: 2', /no proxy is trusted/],
    ['timeouts: { headers: 6m }', /"headers" must be at most "request"/],
    ['timeouts: { upstream_first_byte: 25d }', /"upstream_first_byte" must be at most 24d/],
    ['audit: { wait: 25d }', /"wait" must be at most 24d/],
    ['tokens: { last_used_flush: 25d }', /"last_used_flush" must be at most 24d/],
    ['streams: { heartbeat: 25d }', /"heartbeat" must be at most 24d/],
    ['streams: { recheck: 251ms }', /"recheck" must be at most 250ms/],
    ['trusted_proxies: []', /must not be an empty list/],
    ['trusted_hops: 0', /must be from 1 to 16/],
    ['listen: 127.0.0.1:80', /must be a mapping/],
    ['reload: { allow_mass_revocation: yes }', /must be one of: true, false/],
  ])('refuses %s', (line, message) => {
    const found = mistakes(`${smallest}${line}\n`)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(message)
  })

  it('takes what is just within its bounds', () => {
    const bounds = `timeouts: { headers: 5m, keep_alive: 24d }
streams: { recheck: 250ms }
tokens: { warn_before: 60d }
trusted_proxies: ["::ffff:10.0.0.0/104"]
trusted_hops: 2
`
    expect(config(smallest + bounds)).toMatchObject({
      timeouts: { headersMs: 300_000, keepAliveMs: 24 * 86_400_000 },
      streams: { recheckMs: 250 },
      tokens: { warnBeforeMs: 60 * 86_400_000 },
      trustedProxies: { networks: ['10.0.0.0/8'], hops: 2 },
    })
  })

  it('sends its credential in clear to no other machine, unless that is said', () => {
    const over = (url: string) => smallest.replace('https://api.particle.io', url)
    expect(mistakes(over('http://api.particle.io'))).toEqual([
      expect.stringMatching(/^3:8 "url" must be https: .*plain_http: true/),
    ])
    expect(mistakes(over('http://127.0.0.1.example.com'))).toHaveLength(1)
    expect(mistakes(over('http://api.particle.io\n  plain_http: true'))).toEqual([])
    for (const host of ['127.0.0.1:9100', '[::1]:9100', 'localhost:9100/base']) {
      expect(mistakes(over(`http://${host}`))).toEqual([])
    }
    expect(config(over('http://localhost:9100/base')).upstream.origin).toEqual({
      ...{ protocol: 'http:', origin: 'http://localhost:9100', basePath: '/base' },
    })
  })

  it.each([
    ['dot segments', 'https://api.particle.io/a/../b'],
    ['an encoded slash', 'https://api.particle.io/a%2fb'],
  ])('refuses %s in the path of the upstream, at its place', (_, url) => {
    const found = mistakes(smallest.replace('https://api.particle.io', url))
    expect(found).toEqual([expect.stringMatching(/^3:8 "url" must /)])
  })

  it('C14 refuses a file with nothing in it', () => {
    expect(mistakes('')).toHaveLength(1)
    expect(mistakes('# only a comment\n')).toHaveLength(1)
  })

  it('says which keys are missing', () => {
    expect(mistakes('catalog: particle\n')).toEqual(['1:1 "upstream" is missing'])
    expect(mistakes('upstream: { url: https://a.example, credentials: {} }\n')).toEqual([
      expect.stringContaining('"credentials" must name at least one credential'),
    ])
  })
})

describe('sign-in by OpenID Connect', () => {
  const oidc = (lines: Record<string, string>, listen = 'listen: { admin: 127.0.0.1:8081 }') => {
    const all = {
      issuer: 'https://login.example.com',
      client_id: 'fleetgate',
      redirect_uri: 'https://gate.example.com/ops/sign-in/callback',
      owner: '[admins]',
      ...lines,
    }
    const text = Object.entries(all).map(([name, value]) =>
      value === '' ? '' : `    ${name}: ${value}\n`,
    )
    return mistakes(`${smallest}${listen}\noperators:\n  oidc:\n${text.join('')}`)
  }

  it('is taken with one role, on the admin port, by https or on this machine', () => {
    expect(oidc({})).toEqual([])
    expect(oidc({ owner: '', viewer: 'everyone' })).toEqual([])
    expect(
      oidc({ issuer: 'http://[::1]:9', redirect_uri: 'http://localhost:8081/sign-in/callback' }),
    ).toEqual([])
  })

  it('is refused where nobody could sign in by it, at its place', () => {
    expect(oidc({ owner: '' })).toEqual([expect.stringMatching(/^9:5 "oidc" lets nobody sign in/)])
    expect(oidc({}, '')).toEqual([expect.stringMatching(/^9:5 "oidc" needs an admin port/)])
    expect(oidc({ redirect_uri: 'https://gate.example.com/elsewhere' })).toEqual([
      expect.stringContaining('"redirect_uri" must end in /sign-in/callback'),
    ])
    expect(oidc({ redirect_uri: 'http://gate.example.com/sign-in/callback' })).toEqual([
      expect.stringContaining('"redirect_uri" must be https'),
    ])
    for (const issuer of ['http://login.example.com', 'http://127.0.0.1.example.com']) {
      expect(oidc({ issuer })).toEqual([expect.stringContaining('"issuer" must be https')])
    }
  })
})

describe('upstream credentials', () => {
  it('come from the environment and from files, by product and organization', () => {
    const file = join(folder, 'product.token')
    writeFileSync(file, 'product-secret-1\n', { mode: 0o600 })
    const { credentials } = config(`${smallest}
    products: { 12345: { file: product.token } }
    organizations: { acme: { env: CLOUD_TOKEN } }
`).upstream
    expect(credentials.default?.reveal()).toBe('cloud-secret-1')
    expect(credentials.products.get('12345')?.reveal()).toBe('product-secret-1')
    expect(credentials.organizations.get('acme')?.reveal()).toBe('cloud-secret-1')
  })

  it('C17 are never shown by printing a configuration', () => {
    const loaded = config(smallest)
    expect(inspect(loaded, { depth: 9 })).not.toContain('cloud-secret-1')
    expect(JSON.stringify(loaded)).not.toContain('cloud-secret-1')
  })

  it('C17 refuses a literal, says what to write, and does not repeat it', () => {
    const found = mistakes(withCredential('abcdef0123456789'))
    expect(found).toEqual([
      '4:14 "default" must not be the credential itself; write { env: NAME } or { file: PATH }',
    ])
  })

  it.each([0o640, 0o604, 0o644, 0o666, 0o610])('C17 refuses a file of mode %o', (mode) => {
    const file = join(folder, `open-${mode}.token`)
    writeFileSync(file, 'file-secret-1')
    chmodSync(file, mode)
    const found = mistakes(withCredential(`{ file: ${file} }`))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`others can reach (mode 0${mode.toString(8)}); run: chmod 600`)
    expect(found[0]).not.toContain('file-secret-1')
  })

  it.each([0o600, 0o400])('C17 takes a file of mode %o', (mode) => {
    const file = join(folder, `private-${mode}.token`)
    writeFileSync(file, 'file-secret-1', { mode })
    expect(config(withCredential(`{ file: ${file} }`)).upstream.credentials.default?.reveal()).toBe(
      'file-secret-1',
    )
  })

  it('C17 judges the file behind a link, and takes no folder', () => {
    writeFileSync(join(folder, 'target.token'), 'x', { mode: 0o600 })
    chmodSync(join(folder, 'target.token'), 0o644)
    symlinkSync(join(folder, 'target.token'), join(folder, 'link.token'))
    mkdirSync(join(folder, 'directory'), { mode: 0o700 })
    expect(mistakes(withCredential('{ file: link.token }'))).toEqual([
      expect.stringContaining('others can reach'),
    ])
    expect(mistakes(withCredential('{ file: directory }'))).toEqual([
      expect.stringContaining('not a plain file'),
    ])
    expect(mistakes(withCredential('{ file: nowhere }'))).toEqual([
      expect.stringContaining('cannot be opened (ENOENT)'),
    ])
  })

  it.each([
    ['{ env: EMPTY }', /EMPTY, which is empty/],
    ['{ env: TWO }', /TWO, which holds more than one word/],
    ['{ env: toString }', /toString, which is not set/],
    ['{ env: CLOUD_TOKEN, file: x }', /which|either/],
    ['{}', /must have either "env" or "file"/],
    ['[a]', /must be a mapping/],
    ['{ evn: CLOUD_TOKEN }', /unknown key "evn"; did you mean "env"/],
  ])('refuses %s', (credential, message) => {
    expect(mistakes(withCredential(credential)).join('\n')).toMatch(message)
  })
})

describe('loadOfflineConfig', () => {
  it('looks for no credential and returns none, and still refuses every other mistake', () => {
    const file = join(folder, 'fleetgate.yaml')
    const text = withCredential('{ env: NOT_SET }')
    const loaded = loadOfflineConfig(text, file)
    expect(loaded).toMatchObject({ ok: true, config: { policies: join(folder, 'policies') } })
    expect(loaded.ok && 'upstream' in loaded.config).toBe(false)
    expect(loadOfflineConfig(`${text}polices: x\n`, file)).toMatchObject({ ok: false })
    expect(loadOfflineConfig(withCredential('abc'), file)).toMatchObject({ ok: false })
  })
})

describe('locateParts', () => {
  it('finds catalog and policies in a file that is wrong elsewhere', () => {
    expect(locateParts('policies: rules\nnonsense: 1\n', join(folder, 'f.yaml'))).toEqual({
      catalog: { kind: 'shipped', name: 'particle' },
      policies: join(folder, 'rules'),
    })
  })

  it('finds nothing where these are wrong themselves', () => {
    expect(locateParts('policies: [a]\n', 'f.yaml')).toBeUndefined()
    expect(locateParts('a: &b 1\n', 'f.yaml')).toBeUndefined()
  })
})
