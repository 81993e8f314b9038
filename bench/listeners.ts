/** Clients of event streams, in a process of their own: each checks that it hears all that is due to it, and nothing else. */

import { get } from 'node:http'
import { readFileSync } from 'node:fs'
import { percentiles } from './percentiles.ts'
import { serveParent } from './processes.ts'

/** `devices`: all whose events are due. */
type Wanted = {
  url: string
  token: string
  clients: number
  devices: readonly string[]
  direct: boolean
}

type Listener = {
  direct: boolean
  /** Number of the last event by device. */
  heard: Map<string, number>
  received: number
  outOfOrder: number
  foreign: number
  ended: boolean
}

/** Number, moment and device of an event. */
const pattern = /"data":"(\d+) (\d+)".*"coreid":"([0-9a-f]{24})"/

/** Milliseconds from publishing to hearing, of all clients of a kind. */
class Delays {
  #values = new Float64Array(1 << 16)
  #size = 0

  add(value: number): void {
    if (this.#size === this.#values.length) {
      const larger = new Float64Array(this.#size * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.#size] = value
    this.#size += 1
  }

  clear(): void {
    this.#size = 0
  }

  report() {
    return percentiles(this.#values.subarray(0, this.#size))
  }
}

const wanted: Wanted[] = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const gateDelays = new Delays()
const directDelays = new Delays()
const listeners: Listener[] = []
for (const each of wanted) {
  for (let i = 0; i < each.clients; i += 1) listeners.push(await listen(each))
}

process.once('SIGTERM', () => process.exit())
/** `reset`: begins to measure. `eventsPerDevice`: how many each device has published by now. */
await serveParent({ url: '' }, ({ reset, eventsPerDevice }) => {
  if (reset !== true) return report(Number(eventsPerDevice))
  gateDelays.clear()
  directDelays.clear()
  return {}
})

function report(eventsPerDevice: number) {
  const through = listeners.filter(({ direct }) => !direct)
  const sum = (of: (listener: Listener) => number) =>
    through.reduce((all, each) => all + of(each), 0)
  return {
    due: sum(({ heard }) => heard.size * eventsPerDevice),
    received: sum(({ received }) => received),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
    foreign: sum(({ foreign }) => foreign),
    unfinished: sum(
      ({ heard }) => [...heard.values()].filter((last) => last !== eventsPerDevice).length,
    ),
    ended: sum(({ ended }) => Number(ended)),
    direct: listeners.find(({ direct }) => direct)?.received ?? 0,
    delays: { gate: gateDelays.report(), direct: directDelays.report() },
  }
}

/** Resolves with the first bytes. */
function listen({ url, token, devices, direct }: Wanted): Promise<Listener> {
  const listener: Listener = {
    direct,
    heard: new Map(devices.map((id) => [id, 0])),
    received: 0,
    outOfOrder: 0,
    foreign: 0,
    ended: false,
  }
  const delays = direct ? directDelays : gateDelays
  const headers = { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`a stream was answered ${answer.statusCode}`))
      answer.setEncoding('utf8')
      let rest = ''
      answer.on('data', (text: string) => {
        resolve(listener)
        const at = Number(process.hrtime.bigint() / 1000n)
        const frames = (rest + text).split('\n\n')
        rest = frames.pop() ?? ''
        for (const frame of frames) hear(frame, at, listener, delays)
      })
      answer.on('close', () => {
        listener.ended = true
      })
      answer.on('error', () => undefined)
    }).on('error', reject)
  })
}

function hear(frame: string, at: number, listener: Listener, delays: Delays): void {
  const match = pattern.exec(frame)
  if (match === null) return
  const [, number, published, device = ''] = match
  const before = listener.heard.get(device)
  if (before === undefined) {
    listener.foreign += 1
    return
  }
  if (before + 1 !== Number(number)) listener.outOfOrder += 1
  listener.heard.set(device, Number(number))
  listener.received += 1
  delays.add((at - Number(published)) / 1000)
}
