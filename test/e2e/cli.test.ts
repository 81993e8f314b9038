// The command line, as processes of its own: what it prints where, and how it ends.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { fleetgate, invoke, running, type CliOptions } from '../kit/cli.ts'

const device = 'e00fce68636486bf97d48e1b'
const policy = (functions: string) => `
roles:
  technician:
    description: Works on one device.
    rules:
      - can: devices.function:call
        functions: [${functions}]
users:
  technician:
    owner: field@acme.example
    product: 12345
    devices: { ids: [${device}] }
    roles: technician
    lifetime: 90d
guardrails:
  - cannot: deploy
    because: Firmware leaves by the pipeline only.
tests:
  - name: restarts it
    user: technician
    action: devices.function:call
    resource: { product: 12345, device: ${device} }
    fields: { functions: reboot }
    want: allow
  - name: unlocks nothing
    user: technician
    action: devices.function:call
    resource: { product: 12345, device: ${device} }
    fields: { functions: unlock }
    want: deny
`
const config = `upstream:
  url: http://127.0.0.1:9
  credentials: { default: { env: CLOUD_TOKEN } }
listen: { data: "127.0.0.1:0" }
`
const env = { CLOUD_TOKEN: 'cloud-token-1' }
const reboot = ['POST', `/v1/products/12345/devices/${device}/reboot`]
const unlock = ['POST', `/v1/products/12345/devices/${device}/unlock`]
const body = '{"arg":""}'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A folder with a configuration and policies, to run commands in. */
function workplace(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'fleetgate-cli-'))
  folders.push(folder)
  mkdirSync(join(folder, 'policies'))
  const all = { 'fleetgate.yaml': config, 'policies/fleet.yaml': policy('reboot'), ...files }
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text)
  return folder
}

const inside = (cwd: string, more: CliOptions = {}): CliOptions => ({ cwd, env, ...more })

/** In this process, which is faster; the configuration is named instead of found. */
const quick = (args: readonly string[], { cwd, ...rest }: CliOptions) =>
  invoke([...args, ...(cwd === undefined ? [] : ['--config', join(cwd, 'fleetgate.yaml')])], rest)

