/** One round of load on one address: wrk where it is installed, a loop of our own otherwise. */

import { spawn } from 'node:child_process'
import { Agent, request } from 'node:http'
import { has, pinned } from './processes.ts'

export type Load = {
  url: string
  token: string
  connections: number
  seconds: number
  core: number
}

export type Round = {
  requests: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** Answers that were not 2xx, and connections that broke. */
  failures: number
}

export async function applyLoad(load: Load): Promise<Round> {
  return has('wrk') ? wrk(load) : loop(load)
}

async function wrk({ url, token, connections, seconds, core }: Load): Promise<Round> {
  const [command = '', ...rest] = pinned(core, [
    ...['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency'],
    ...['-H', `Authorization: Bearer ${token}`, url],
  ])
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout) text += String(chunk)
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0)
  return {
    requests: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50Ms: milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(text)),
    p99Ms: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    failures:
      number(/Non-2xx or 3xx responses: (\d+)/) +
      number(/connect (\d+)/) +
      number(/read (\d+)/) +
      number(/timeout (\d+)/),
  }
}

function milliseconds(match: RegExpExecArray | null): number {
  const unit = match?.[2]
  return Number(match?.[1] ?? 0) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}

async function loop({ url, token, connections, seconds }: Load): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  let failures = 0
  const startedAt = performance.now()
  const endsAt = startedAt + seconds * 1000
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() < endsAt) {
        const sentAt = performance.now()
        if (!(await once(url, token, agent))) failures += 1
        latencies.push(performance.now() - sentAt)
      }
    }),
  )
  agent.destroy()
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
  return {
    requests: latencies.length,
    perSecond: latencies.length / ((performance.now() - startedAt) / 1000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failures,
  }
}

function once(url: string, token: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(
      url,
      { agent, headers: { authorization: `Bearer ${token}` } },
      (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode === 200))
      },
    )
    call.on('error', () => resolve(false)).end()
  })
}
