// The example of two gates on one PostgreSQL behind nginx: it runs as it is written, and what it prints and its README say is true.

import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { fleetgate } from '../kit/cli.ts'
import { listen } from '../kit/event-client.ts'
import { freePort } from '../kit/free-port.ts'
import { requestBytes } from '../kit/raw-exchange.ts'
import { sendRaw } from '../kit/raw-socket.ts'
import { parseLines, type AuditRow } from '../kit/start-gate.ts'

const root = join(import.meta.dirname, '..', '..')
/** Those of the cloud, PostgreSQL, nginx and the two gates, as the example's files have them. */
const ports = ['9400', '9432', '9480', '9481', '9482'] as const
const product = '/v1/products/12345'
const sh = promisify(execFile)

type Device = { id: string; groups: string[] }

let folder: string
let example: string
let program: ChildProcess
let said: string[]
let front: string
let gates: string[]
let dashboard: string
let technician: string

/** The example with other numbers for its ports, which may be taken here, and nothing else changed. */
async function copied(): Promise<Map<string, string>> {
  const others = new Map<string, string>()
  // oxlint-disable-next-line no-await-in-loop -- each another one
  for (const port of ports) others.set(port, String(await freePort()))
  for (const name of ['src', 'test', 'node_modules', 'package.json']) {
    // oxlint-disable-next-line no-await-in-loop -- a few
    await symlink(join(root, name), join(folder, name))
  }
  await mkdir(join(folder, 'examples'))
  const cloud = join('examples', 'device-cloud')
  await symlink(join(root, cloud), join(folder, cloud))
  await cp(join(root, 'examples', 'replicas'), example, {
    recursive: true,
    filter: (path) => !path.endsWith('/data'),
  })
  for (const name of ['main.ts', 'gate-1.yaml', 'gate-2.yaml', 'nginx.conf']) {
    // oxlint-disable-next-line no-await-in-loop -- a few
    const text = await readFile(join(example, name), 'utf8')
    const moved = text.replaceAll(/\b94\d\d\b/g, (port) => others.get(port) ?? 'no such port')
    // oxlint-disable-next-line no-await-in-loop -- a few
    await writeFile(join(example, name), moved)
  }
  return others
}