describe('fleetgate', () => {
  it('prints its help with examples and exits 0, and each command its own', async () => {
    const all = await fleetgate(['--help'])
    expect(all).toMatchObject({ code: 0, err: '' })
    expect(all.out).toContain('Exit codes: 0 fine, 1 a finding')
    const commands = ['serve', 'demo', 'check', 'explain', 'generate', 'users list', 'users show']
    const verbs = ['mint', 'adopt', 'rotate', 'extend', 'revoke', 'list']
    const tokens = verbs.map((name) => `token ${name}`)
    const more = ['users suspend', 'users resume']
    const operators = ['create', 'list', 'revoke'].map((name) => `operators ${name}`)
    for (const command of [...commands, ...more, ...tokens, ...operators]) {
      const { code, out } = await invoke([...command.split(' '), '--help'])
      expect({ command, code, out }).toMatchObject({
        code: 0,
        out: expect.stringMatching(/Examples?:/),
      })
    }
  })

  it.each([
    [['chekc'], /Did you mean check/],
    [[], /Usage: fleetgate/],
    [['explain', '-u', 'a', 'GET'], /missing required argument/],
    [['explain', 'GET', '/v1/devices'], /required option '-u, --user/],
    [['demo', '--port', '70000'], /a number from 0 to 65535/],
    [['check', '--config', '/nowhere/fleetgate.yaml'], /cannot be read \(ENOENT\)/],
    [['serve', '--bogus'], /unknown option/],
  ])('exits 2 for %j and says what is wrong', async (args, says) => {
    const { code, out, err } = await invoke(args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(says)
  })
})

describe('fleetgate check', () => {
  it('exits 0 for files that are in order, after their own tests', async () => {
    const { code, out } = await fleetgate(['check'], inside(workplace()))
    expect(code).toBe(0)
    expect(out).toContain('1 API user, no mistakes; 2 of 2 policy tests passed')
  })

  it('exits 1 where a test of the policies fails, and says at which line', async () => {
    const folder = workplace({ 'policies/fleet.yaml': policy('blink') })
    const { code, out } = await quick(['check'], inside(folder))
    expect(code).toBe(1)
    expect(out).toMatch(/fleet\.yaml:19:\d+ {2}test "restarts it": wanted allow, got deny/)
    expect(out).toContain('1 of 2 policy tests passed')
  })

  it('reports the mistakes of configuration and policies in one run', async () => {
    const folder = workplace({
      'fleetgate.yaml': `${config}polices: here\ntimeouts: { headers: 10 }\n`,
      'policies/fleet.yaml': policy('reboot').replace('can: devices', 'can: devcies'),
    })
    const { code, out } = await quick(['check'], { cwd: folder })
    expect(code).toBe(1)
    expect(out).toMatch(/fleetgate\.yaml:3:\d+ {2}"env" names the environment variable CLOUD_TOKEN/)
    expect(out).toMatch(/fleetgate\.yaml:5:1 {2}unknown key "polices"; did you mean "policies"\?/)
    expect(out).toMatch(/fleetgate\.yaml:6:\d+ {2}"headers" must be a duration/)
    expect(out).toMatch(/fleet\.yaml:6:\d+ {2}.*devcies\.function:call.*did you mean/)
  })

  it('goes without credentials where it is told to', async () => {
    const folder = workplace()
    expect(await quick(['check'], { cwd: folder })).toMatchObject({ code: 1 })
    expect(await quick(['check', '--skip-credentials'], { cwd: folder })).toMatchObject({
      code: 0,
    })
  })

  it('finds a credential of a product that is named by its slug, as serve does', async () => {
    const named = (name: string) =>
      config.replace('default:', `products: { ${name}: { env: CLOUD_TOKEN } }, default:`)
    const says = /fleetgate\.yaml:3:30 {2}"thermostat-v1" is no product id: slugs .* can be moved/
    const slug = workplace({ 'fleetgate.yaml': named('thermostat-v1') })
    for (const args of [['check'], ['check', '--skip-credentials'], ['serve']]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is easier to read
      const { code, out, err } = await quick(args, inside(slug))
      expect(code).toBe(1)
      expect(out + err).toMatch(says)
    }
    const id = workplace({ 'fleetgate.yaml': named('12345') })
    expect(await quick(['check'], inside(id))).toMatchObject({ code: 0 })
  })

  it('finds what is wrong with the URL of the upstream at its place, without credentials too', async () => {
    const folder = workplace({ 'fleetgate.yaml': config.replace(':9\n', ':9/a/../b\n') })
    for (const args of [['check'], ['check', '--skip-credentials'], ['serve']]) {
      // oxlint-disable-next-line no-await-in-loop -- likewise
      const { code, out, err } = await quick(args, inside(folder))
      expect(code).toBe(1)
      expect(out + err).toMatch(/fleetgate\.yaml:2:8 {2}"url" must not contain dot segments/)
    }
  })

  it('notes an observation that is over, and that everybody is observed where it is not', async () => {
    const until = (date: string) =>
      workplace({ 'fleetgate.yaml': `${config}observe: { until: ${date} }\n` })
    const over = await quick(['check'], inside(until('2020-01-01')))
    expect(over.code).toBe(0)
    expect(over.out).toMatch(
      /fleetgate\.yaml:5:12 {2}"until" is over: it does nothing any more \(only a note\)/,
    )
    const open = await quick(['check'], inside(until('2999-01-01')))
    expect(open.out).toContain('everybody is observed until 2999')
    expect(open.out).not.toContain('is over')
  })

  it('prints JSON', async () => {
    const { out } = await quick(['check', '--json'], inside(workplace()))
    expect(JSON.parse(out)).toEqual({
      ok: true,
      mistakes: [],
      notes: [],
      users: 1,
      observed: [],
      tests: { passed: 2, failed: [] },
    })
  })

  it.each(['examples/particle', 'examples/own-api'])('finds %s in order', async (folder) => {
    const file = join(folder, 'fleetgate.yaml')
    const { code, out } = await invoke(['check', '--skip-credentials', '--config', file])
    expect({ code, out }).toMatchObject({ code: 0 })
  })
})

const planted = `
roles:
  technician:
    description: Full of mistakes.
    rule: []
    rules:
      - can: [devices:gett]
      - can: devices.function:call
        function: [reboot]
      - can: devices:get
        where: { grops: { $any: [a] } }
      - can: devices:get
        where: { groups: { $eny: [a] } }
      - can: all
users:
  technician:
    owner: field@acme.example
    product: thermostat-v1
    devices: all
    roles: [technicain]
    expires: tomorrow
  other:
    product: 12345
    owner: a@b.example
    devices: all
    roles: technician
    lifetime: 5 days
`

describe('ten planted mistakes', () => {
  const lines = [5, 7, 9, 11, 13, 14, 18, 20, 21, 27]

  it('C07 are all reported by check in one run, each at its line', async () => {
    const folder = workplace({ 'policies/fleet.yaml': planted })
    const { code, out } = await quick(['check'], inside(folder))
    expect(code).toBe(1)
    const found = [...out.matchAll(/fleet\.yaml:(\d+):/g)].map((match) => Number(match[1]))
    expect([...new Set(found)]).toEqual(lines)
  })

  it('C07 keep serve from starting, with the same list', async () => {
    const folder = workplace({ 'policies/fleet.yaml': planted })
    const { code, out, err } = await fleetgate(['serve'], inside(folder))
    expect({ code, out }).toEqual({ code: 1, out: '' })
    const found = [...err.matchAll(/fleet\.yaml:(\d+):/g)].map((match) => Number(match[1]))
    expect([...new Set(found)]).toEqual(lines)
    expect(existsSync(join(folder, 'audit'))).toBe(false)
  })
})

describe('fleetgate serve', () => {
  it('serves until SIGTERM, and hears of a policy change by SIGHUP', async () => {
    const folder = workplace()
    await using gate = running(['serve'], inside(folder))
    const url = (await gate.line(/fleetgate serves/)).split(' ')[2] ?? ''
    expect((await fetch(`${url}/v1/devices`)).status).toBe(401)
    writeFileSync(join(folder, 'policies', 'fleet.yaml'), policy('blink'))
    gate.signal('SIGHUP')
    await gate.logged(/policies loaded/)
    gate.signal('SIGTERM')
    expect(await gate.ended()).toBe(0)
  })

  it('says which address it could not have', async () => {
    const folder = workplace()
    await using gate = running(['serve'], inside(folder))
    const url = (await gate.line(/fleetgate serves/)).split(' ')[2] ?? ''
    const taken = config.replace('127.0.0.1:0', new URL(url).host)
    const second = await fleetgate(['serve'], inside(workplace({ 'fleetgate.yaml': taken })))
    expect(second.code).toBe(1)
    expect(second.err).toContain(`cannot listen on ${new URL(url).host}`)
  })
})

describe('fleetgate token', () => {
  const tokenForm = /^fg_u_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}\n$/

  it('mints one token, alone on standard output, and rotates it', async () => {
    const at = inside(workplace())
    const minted = await fleetgate(['token', 'mint', 'technician'], at)
    expect(minted).toMatchObject({ code: 0, out: expect.stringMatching(tokenForm) })
    expect(minted.err).toContain('It is not shown again')
    expect(minted.err).not.toContain(minted.out.trim())

    const again = await fleetgate(['token', 'mint', 'technician'], at)
    expect(again).toMatchObject({ code: 1, out: '' })
    const rotated = await fleetgate(['token', 'rotate', 'technician'], at)
    expect(rotated.out).toMatch(tokenForm)
    expect(rotated.out).not.toBe(minted.out)

    const listed = await fleetgate(['token', 'list', '--json'], at)
    expect(JSON.parse(listed.out)).toMatchObject([
      { user: 'technician', state: expect.stringMatching(/valid|revoked/) },
      { user: 'technician', state: expect.stringMatching(/valid|revoked/) },
    ])
    expect(listed.out).not.toContain(rotated.out.trim().split('_')[3])
  })

  it('revokes, once', async () => {
    const at = inside(workplace())
    await quick(['token', 'mint', 'technician'], at)
    expect(await quick(['token', 'revoke', 'technician'], at)).toMatchObject({
      code: 0,
      out: '',
    })
    expect(await quick(['token', 'revoke', 'technician'], at)).toMatchObject({ code: 1 })
    expect((await quick(['token', 'list'], at)).out).toMatch(/technician {2}revoked/)
  })

  it('refuses an API user that is not there, and names the nearest', async () => {
    const { code, err } = await quick(['token', 'mint', 'technicain'], inside(workplace()))
    expect(code).toBe(2)
    expect(err).toContain('there is no API user "technicain"; did you mean "technician"?')
  })

  it('needs no credential of the cloud', async () => {
    const { code } = await quick(['token', 'mint', 'technician'], { cwd: workplace() })
    expect(code).toBe(0)
  })

  it('is refused by a running gate from the next request on, once revoked', async () => {
    const folder = workplace()
    const token = (await quick(['token', 'mint', 'technician'], inside(folder))).out.trim()
    await using gate = running(['serve'], inside(folder))
    const url = (await gate.line(/fleetgate serves/)).split(' ')[2] ?? ''
    const ask = () => fetch(`${url}/v1/user`, { headers: { authorization: `Bearer ${token}` } })
    expect((await ask()).status).toBe(200)
    await quick(['token', 'revoke', 'technician'], inside(folder))
    expect((await ask()).status).toBe(401)
  })
})

describe('fleetgate token adopt', () => {
  const cloudToken = 'c10d'.repeat(10)

  it('takes the token of the cloud from standard input, says what that means, and repeats it nowhere', async () => {
    const folder = workplace()
    const at = inside(folder)
    const adopted = await fleetgate(['token', 'adopt', 'technician'], {
      ...at,
      input: `${cloudToken}\n`,
    })
    expect(adopted).toMatchObject({ code: 0, out: '' })
    expect(adopted.err).toMatch(/The cloud takes it as before.*first "token rotate"/)
    const listed = await quick(['token', 'list', '--json'], at)
    expect(JSON.parse(listed.out)).toMatchObject([{ user: 'technician', kind: 'adopted' }])
    expect((await quick(['users', 'list'], at)).out).toContain('valid, of the cloud')
    const everything = adopted.err + listed.out + readFileSync(join(folder, 'fleetgate.sqlite'))
    expect(everything).not.toContain(cloudToken)
  })

  it('is let in by a running gate, and no more once it was rotated away', async () => {
    const folder = workplace()
    const at = inside(folder)
    await using gate = running(['serve'], at)
    const url = (await gate.line(/fleetgate serves/)).split(' ')[2] ?? ''
    const headers = { authorization: `Bearer ${cloudToken}` }
    const ask = async () => (await fetch(`${url}/v1/user`, { headers })).status
    expect(await ask()).toBe(401)
    await quick(['token', 'adopt', 'technician'], { ...at, input: cloudToken })
    expect(await ask()).toBe(200)
    await quick(['token', 'rotate', 'technician'], at)
    expect(await ask()).toBe(401)
  })

  it.each([
    ['nothing', '', 2, 'is read from standard input'],
    ['what is no token', 'hunter2', 1, 'no token of the cloud'],
  ])('refuses %s', async (_, input, code, says) => {
    const at = inside(workplace(), { input })
    const refused = await quick(['token', 'adopt', 'technician'], at)
    expect(refused).toMatchObject({ code, out: '', err: expect.stringContaining(says) })
    expect(refused.err).not.toContain('hunter2')
  })

  it("refuses the gate's own credentials, and says so where they cannot be read", async () => {
    const [own, other] = ['0e1f'.repeat(10), 'a2b3'.repeat(10)]
    const credentials =
      '{ default: { env: CLOUD_TOKEN }, products: { 12345: { env: OTHER_TOKEN } } }'
    const folder = workplace({
      'fleetgate.yaml': config.replace('{ default: { env: CLOUD_TOKEN } }', credentials),
    })
    const adopt = (input: string, known: Readonly<Record<string, string>>) =>
      quick(['token', 'adopt', 'technician'], { cwd: folder, env: known, input })
    const known = { CLOUD_TOKEN: own, OTHER_TOKEN: other }
    for (const input of [own, `${other}\n`]) {
      const refused = await adopt(input, known)
      expect(refused).toMatchObject({ code: 1, out: '' })
      expect(refused.err).toContain('the gate itself calls the cloud with')
      expect(refused.err).not.toContain(input.trim())
    }
    expect((await quick(['token', 'list'], inside(folder))).out).not.toContain('technician')
    const unread = await adopt(cloudToken, { CLOUD_TOKEN: own })
    expect(unread).toMatchObject({ code: 0, err: expect.stringContaining('was not compared') })
    expect((await quick(['token', 'revoke', 'technician'], inside(folder))).code).toBe(0)
    const compared = await adopt(cloudToken, known)
    expect(compared).toMatchObject({ code: 0, err: expect.not.stringContaining('not compared') })
  })

  it('takes no token from its arguments, where every process could read it', async () => {
    const args = ['token', 'adopt', 'technician', cloudToken]
    expect(await quick(args, inside(workplace()))).toMatchObject({ code: 2, out: '' })
  })
})

describe('a longest lifetime', () => {
  it('refuses a token that would outlive it, and says what to change', async () => {
    const capped = `${config}tokens: { max_lifetime: 30d }\n`
    const at = inside(workplace({ 'fleetgate.yaml': capped }))
    const refused = await quick(['token', 'mint', 'technician'], at)
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.err).toMatch(/tokens\.max_lifetime allows 30d.*set lifetime: 30d/)
  })
})

