// The command line, as processes of its own: what it prints where, and how it ends.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
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
    const tokens = ['mint', 'rotate', 'extend', 'revoke', 'list'].map((name) => `token ${name}`)
    for (const command of [...commands, ...tokens]) {
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

  it('prints JSON', async () => {
    const { out } = await quick(['check', '--json'], inside(workplace()))
    expect(JSON.parse(out)).toEqual({
      ok: true,
      mistakes: [],
      notes: [],
      users: 1,
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
    expect((await quick(['users', 'list'], at)).out).toContain('valid, of an older grant')
    expect(await quick(['token', 'extend', 'technician'], at)).toMatchObject({
      code: 0,
      out: '',
    })
    expect(await ask()).toMatchObject({ code: 0, out: expect.stringContaining('ALLOW') })
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
    [['--at', 'noon', 'GET', '/v1/user'], 'is no time'],
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
