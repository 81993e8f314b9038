// The demo: everything it prints is true, and it leaves nothing behind.

import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DemoCall, demoCalls, demoOperatorCalls } from '../../src/cli/demo-calls.ts'
import { running, type Running } from '../kit/cli.ts'
import { until } from '../kit/recording-upstream.ts'
import { parseLines } from '../kit/start-gate.ts'

type Ready = {
  gate: string
  cloud: string
  admin: string
  audit: string
  rejects: string
  upstreamToken: string
  operator: string
  users: Record<string, string>
  devices: Record<string, string[]>
}

const names = Object.keys(demoCalls).toSorted()

describe('fleetgate demo --json --port 0', () => {
  let demo: Running
  let ready: Ready

  beforeAll(async () => {
    demo = running(['demo', '--json', '--port', '0'])
    ready = JSON.parse(await demo.line(/^\{/))
  })
  afterAll(() => demo[Symbol.asyncDispose]())

  async function call({ method, path, body, upload }: DemoCall, token: string) {
    const form = new FormData()
    for (const [name, value] of Object.entries(upload?.fields ?? {})) form.set(name, value)
    if (upload !== undefined) form.set('file', new Blob(['demo']), upload.file)
    return fetch(ready.gate + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      ...(upload && { body: form }),
    })
  }

  it('says where everything is, with a token for each example API user', () => {
    expect(ready.operator).toMatch(/^fg_o_/)
    expect(Object.keys(ready.users).toSorted()).toEqual(names)
    expect(ready.devices).toEqual({
      'google-sheets': [expect.any(String)],
      'acme-technician': [expect.any(String), expect.any(String), expect.any(String)],
    })
    expect(existsSync(ready.audit)).toBe(true)
    expect(existsSync(ready.rejects)).toBe(true)
  })

  it('has an admin port that takes the operator’s token alone', async () => {
    const ask = (token: string) =>
      fetch(`${ready.admin}/api/users`, { headers: { authorization: `Bearer ${token}` } })
    expect((await ask(ready.operator)).status).toBe(200)
    expect((await ask(ready.users['acme-dashboard'] ?? '')).status).toBe(401)
  })

  it.each(names)(
    'allows %s its one call and denies the other, and only the first arrives',
    async (name) => {
      const pair = demoCalls[name]
      const token = ready.users[name]
      if (pair === undefined || token === undefined) throw new Error(`${name} is not in the demo`)
      const arrived = async ({ method, path }: DemoCall) => {
        const answer = await fetch(`${ready.cloud}/_simulator/requests`)
        const seen: { method: string; url: string }[] = JSON.parse(await answer.text())
        return seen.filter((request) => request.method === method && request.url === path)
      }
      await fetch(`${ready.cloud}/_simulator/requests`, { method: 'DELETE' })
      const denied = await call(pair.denied, token)
      expect(denied.status).toBe(403)
      expect(await arrived(pair.denied)).toEqual([])
      const allowed = await call(pair.allowed, token)
      expect([200, 201]).toContain(allowed.status)
      expect(await arrived(pair.allowed)).toHaveLength(1)

      const rows = parseLines(readFileSync(ready.audit, 'utf8'))
      const decisionOf = (answer: Response) =>
        rows.find(
          (row) =>
            row['kind'] === 'decision' && row['request_id'] === answer.headers.get('x-request-id'),
        )
      expect(decisionOf(denied)).toMatchObject({ user: name, decision: 'deny' })
      expect(decisionOf(allowed)).toMatchObject({ user: name, decision: 'allow' })
    },
  )

  it('gives the sheet the name of its device and nothing else', async () => {
    const pair = demoCalls['google-sheets']
    if (pair === undefined) throw new Error('google-sheets is not in the demo')
    const answer = await call(pair.allowed, ready.users['google-sheets'] ?? '')
    expect(Object.keys(JSON.parse(await answer.text()))).toEqual(['name'])
  })

  it('removes what it wrote and exits 0 on SIGTERM', async () => {
    demo.signal('SIGTERM')
    expect(await demo.ended()).toBe(0)
    expect(existsSync(dirname(ready.audit))).toBe(false)
    await expect(fetch(ready.gate)).rejects.toThrow('fetch failed')
  })
})

