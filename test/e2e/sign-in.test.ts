// Sign-in by OpenID Connect, against a real provider.

import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSignIn } from '../../src/admin/sign-in/sign-in.ts'
import { Secret } from '../../src/lib/secret.ts'
import { hour } from '../kit/admin-rig.ts'
import { freePort } from '../kit/free-port.ts'
import { Browser, clientSecret, startOidcProvider } from '../kit/oidc-provider.ts'
import { startSignIn, type SignInRig } from '../kit/sign-in-rig.ts'
import { parseLines, startTestGate } from '../kit/start-gate.ts'

const people = {
  alice: { email: 'alice@acme.example', email_verified: true, groups: ['fleet', 'staff'] },
  bob: { email: 'bob@acme.example', groups: ['visitors'] },
  mallory: { email: 'ci@acme.example', groups: ['admins'] },
  eve: { email: 'alice@acme.example', email_verified: false, groups: ['admins'] },
  odd: { email: 'odd"\n', groups: ['admins'] },
}

let rig: SignInRig
let browser: Browser

beforeEach(async () => {
  // The provider speaks at length of how it is set up.
  vi.spyOn(console, 'warn').mockReturnValue()
  vi.spyOn(console, 'info').mockReturnValue()
  rig = await startSignIn(people)
  browser = new Browser()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rig[Symbol.asyncDispose]()
})

const callback = () => `${rig.url}/sign-in/callback`
const whoami = () => browser.visit(`${rig.url}/api/whoami`)

/** To the provider and, as this person, back: where the browser is sent then, not yet visited. */
async function wayBack(login: string): Promise<string> {
  const away = await browser.visit(`${rig.url}/sign-in`)
  expect(away.status).toBe(303)
  return browser.signInAt(away.headers.get('location') ?? '', login, callback())
}

async function signIn(login: string) {
  return browser.visit(await wayBack(login))
}

describe('a person whom the provider knows', () => {
  it('signs in, is the operator that name and group make, and signs out', async () => {
    const back = await signIn('alice')
    expect(back.status).toBe(303)
    expect(back.headers.get('location')).toBe('/api/whoami')
    const [cookie = ''] = back.headers.getSetCookie()
    expect(cookie).toMatch(/^fleetgate=fg_o_\w+; Max-Age=28800; Path=\/; HttpOnly; SameSite=Lax$/)

    const me = await whoami()
    expect(me.status).toBe(200)
    expect(JSON.parse(me.text)).toMatchObject({
      name: 'alice@acme.example',
      role: 'editor',
      via: 'oidc',
    })

    const token = browser.jar(rig.url).get('fleetgate') ?? ''
    const out = await browser.visit(`${rig.url}/sign-out`, {})
    expect(out.status).toBe(204)
    expect(browser.jar(rig.url).has('fleetgate')).toBe(false)
    expect((await whoami()).status).toBe(401)
    browser.jar(rig.url).set('fleetgate', token)
    expect((await whoami()).status).toBe(401)

    const sides = rig.records.changes.map(({ by, change, target }) => [by, change, target])
    expect(sides).toEqual([
      ['operator:alice@acme.example', 'operator.sign_in', 'alice@acme.example'],
      ['operator:alice@acme.example', 'operator.sign_out', 'alice@acme.example'],
    ])
    expect(rig.records.changes[0]?.after).toMatchObject({ via: 'oidc', subject: 'alice' })
    expect(JSON.stringify(rig.records)).not.toContain(token.slice(20))
  })

  it('is signed in no longer than a session lasts', async () => {
    await signIn('alice')
    rig.admin.clock.at += 8 * hour - 1
    expect((await whoami()).status).toBe(200)
    rig.admin.clock.at += 1
    expect((await whoami()).status).toBe(401)
  })

  it('changes nothing by a form on another page', async () => {
    await signIn('alice')
    const cookie = `fleetgate=${browser.jar(rig.url).get('fleetgate') ?? ''}`
    const from = (site: string) =>
      fetch(`${rig.url}/sign-out`, { method: 'POST', headers: { cookie, 'sec-fetch-site': site } })
    expect((await from('cross-site')).status).toBe(403)
    expect((await whoami()).status).toBe(200)
    expect((await from('same-origin')).status).toBe(204)
  })

  it('may begin at one replica and end at another', async () => {
    await using both = await startSignIn(people, { gates: 2 })
    const away = await browser.visit(`${both.url}/sign-in`)
    const path = `${both.url}/sign-in/callback`
    const next = await browser.signInAt(away.headers.get('location') ?? '', 'alice', path)
    expect((await browser.visit(next)).status).toBe(303)
    const statuses = [
      (await browser.visit(`${both.url}/api/whoami`)).status,
      (await browser.visit(`${both.url}/api/whoami`)).status,
    ]
    expect(statuses).toEqual([200, 200])
  })
})