describe('fleetgate operators', () => {
  const tokenForm = /^fg_o_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}\n$/

  it('makes one, and prints its token once, alone on standard output', async () => {
    const folder = workplace()
    const at = inside(folder)
    const args = ['operators', 'create', 'alice', '--role', 'editor', '--product', '12345']
    const created = await fleetgate([...args, '--expires', '90d'], at)
    expect(created).toMatchObject({ code: 0, out: expect.stringMatching(tokenForm) })
    expect(created.err).toMatch(/of alice, editor, only inside product 12345; it ends 20/)
    expect(created.err).toContain('"listen.admin" is not set')
    expect(created.err).not.toContain(created.out.trim())
    const listed = await quick(['operators', 'list', '--json'], at)
    expect(JSON.parse(listed.out)).toMatchObject([
      {
        name: 'alice',
        role: 'editor',
        product: '12345',
        state: 'valid',
        createdBy: expect.stringMatching(/^cli:./),
      },
    ])
    const everything = listed.out + readFileSync(join(folder, 'fleetgate.sqlite'))
    expect(everything).not.toContain(created.out.slice(18, 50))
  })

  it('makes no second one of the name, until the first is revoked', async () => {
    const at = inside(workplace())
    const create = (name = 'alice') => quick(['operators', 'create', name, '--role', 'owner'], at)
    expect(await create()).toMatchObject({ code: 0 })
    expect(await create()).toMatchObject({ code: 1, out: '' })
    expect(await create('bob')).toMatchObject({ code: 0 })
    expect(await quick(['operators', 'revoke', 'alice'], at)).toMatchObject({ code: 0, out: '' })
    expect(await quick(['operators', 'revoke', 'alice'], at)).toMatchObject({ code: 1 })
    expect((await quick(['operators', 'list'], at)).out).toMatch(/alice {2}owner {2}all {6}revoked/)
    expect(await create()).toMatchObject({ code: 0 })
  })

  it('keeps the last owner, unless it is said that this one is meant too', async () => {
    const at = inside(workplace())
    const states = async () => {
      const { out } = await quick(['operators', 'list', '--json'], at)
      return (JSON.parse(out) as { name: string; state: string }[])
        .map(({ name, state }) => `${name} ${state}`)
        .toSorted()
    }
    await quick(['operators', 'create', 'alice', '--role', 'owner'], at)
    // Neither of these could make another owner of everything.
    await quick(['operators', 'create', 'eve', '--role', 'editor'], at)
    const ofOne = ['--role', 'owner', '--product', '12345']
    await quick(['operators', 'create', 'olga', ...ofOne], at)
    const kept = await quick(['operators', 'revoke', 'alice'], at)
    expect([kept.code, kept.err]).toEqual([
      1,
      expect.stringMatching(/alice is the last owner.*nothing was revoked.*--even-the-last-owner/),
    ])
    expect(await states()).toEqual(['alice valid', 'eve valid', 'olga valid'])
    const meant = await quick(['operators', 'revoke', 'alice', '--even-the-last-owner'], at)
    expect([meant.code, meant.err]).toEqual([
      0,
      expect.stringContaining('alice was the last owner'),
    ])
    expect(await states()).toEqual(['alice revoked', 'eve valid', 'olga valid'])
    const other = await quick(['operators', 'revoke', 'olga', '--even-the-last-owner'], at)
    expect([other.code, other.err]).toEqual([0, expect.not.stringContaining('last owner')])
  })

  it.each([
    [['--role', 'owner', '--product', 'my-product'], /takes the id of a product/],
    [['--role', 'root'], /Allowed choices are viewer, editor, owner/],
    [[], /required option '--role/],
    [['--role', 'owner', '--expires', 'soon'], /a duration such as 12h or 90d/],
  ])('exits 2 for %j', async (options, says) => {
    const refused = await quick(['operators', 'create', 'alice', ...options], inside(workplace()))
    expect(refused).toMatchObject({ code: 2, out: '', err: expect.stringMatching(says) })
  })

  it('T14 makes a token that the data port refuses', async () => {
    const at = inside(workplace())
    const { out } = await quick(['operators', 'create', 'alice', '--role', 'owner'], at)
    await using gate = running(['serve'], at)
    const url = (await gate.line(/fleetgate serves/)).split(' ')[2] ?? ''
    const headers = { authorization: `Bearer ${out.trim()}` }
    expect((await fetch(`${url}/v1/user`, { headers })).status).toBe(401)
  })
})