describe('npm run -s fleetgate -- demo', () => {
  it('stops as cleanly where only npm is told to', async () => {
    await using demo = running(['demo', '--json', '--port', '0'], { by: 'npm' })
    const { gate, audit }: Ready = JSON.parse(await demo.line(/^\{/))
    demo.signal('SIGTERM')
    await demo.ended()
    expect(existsSync(dirname(audit))).toBe(false)
    await expect(fetch(gate)).rejects.toThrow('fetch failed')
  })
})

describe('fleetgate demo', () => {
  const curl = promisify(execFile)

  /** The pasted lines by the comment above each, and a word of that comment. */
  async function pasted(demo: Running): Promise<{ line: string; says: string }[]> {
    const lines = await demo.all(/^# site-7-partner hears/)
    await until(() => lines.filter((line) => line.startsWith('curl -sSN')).length === 2)
    return lines.flatMap((line, i) =>
      line.startsWith('curl ') ? [{ line, says: lines[i - 1] ?? '' }] : [],
    )
  }

  it('prints lines that do in a shell what is said beside them', async () => {
    await using demo = running(['demo', '--port', '0'])
    const calls = (await pasted(demo)).filter(({ says }) => /^# (allowed|denied): /.test(says))
    expect(calls).toHaveLength(names.length * 2)
    for (const { line, says } of calls) {
      const { stdout } = await curl('sh', ['-c', `${line} -o /dev/null -w '%{http_code}'`])
      expect({ line, stdout }).toEqual({
        line,
        stdout: expect.stringMatching(says.startsWith('# allowed: ') ? /^20[01]$/ : /^403$/),
      })
    }
    demo.signal('SIGINT')
    expect(await demo.ended()).toBe(0)
  })

  it('prints lines for an operator that work', async () => {
    await using demo = running(['demo', '--port', '0'])
    const lines = (await pasted(demo)).filter(({ line }) => line.includes('/api/users'))
    expect(lines).toHaveLength(demoOperatorCalls.length)
    for (const { line } of lines) {
      const { stdout } = await curl('sh', ['-c', `${line} -o /dev/null -w '%{http_code}'`])
      expect({ line, stdout }).toEqual({ line, stdout: '200' })
    }
  })

  it('shows one list and one live stream, whole to one and cut to its site to the other', async () => {
    await using demo = running(['demo', '--port', '0'])
    const calls = await pasted(demo)
    const lineThat = (says: string) => {
      const found = calls.find((call) => call.says.startsWith(`# ${says}`))
      if (found === undefined) throw new Error(`no line says ${says}`)
      return found.line
    }
    const list = async (line: string): Promise<Listed> =>
      JSON.parse((await curl('sh', ['-c', line], { maxBuffer: 1 << 24 })).stdout)
    const line = lineThat('acme-dashboard sees')
    const whole = [
      await list(line),
      await list(line.replace("perPage=100'", "perPage=100&page=2'")),
    ]
    const mine = await list(lineThat('site-7-partner sees'))
    const ofSite = whole
      .flatMap(({ devices }) => devices)
      .filter(({ groups }) => groups.includes('site-7'))
      .map(({ id }) => id)
    expect([whole[0]?.devices.length, whole[0]?.meta]).toEqual([100, { total_pages: 2 }])
    expect(mine.devices.map(({ id }) => id)).toEqual(ofSite)
    expect(mine.meta).toEqual({ total_pages: 1 })
    expect(mine.devices[0]).not.toHaveProperty('last_ip_address')
    expect(whole[0]?.devices[0]).toHaveProperty('last_ip_address')

    using all = pastedStream(lineThat('acme-dashboard hears'))
    using cut = pastedStream(lineThat('site-7-partner hears'))
    await until(() => all.sources().length > 0 && cut.begun(), 10_000)
    await curl('sh', ['-c', `${lineThat('allowed: sets 21 degrees')} -o /dev/null`])
    await until(() => cut.sources().length > 0, 10_000)
    await until(() => all.sources().some((id) => !ofSite.includes(id)), 10_000)
    expect(cut.sources().filter((id) => !ofSite.includes(id))).toEqual([])
    demo.signal('SIGINT')
    expect(await demo.ended()).toBe(0)
  })
})

type Listed = {
  devices: { id: string; groups: string[]; last_ip_address?: string }[]
  meta: { total_pages: number }
}

/** What a pasted line of `curl -N` has shown so far. */
function pastedStream(line: string) {
  const child = spawn('sh', ['-c', `exec ${line}`])
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  return {
    begun: () => text.startsWith(':ok'),
    /** `coreid` of each event. */
    sources: () => Array.from(text.matchAll(/"coreid":"([^"]+)"/g), ([, id = '']) => id),
    [Symbol.dispose]: () => void child.kill(),
  }
}
