/** Child processes of a benchmark: started, pinned to a core where the machine can, measured, and ended. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export type Service = AsyncDisposable & {
  url: string
  pid: number
  /** Everything the process said about itself when it was ready. */
  ready: Readonly<Record<string, unknown>>
}

/** The first line on stdout is JSON with at least `url`. */
export async function startService(
  name: string,
  args: readonly string[],
  core: number,
): Promise<Service> {
  const [command = '', ...rest] = pinned(core, [process.execPath, ...args])
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const died = once(child, 'exit').then(() => {
    throw new Error(`${name} ended before it was ready`)
  })
  const line = await Promise.race([once(lines, 'line'), died])
  const ready: unknown = JSON.parse(String(line[0]))
  if (typeof ready !== 'object' || ready === null || !('url' in ready)) {
    throw new Error(`${name} did not say where it listens`)
  }
  died.catch(() => undefined)
  return {
    url: String(ready.url),
    pid: child.pid ?? 0,
    ready: { ...ready },
    [Symbol.asyncDispose]: () => end(child),
  }
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}

/** Both proxies on one core, load and upstream on the other: what is compared is work per core. */
export function pinned(core: number, command: readonly string[]): string[] {
  return canPin ? ['taskset', '-c', String(core), ...command] : [...command]
}

const canPin = spawnSync('taskset', ['-c', '0,1', 'true']).status === 0

export function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

/** CPU milliseconds used so far; `undefined` where the system does not tell. */
export function cpuMs(pid: number): number | undefined {
  const fields = proc(pid, 'stat')?.split(') ')[1]?.split(' ')
  if (fields === undefined) return undefined
  // Fields 14 and 15 of proc(5), in clock ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Resident megabytes. */
export function residentMb(pid: number): number | undefined {
  const line = /VmRSS:\s+(\d+) kB/.exec(proc(pid, 'status') ?? '')
  return line === null ? undefined : Number(line[1]) / 1024
}

function proc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}