describe('no scope creep', () => {
  it('holds back what a role gained after the token was issued, until it is extended', async () => {
    const folder = workplace()
    const at = inside(folder, { input: body })
    const ask = () => quick(['explain', '-u', 'technician', '-b', '-', ...unlock], at)
    await quick(['token', 'mint', 'technician'], at)
    writeFileSync(join(folder, 'policies', 'fleet.yaml'), policy('reboot, unlock'))

    const before = await ask()
    expect(before).toMatchObject({ code: 1, out: expect.stringContaining('not_in_issued_grant') })
    expect(before.out).toContain('rotate the token, or extend it')
    const listed = await quick(['users', 'list'], at)
    expect(listed.out).toContain('valid, of an older grant')
    expect(listed.out).toContain('1 held back')
    const shown = await quick(['users', 'show', 'technician'], at)
    expect(shown.out).toMatch(/Held back until.*\n.*devices\.function:call\n.*fleet\.yaml:6/)
    expect(await quick(['token', 'extend', 'technician'], at)).toMatchObject({
      code: 0,
      out: '',
    })
    expect(await ask()).toMatchObject({ code: 0, out: expect.stringContaining('ALLOW') })
    expect((await quick(['users', 'list'], at)).out).not.toContain('held back')
  })
})

describe('fleetgate explain', () => {
  const explain = (folder: string, args: readonly string[], input = body) =>
    invoke(['explain', '-c', join(folder, 'fleetgate.yaml'), '-u', 'technician', ...args], {
      input,
    })
  const ask = (args: readonly string[]) => explain(workplace(), args)

  it('exits 0 for what is allowed, and names the rule with file and line', async () => {
    const { code, out } = await ask(['--body', '-', ...reboot])
    expect(code).toBe(0)
    expect(out).toMatch(
      /^ALLOW\n {2}by {7}\S+policies\/fleet\.yaml:6 {2}can devices\.function:call/,
    )
    expect(out).toMatch(
      / {2}asks {5}devices\.function:call on device .*\n {11}Call a function on a/,
    )
  })

  it('says why the catalog keeps a route closed', async () => {
    const { code, out } = await ask(['GET', '/v1/events'])
    expect(code).toBe(1)
    expect(out).toContain(
      'DENY  refused_route\n  Events of the whole account belong to no product;',
    )
  })

  it('says that a denial is sent on as long as the API user is observed, and no longer', async () => {
    const observed = policy('reboot').replace(/(\n +)(owner: .*)/, '$1$2$1observe: 2026-12-01')
    const folder = workplace({ 'policies/fleet.yaml': observed })
    const at = (day: string) => ['--body', '-', '--at', `${day}T00:00:00Z`, ...unlock]
    const during = await explain(folder, at('2026-11-30'))
    expect(during).toMatchObject({ code: 1, out: expect.stringMatching(/^DENY {2}not_granted\n/) })
    expect(during.out).toContain('sent on, and recorded as would_deny: observed until 2026-12-01')
    const after = await explain(folder, at('2026-12-01'))
    expect(after).toMatchObject({ code: 1, out: expect.stringMatching(/^DENY {2}not_granted\n/) })
    expect(after.out).not.toContain('would_deny')
  })

  it('exits 1 for what is denied, and says what was missing', async () => {
    const { code, out } = await ask(['--body', '-', '--json', ...unlock])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      outcome: 'deny',
      reason: 'not_granted',
      requests: [{ action: 'devices.function:call', fields: { functions: ['unlock'] } }],
      missing: [
        expect.stringContaining(
          'fleet.yaml:6 can devices.function:call: names functions reboot, not unlock',
        ),
      ],
    })
  })

  it('names the guardrail that forbids', async () => {
    const granted = policy('reboot').replace(
      '        functions: [reboot]\n',
      '        functions: [reboot]\n      - can: devices:update.flash\n',
    )
    const folder = workplace({ 'policies/fleet.yaml': granted })
    const { code, out } = await explain(
      folder,
      ['-b', '-', 'PUT', `/v1/products/12345/devices/${device}`],
      '{"flash":true}',
    )
    expect(code).toBe(1)
    expect(out).toMatch(/^DENY {2}forbidden\n.*fleet\.yaml:17 {2}cannot deploy/)
    expect(out).toContain('Firmware leaves by the pipeline only.')
  })

  it('says which fact the cloud would be asked for, and takes it', async () => {
    const args = ['--body', '-', 'POST', `/v1/devices/${device}/reboot`]
    const asked = await ask(args)
    expect(asked).toMatchObject({ code: 1, out: expect.stringContaining('--fact product=ID') })
    expect(await ask(['--fact', 'product=12345', ...args])).toMatchObject({ code: 0 })
    expect(await ask(['--fact', 'product=67890', ...args])).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^DENY {2}outside_boundary/),
    })
  })

  it.each([
    [['GET', '/v1/nowhere'], 'unmapped_route'],
    [['GET', '/v1/devices/../user'], 'ambiguous_target'],
    [['--body', '-', ...reboot, '--header', 'Content-Type: text/plain'], 'unsupported_media_type'],
    [['GET', `/v1/products/12345/devices/${device}?bogus=1`], 'unknown_query_key'],
  ])('says of %j that it is %s', async (args, reason) => {
    const { code, out } = await ask(args)
    expect(code).toBe(1)
    expect(out).toContain(`DENY  ${reason}`)
  })

  it.each([
    [
      ['--fact', 'grops=a', 'GET', '/v1/user'],
      'there is no attribute "grops"; did you mean "groups"?',
    ],
    [['--fact', 'online=perhaps', 'GET', '/v1/user'], 'online is true or false'],
    [['--fact', 'groups', 'GET', '/v1/user'], 'write name=value'],
    [['--at', 'noon', 'GET', '/v1/user'], 'is not a time'],
    [['--body', '/nowhere', 'GET', '/v1/user'], 'cannot be read'],
  ])('exits 2 for %j', async (args, says) => {
    expect(await ask(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(says) })
  })
})