describe('a provider that has its claims at userinfo', () => {
  async function signInThere(login: string, looks: 'id_token' | 'userinfo') {
    await using there = await startSignIn(people, { has: 'userinfo', looks })
    const guest = new Browser()
    const away = await guest.visit(`${there.url}/sign-in`)
    const path = `${there.url}/sign-in/callback`
    const next = await guest.signInAt(away.headers.get('location') ?? '', login, path)
    const back = await guest.visit(next)
    const me = await guest.visit(`${there.url}/api/whoami`)
    return { status: back.status, me: me.status === 200 ? JSON.parse(me.text) : me.status }
  }

  it('is asked there where the configuration says so, and lets in whom groups let in', async () => {
    expect(await signInThere('alice', 'userinfo')).toMatchObject({
      status: 303,
      me: { name: 'alice@acme.example', role: 'editor' },
    })
    expect(await signInThere('bob', 'userinfo')).toEqual({ status: 403, me: 401 })
    expect(await signInThere('eve', 'userinfo')).toEqual({ status: 403, me: 401 })
  })

  it('is not asked where it does not, and nobody comes in', async () => {
    expect(await signInThere('alice', 'id_token')).toEqual({ status: 403, me: 401 })
  })
})

describe('whoever is not let in', () => {
  async function refused(login: string): Promise<string> {
    const back = await signIn(login)
    expect(back.status).toBe(403)
    expect(back.headers.getSetCookie()).toEqual([])
    expect(rig.records.rejects.at(-1)).toMatchObject({ reason: 'sign_in_refused', port: 'admin' })
    expect(rig.records.changes).toEqual([])
    expect((await whoami()).status).toBe(401)
    return JSON.parse(back.text).detail
  }

  it('is in none of the groups', async () => {
    expect(await refused('bob')).toContain('groups')
  })

  it('has an address that the provider has not verified', async () => {
    expect(await refused('eve')).toContain('verified')
  })

  it('has the name of an operator with a token of its own, until that is revoked', async () => {
    await rig.admin.operator('CI@acme.example', 'viewer')
    expect(await refused('mallory')).toContain('has your name')
    const [row] = await rig.admin.operatorTokens.list()
    await rig.admin.operatorTokens.revoke(row?.id ?? '', 'cli:test')
    expect((await signIn('mallory')).status).toBe(303)
  })

  it('has a name that would forge a line of a log', async () => {
    const back = await signIn('odd')
    expect(back.status).toBe(403)
    expect(back.headers.getSetCookie()).toEqual([])
  })

  it('comes back with another state, with another browser, or too late', async () => {
    const url = await wayBack('alice')
    const forged = new URL(url)
    forged.searchParams.set('state', 'another')
    expect((await browser.visit(forged.href)).status).toBe(403)
    expect((await new Browser().visit(url)).status).toBe(403)
    rig.admin.clock.at += 600_000
    expect((await browser.visit(url)).status).toBe(403)
    rig.admin.clock.at -= 600_000
    expect((await browser.visit(url)).status).toBe(303)
  })

  it('plays the way back a second time', async () => {
    const url = await wayBack('alice')
    expect((await browser.visit(url)).status).toBe(303)
    expect((await browser.visit(url)).status).toBe(403)
  })

  it('brings keys that no provider sends, or one of them twice', async () => {
    const url = await wayBack('alice')
    expect((await browser.visit(`${url}&redirect_uri=https://evil.example`)).status).toBe(400)
    expect((await browser.visit(`${url}&code=another`)).status).toBe(400)
  })
})