/** Where nginx is missing its name stands for a balancer of the tests; CI installs nginx. */
async function pathWithNginx(): Promise<string> {
  const path = process.env['PATH'] ?? ''
  if (spawnSync('nginx', ['-v']).status === 0) return path
  console.warn('nginx is missing here: a balancer of the tests stands in for it')
  const bin = join(folder, 'bin')
  await mkdir(bin)
  const balancer = join(root, 'test', 'kit', 'balancer.ts')
  await writeFile(join(bin, 'nginx'), `#!/bin/sh\nexec '${process.execPath}' '${balancer}' "$@"\n`)
  await chmod(join(bin, 'nginx'), 0o755)
  return `${bin}:${path}`
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetgate-replicas-'))
  example = join(folder, 'examples', 'replicas')
  const moved = await copied()
  const at = (port: (typeof ports)[number]) => `http://127.0.0.1:${moved.get(port)}`
  front = at('9480')
  gates = [at('9481'), at('9482')]
  program = spawn(process.execPath, [join(example, 'main.ts')], {
    env: { ...process.env, PATH: await pathWithNginx() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  said = []
  if (program.stdout === null) throw new Error('its words go nowhere')
  for await (const line of createInterface({ input: program.stdout })) {
    said.push(line)
    if (line.startsWith('Ctrl-C')) break
  }
  if (!said.some((line) => line.startsWith('Ctrl-C'))) throw new Error('the example did not start')
  const tokens = said.flatMap((line) => /Bearer (fg_u_\w+)/.exec(line)?.[1] ?? [])
  ;[dashboard = '', technician = ''] = tokens
  const isUp = async () => {
    if ((await status(front, '/')) !== 404) throw new Error('nobody listens in front')
  }
  await vi.waitFor(isUp, 20_000)
}, 120_000)

afterAll(async () => {
  if (program.exitCode === null) {
    program.kill('SIGINT')
    await once(program, 'exit')
  }
  await rm(folder, { recursive: true, force: true })
}, 60_000)

async function call(
  url: string,
  path: string,
  token = dashboard,
  headers: Readonly<Record<string, string>> = {},
) {
  const answer = await fetch(url + path, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  })
  const id = answer.headers.get('x-request-id') ?? ''
  return { status: answer.status, id, text: await answer.text() }
}

const status = (url: string, path: string, token?: string) =>
  call(url, path, token).then(
    (answer) => answer.status,
    () => undefined,
  )

/** Rows of both gates' logs, apart. */
async function rows(file: 'decisions' | 'rejects'): Promise<AuditRow[][]> {
  const logs = [1, 2].map(async (gate) => {
    const text = await readFile(join(example, 'data', `audit-${gate}`, `${file}.jsonl`), 'utf8')
    return parseLines(text.slice(0, text.lastIndexOf('\n') + 1))
  })
  return Promise.all(logs)
}

async function decisionOf(id: string): Promise<AuditRow | undefined> {
  return (await rows('decisions'))
    .flat()
    .find((row) => row['kind'] === 'decision' && row['request_id'] === id)
}

/** A line of what it printed, as somebody would paste it. */
function printed(pattern: RegExp): string {
  const found = said.find((line) => pattern.test(line))
  if (found === undefined) throw new Error(`${pattern} is not in:\n${said.join('\n')}`)
  return found.trim()
}

describe('examples/replicas', () => {
  it('answers by either gate, each request in the log of one of them', async () => {
    const asked = await Promise.all(
      Array.from({ length: 20 }, () => call(front, `${product}/devices?perPage=1`)),
    )
    expect(new Set(asked.map((answer) => answer.status))).toEqual(new Set([200]))
    const [one = [], two = []] = (await rows('decisions')).map((log) =>
      log.filter(({ kind }) => kind === 'decision').map((row) => String(row['request_id'])),
    )
    expect(Math.min(one.length, two.length)).toBeGreaterThan(0)
    const ids = new Set(asked.map(({ id }) => id))
    expect([...one, ...two].filter((id) => ids.has(id)).toSorted()).toEqual([...ids].toSorted())
  })

  it('holds a limited API user to its devices, whichever gate answers', async () => {
    const page = async (gate: string, number: number, token?: string): Promise<Device[]> =>
      JSON.parse((await call(gate, `${product}/devices?perPage=100&page=${number}`, token)).text)
        .devices
    const all = [...(await page(front, 1)), ...(await page(front, 2))]
    const isSite = ({ groups }: Device) => groups.includes('site-7')
    const other = all.find((device) => !isSite(device))?.id
    for (const gate of [front, ...gates]) {
      const mine = await page(gate, 1, technician)
      expect(mine.map(({ id }) => id)).toEqual(all.filter(isSite).map(({ id }) => id))
      expect(await status(gate, `${product}/devices/${mine[0]?.id}`, technician)).toBe(200)
      expect(await status(gate, `${product}/devices/${other}`, technician)).toBe(403)
    }
  })

  it('passes the target on as it came, and of addresses only the one it was called from', async () => {
    for (const odd of ['/v1//products/12345/devices', `/x/..${product}/devices`]) {
      const head = requestBytes(`GET ${odd}`, [`Authorization: Bearer ${dashboard}`])
      const { status, text } = await sendRaw(Number(new URL(front).port), head)
      expect(status).toBe(400)
      const id = /^x-request-id: (\S+)/im.exec(text)?.[1]
      await expect
        .poll(async () => (await rows('rejects')).flat())
        .toContainEqual(expect.objectContaining({ request_id: id, path: odd }))
    }
    const claimed = { 'x-forwarded-for': '192.0.2.66' }
    const far = await call(front, `${product}/devices?perPage=1`, dashboard, claimed)
    expect(await decisionOf(far.id)).toMatchObject({ address: '127.0.0.1' })
    // The balancer is who the gates believe.
    const near = await call(gates[0] ?? '', `${product}/devices?perPage=1`, dashboard, claimed)
    expect(await decisionOf(near.id)).toMatchObject({ address: '192.0.2.66' })
  })

  it('serves nobody while PostgreSQL stands still, and goes on with it', async () => {
    const path = `${product}/devices?perPage=1`
    const all = () => Promise.all([front, ...gates].map((gate) => status(gate, path)))
    expect(await all()).toEqual([200, 200, 200])
    const goOn = printed(/kill -CONT/)
    try {
      await sh('sh', ['-c', printed(/kill -STOP/)])
      await expect.poll(all).toEqual([503, 503, 503])
      // By a gate, or by nginx once both have failed: clients need not know.
      for (let times = 0; times < 10; times += 1) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const { status: refused, text } = await call(front, path)
        expect([refused, JSON.parse(text).error]).toEqual([503, 'server_error'])
      }
    } finally {
      await sh('sh', ['-c', goOn])
    }
    await expect.poll(all).toEqual([200, 200, 200])
  })

  it('refuses at both gates what a command revoked, and ends its stream', async () => {
    const stream = await listen(front, `${product}/events`, dashboard)
    expect(stream.status).toBe(200)
    await expect.poll(() => stream.names().length).toBeGreaterThan(0)
    printed(/fleetgate -- token revoke dashboard --config examples\/replicas\/gate-1\.yaml$/)
    const config = join(example, 'gate-1.yaml')
    const revoked = await fleetgate(['token', 'revoke', 'dashboard', '--config', config])
    expect(revoked).toMatchObject({ code: 0 })
    const path = `${product}/devices?perPage=1`
    for (const gate of [...gates, front, front]) {
      await expect.poll(() => status(gate, path)).toBe(401)
      expect(await status(gate, path, technician)).toBe(200)
    }
    expect(await stream.ended).toBe('broken')
  })

  it('is not noticed to lose a gate', async () => {
    const statuses: (number | undefined)[] = []
    const stop = new AbortController()
    const client = async () => {
      while (!stop.signal.aborted)
        statuses.push(await status(front, `${product}/devices`, technician))
    }
    const clients = Array.from({ length: 4 }, client)
    await expect.poll(() => statuses.length).toBeGreaterThan(20)
    const before = statuses.length
    await sh('sh', ['-c', printed(/kill -KILL/)])
    await expect.poll(() => statuses.length).toBeGreaterThan(before + 100)
    stop.abort()
    await Promise.all(clients)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(await status(gates[0] ?? '', '/')).toBeUndefined()
    expect(await status(front, `${product}/devices`)).toBe(401)
  })

  it('leaves nothing behind when it is ended', async () => {
    program.kill('SIGINT')
    const [code] = await once(program, 'exit')
    expect(code).toBe(0)
    expect(await Promise.all([front, ...gates].map((gate) => status(gate, '/')))).toEqual([
      ...[undefined, undefined, undefined],
    ])
    await expect(readFile(join(example, 'data', 'cloud-token'))).rejects.toThrow('ENOENT')
  })
})