describe('fleetgate users', () => {
  it('shows one with its rules, and creates no store by looking', async () => {
    const folder = workplace()
    const { code, out } = await quick(['users', 'show', 'technician'], inside(folder))
    expect(code).toBe(0)
    expect(out).toMatch(/boundary {2}product 12345/)
    expect(out).toMatch(/can {4}devices\.function:call\n.*fleet\.yaml:6/)
    expect(existsSync(join(folder, 'fleetgate.sqlite'))).toBe(false)
  })

  it('lists them as JSON', async () => {
    const { out } = await quick(['users', 'list', '--json'], inside(workplace()))
    expect(JSON.parse(out)).toMatchObject([
      { name: 'technician', devices: '1 listed', token: 'none', expires: '90d from issue' },
    ])
  })
})

describe('fleetgate users suspend', () => {
  const because = ['--because', 'laptop lost']

  it('stops an API user at a running gate at its next request, until it is resumed', async () => {
    const at = inside(workplace())
    const token = (await quick(['token', 'mint', 'technician'], at)).out.trim()
    await using gate = running(['serve'], at)
    const url = (await gate.line(/fleetgate serves/)).split(' ')[2] ?? ''
    const headers = { authorization: `Bearer ${token}` }
    const ask = async () => (await fetch(`${url}/v1/user`, { headers })).status
    expect(await ask()).toBe(200)
    await quick(['users', 'suspend', 'technician', ...because], at)
    expect(await ask()).toBe(403)
    await quick(['users', 'resume', 'technician'], at)
    expect(await ask()).toBe(200)
  })

  it('stands in lists, with who did it and why', async () => {
    const at = inside(workplace())
    expect(await quick(['users', 'suspend', 'technician', ...because], at)).toMatchObject({
      code: 0,
      out: '',
    })
    expect((await quick(['users', 'list'], at)).out).toMatch(/technician .* suspended {2}field@/)
    const { out } = await quick(['users', 'show', 'technician'], at)
    expect(out).toMatch(/suspended 20.* by cli:.*: laptop lost/)
    expect(await quick(['users', 'resume', 'technician'], at)).toMatchObject({ code: 0 })
    expect(await quick(['users', 'resume', 'technician'], at)).toMatchObject({ code: 1 })
    expect((await quick(['users', 'list'], at)).out).not.toContain('suspended')
  })

  it('needs a reason of one line, and an API user that is there', async () => {
    const at = inside(workplace())
    const suspend = (name: string, why: readonly string[]) =>
      quick(['users', 'suspend', name, ...why], at)
    expect(await suspend('technician', [])).toMatchObject({ code: 2 })
    expect(await suspend('technician', ['--because', 'a\nb'])).toMatchObject({ code: 2 })
    expect(await suspend('technicain', because)).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean "technician"'),
    })
  })

  it('works on who holds a token while the policy files are broken', async () => {
    const folder = workplace()
    const at = inside(folder)
    await quick(['token', 'mint', 'technician'], at)
    writeFileSync(join(folder, 'policies', 'fleet.yaml'), 'users: [')
    expect(await quick(['users', 'suspend', 'technician', ...because], at)).toMatchObject({
      code: 0,
    })
    expect(await quick(['token', 'revoke', 'technician'], at)).toMatchObject({ code: 0 })
  })
})