describe('a sign-in', () => {
  it('is 503 where the provider is gone, while the port serves on', async () => {
    const token = await rig.admin.operator('olga', 'owner')
    await rig.provider[Symbol.asyncDispose]()
    const lost = await browser.visit(`${rig.url}/sign-in`)
    expect(lost.status).toBe(503)
    expect(JSON.parse(lost.text)).toMatchObject({ code: 'sign_in_unavailable' })
    const authorization = `Bearer ${token}`
    const other = await fetch(`${rig.url}/api/whoami`, { headers: { authorization } })
    expect(other.status).toBe(200)
    const out = await fetch(`${rig.url}/sign-out`, { method: 'POST', headers: { authorization } })
    expect(out.status).toBe(403)
  })

  const build = (issuer: string, redirectUri: string) =>
    createSignIn({
      oidc: {
        ...{ issuer, redirectUri, clientId: 'fleetgate', clientSecret: new Secret('s3cret') },
        ...{ scopes: ['openid'], claimsFrom: 'id_token', nameClaim: 'sub', roleClaim: 'groups' },
        roles: { viewer: [], editor: [], owner: [] },
      },
      ...{ sessionMs: hour, operatorTokens: rig.admin.operatorTokens, clock: rig.admin.clock },
      audit: { reject: () => undefined, change: async () => ({ close: () => undefined }) },
      ...{ random: randomBytes, log: { warn: () => undefined } },
    })

  it('takes plain http on this machine alone', () => {
    const way = 'https://gate.example.com/sign-in/callback'
    expect(() => build('http://login.example.com', way)).toThrow('operators.oidc.issuer')
    expect(() => build('http://127.0.0.1.example.com', way)).toThrow('operators.oidc.issuer')
    expect(() => build('https://login.example.com', 'http://gate.example.com/x')).toThrow(
      'operators.oidc.redirect_uri',
    )
    expect(build('https://login.example.com', way).sessionCookie).toBe('__Host-fleetgate')
    expect(build('http://[::1]:9', 'http://localhost:8081/x').sessionCookie).toBe('fleetgate')
  })
})

describe('a gate with sign-in configured', () => {
  it('puts who signs in and who is refused on its audit log, and nothing secret', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fleetgate-sign-in-'))
    const secretFile = join(folder, 'client-secret')
    await writeFile(secretFile, clientSecret, { mode: 0o600 })
    const port = await freePort()
    const redirectUri = `http://127.0.0.1:${port}/sign-in/callback`
    await using provider = await startOidcProvider(redirectUri, people)
    await using gate = await startTestGate({
      upstream: { url: 'http://127.0.0.1:9', token: 'upstream-token-0123456789' },
      policies: { 'empty.yaml': 'users: {}\n' },
      config: `
listen: { data: '127.0.0.1:0', admin: '127.0.0.1:${port}' }
operators:
  session: 30m
  oidc:
    issuer: ${provider.issuer}
    client_id: fleetgate
    client_secret: { file: ${secretFile} }
    redirect_uri: ${redirectUri}
    editor: fleet
`,
    })
    const enter = async (login: string) => {
      const one = new Browser()
      const away = await one.visit(`${gate.adminUrl}/sign-in`)
      const location = away.headers.get('location') ?? ''
      const back = await one.visit(await one.signInAt(location, login, redirectUri))
      return { one, back }
    }
    const { one, back } = await enter('alice')
    const me = await one.visit(new URL(back.headers.get('location') ?? '', gate.adminUrl).href)
    expect(JSON.parse(me.text)).toMatchObject({ name: 'alice@acme.example', role: 'editor' })
    const refused = await enter('bob')
    expect(refused.back.status).toBe(403)

    const [row] = await gate.rejects()
    expect(row).toMatchObject({ reason: 'sign_in_refused', status: 403, port: 'admin' })
    expect(gate.log()).toContain('a sign-in failed')
    const audit = await Promise.all(
      ['decisions.jsonl', 'rejects.jsonl'].map((file) =>
        readFile(join(gate.config.audit.folder, file), 'utf8'),
      ),
    )
    const [change] = parseLines(audit[0] ?? '').filter(({ kind }) => kind === 'change')
    expect(change).toMatchObject({
      by: 'operator:alice@acme.example',
      change: 'operator.sign_in',
      after: { role: 'editor', via: 'oidc', subject: 'alice', issuer: provider.issuer },
    })
    const session = one.jar(gate.adminUrl ?? '').get('fleetgate') ?? ''
    expect(session).toMatch(/^fg_o_/)
    for (const secret of [session.slice(18), clientSecret, 'code=', 'state=']) {
      expect(`${audit.join('')}${gate.log()}`).not.toContain(secret)
    }
    await rm(folder, { recursive: true })
  })
})
