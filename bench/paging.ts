/** A page of a list through the gate, for API users that see 50 devices of 100,000, against a page straight from the cloud. */

import { gateArgument, tokenOf } from './gate-argument.ts'
import { median } from './median.ts'
import { program } from './paths.ts'
import { residentMb, startService, type Service } from './processes.ts'

export type Paging = {
  fleet: number
  /** By how the 50 are told: listed ids, a group, another attribute. The first and the last look at one whole list. */
  users: Record<string, Paged>
  /** The first page after a rest that let every list in memory grow older than the gate's usual `max_age`. */
  restedMs: number
  /** A page of as many items straight from the cloud, out of its whole list. */
  directMs: number
  gateResidentMb: { start: number | undefined; end: number | undefined }
  ratios: Record<string, number>
}

type Paged = {
  /** The first page, when nothing was in memory. */
  coldMs: number
  coldCalls: number
  warmMs: number
  /** Calls to the cloud for each page, once warm. */
  warmCalls: number
  /** Different devices seen on all pages together. */
  seen: number
}

const FLEET = 100_000
const SEEN = 50
const PAGE = 25
const LIST = '/v1/products/12345/devices'
const [GATE_CORE, OTHER_CORE] = [0, 1]

export async function measurePaging(
  { pages, restMs }: { pages: number; restMs: number },
  say: (line: string) => void,
): Promise<Paging> {
  await using cloud = await startService('cloud', [program('cloud.ts'), String(FLEET)], OTHER_CORE)
  const places = Array.from({ length: SEEN }, (_, i) => i * 19)
  const attributes = { groups: ['bench'], firmware_version: 77 }
  const { ids } = await cloud.ask({ set: { devices: places, attributes } })
  const listed = places.map((at) => String(Object(ids)[at]))
  const upstream = { url: cloud.url, token: String(cloud.ready['token']) }
  const argument = gateArgument({ upstream, policies: policiesOf(listed) })
  await using gate = await startService('gate', [program('gate.ts'), argument], GATE_CORE)
  const start = residentMb(gate.pid)

  const users: Record<string, Paged> = {}
  const straight: number[] = []
  const direct = (page: number) =>
    timed(`${cloud.url}${LIST}?perPage=${PAGE}&page=${page}`, upstream.token)
  for (let i = 0; i < 20; i += 1) await direct(i + 1)
  for (const user of ['ids', 'group', 'attribute']) {
    const token = tokenOf(gate, user)
    const read = (page: number) => timed(`${gate.url}${LIST}?perPage=${PAGE}&page=${page}`, token)
    const before = await callsOf(cloud)
    const first = await read(1)
    const second = await read(2)
    const seen = new Set([...first.devices, ...second.devices])
    const cold = await callsOf(cloud)
    for (let i = 0; i < 20; i += 1) await read((i % 2) + 1)
    const warm: number[] = []
    const warmStart = await callsOf(cloud)
    for (let i = 0; i < pages; i += 1) {
      warm.push((await read((i % 2) + 1)).ms)
      straight.push((await direct((i % 40) + 1)).ms)
    }
    const warmEnd = await callsOf(cloud)
    users[user] = {
      coldMs: first.ms,
      coldCalls: cold - before,
      warmMs: median(warm),
      warmCalls: (warmEnd - warmStart - pages) / pages,
      seen: seen.size,
    }
    say(
      `${user}: cold ${first.ms.toFixed(0)} ms and ${cold - before} calls, ` +
        `warm ${median(warm).toFixed(2)} ms and ${users[user].warmCalls} calls a page, ${seen.size} devices`,
    )
  }
  await new Promise((resolve) => setTimeout(resolve, restMs))
  const token = tokenOf(gate, 'ids')
  const rested = await timed(`${gate.url}${LIST}?perPage=${PAGE}`, token)
  say(`ids after ${restMs / 1000} s: ${rested.ms.toFixed(2)} ms`)
  const directMs = median(straight)
  say(`straight from the cloud: ${directMs.toFixed(2)} ms`)
  const ratios = Object.entries(users).map(([user, { warmMs }]) => [
    `page_by_${user}_vs_direct`,
    warmMs / directMs,
  ])
  return {
    fleet: FLEET,
    users,
    restedMs: rested.ms,
    directMs,
    gateResidentMb: { start, end: residentMb(gate.pid) },
    ratios: Object.fromEntries(ratios),
  }
}

async function callsOf(cloud: Service): Promise<number> {
  const { counts } = await cloud.ask({})
  return Object.values(Object(counts)).reduce((sum: number, count) => sum + Number(count), 0)
}

async function timed(url: string, token: string): Promise<{ ms: number; devices: string[] }> {
  const startedAt = performance.now()
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  const body: unknown = await answer.json()
  const ms = performance.now() - startedAt
  const { devices }: { devices?: { id: string }[] } = Object(body)
  if (devices === undefined) throw new Error(`a page was answered ${answer.status}`)
  return { ms, devices: devices.map(({ id }) => id) }
}

function policiesOf(listed: readonly string[]): string {
  const user = (name: string, devices: string, where: string) => `
  ${name}:
    owner: bench@acme.example
    product: 12345
    devices: ${devices}
    rules: [{ can: devices:list${where} }]
    expires: never`
  return `users:${[
    user('ids', `{ ids: [${listed.join(', ')}] }`, ''),
    user('group', '{ groups: { $any: [bench] } }', ''),
    user('attribute', 'all', ', where: { firmware_version: 77 }'),
  ].join('')}
`
}