describe('API users of the store', () => {
  const definition = (more: object = {}) =>
    JSON.stringify({
      owner: 'ops@acme.example',
      product: '12345',
      devices: { ids: [device] },
      roles: 'technician',
      lifetime: '90d',
      ...more,
    })

  async function withUsers(users: Readonly<Record<string, string>>): Promise<CliOptions> {
    const folder = workplace()
    await using store = openSqliteStore({ path: join(folder, 'fleetgate.sqlite') })
    for (const [name, text] of Object.entries(users)) {
      const place = { products: ['12345'], organization: undefined }
      const user = { name, definition: text, place, description: '', atMs: Date.now() }
      await store.users.create(user, undefined, 'self')
    }
    return inside(folder)
  }

  it('are listed beside those of the files, with what is not as usual', async () => {
    const at = await withUsers({
      kiosk: definition({ lifetime: '1d' }),
      misfit: definition({ roles: 'gone' }),
      watched: definition({ observe: '2099-01-01' }),
    })
    await quick(['token', 'mint', 'kiosk'], at)
    const { out } = await quick(['users', 'list', '--json'], at)
    expect(JSON.parse(out)).toMatchObject([
      { name: 'technician', home: 'git', token: 'none', state: [] },
      { name: 'kiosk', home: 'store', token: 'valid', state: [expect.stringMatching(/^expires/)] },
      { name: 'misfit', home: 'store', state: ['does not fit the policy files'] },
      { name: 'watched', home: 'store', state: ['observed until 2099-01-01 00:00 UTC'] },
    ])
  })

  it('are listed a page at a time, all of them, however long that is for a pipe', async () => {
    const names = Array.from({ length: 502 }, (_, n) => `kiosk-${String(n).padStart(3, '0')}`)
    const folder = workplace()
    await using store = openSqliteStore({ path: join(folder, 'fleetgate.sqlite') })
    const place = { products: ['12345'], organization: undefined }
    for (const name of names) {
      const user = { name, definition: definition(), place, description: '', atMs: 1 }
      await store.users.create(user, undefined, 'self')
    }
    // As a shell does it: what the pipe has not taken yet must not be lost with the process.
    const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
    const line = '"$0" "$1" users list --json | cat'
    const { stdout } = await promisify(execFile)('sh', ['-c', line, process.execPath, main], {
      cwd: folder,
      maxBuffer: 1 << 24,
    })
    expect(stdout.length).toBeGreaterThan(100_000)
    expect(JSON.parse(stdout)).toMatchObject(['technician', ...names].map((name) => ({ name })))
  })

  it('get tokens by the same commands, and are explained', async () => {
    const at = await withUsers({ kiosk: definition() })
    expect(await quick(['token', 'mint', 'kiosk'], at)).toMatchObject({ code: 0 })
    expect(await quick(['token', 'rotate', 'kiosk'], at)).toMatchObject({ code: 0 })
    const asked = ['explain', '-u', 'kiosk', '-b', '-', ...reboot]
    expect(await quick(asked, { ...at, input: body })).toMatchObject({
      code: 0,
      out: expect.stringContaining('ALLOW'),
    })
    expect(await quick(['users', 'show', 'kiosk'], at)).toMatchObject({ code: 0 })
    expect(await quick(['token', 'mint', 'kiosc'], at)).toMatchObject({ code: 2 })
  })

  it('that lost their place to the files count for nothing, and are shown so once they left the files', async () => {
    const at = await withUsers({ kiosk: definition() })
    {
      await using store = openSqliteStore({ path: join(at.cwd ?? '', 'fleetgate.sqlite') })
      await store.users.displace(['kiosk'], Date.now(), 'self')
    }
    expect((await quick(['users', 'list'], at)).out).toMatch(/kiosk .*displaced/)
    const refused = await quick(['token', 'mint', 'kiosk'], at)
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('lost its place') })
  })
})

describe('observation', () => {
  it('of everybody is said beside every list', async () => {
    const observing = `${config}observe: { until: 2099-01-01 }\n`
    const at = inside(workplace({ 'fleetgate.yaml': observing }))
    const { err } = await quick(['users', 'list'], at)
    expect(err).toContain('Everybody is observed until 2099-01-01 00:00 UTC')
    const checked = await quick(['check'], at)
    expect(checked).toMatchObject({ code: 0 })
    expect(checked.out).toContain('everybody is observed until 2099-01-01 00:00 UTC')
    const over = inside(workplace({ 'fleetgate.yaml': observing.replace('2099', '2020') }))
    expect((await quick(['users', 'list'], over)).err).toBe('')
    expect((await quick(['check'], over)).out).not.toContain('observed')
  })

  it('of one API user is said by check', async () => {
    const text = policy('reboot').replace(
      '    lifetime: 90d',
      '    lifetime: 90d\n    observe: 2099-01-01',
    )
    const at = inside(workplace({ 'policies/fleet.yaml': text }))
    const { out } = await quick(['check', '--json'], at)
    expect(JSON.parse(out)).toMatchObject({
      observed: [{ who: 'technician', until: '2099-01-01T00:00:00.000Z' }],
    })
  })
})

describe('fleetgate generate', () => {
  it('finds the committed schemas and pages up to date', async () => {
    const { code, out } = await invoke(['generate', '--check'])
    expect({ code, out }).toEqual({ code: 0, out: '0 files not up to date\n' })
  })

  it('tells a stale file, and writes it', async () => {
    const folder = workplace()
    expect(await invoke(['generate', '--check', '--folder', folder])).toMatchObject({ code: 1 })
    expect(await invoke(['generate', '--folder', folder])).toMatchObject({ code: 0 })
    expect(readFileSync(join(folder, 'docs', 'config.md'), 'utf8')).toContain('| `url` | URL |')
    expect(await invoke(['generate', '--check', '--folder', folder])).toMatchObject({ code: 0 })
  })
})
