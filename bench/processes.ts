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
  /** Tells it something, as a line of JSON, and reads the line of JSON it answers with. One at a time. */
  ask(message: unknown): Promise<Readonly<Record<string, unknown>>>
}

/** The first line on stdout is JSON with at least `url`. */
export async function startService(
  name: string,
  args: readonly string[],
  core: number,
): Promise<Service> {
  const [command = '', ...rest] = pinned(core, [process.execPath, ...args])
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const died = once(child, 'exit').then(() => {
    throw new Error(`${name} ended too early`)
  })
  died.catch(() => undefined)
  const nextLine = async () => {
    const [line]: unknown[] = await Promise.race([once(lines, 'line'), died])
    const said: unknown = JSON.parse(String(line))
    if (typeof said !== 'object' || said === null) throw new Error(`${name} said ${String(line)}`)
    return { ...said } as Readonly<Record<string, unknown>>
  }
  const ready = await nextLine()
  return {
    url: String(ready['url']),
    pid: child.pid ?? 0,
    ready,
    ask(message) {
      const answered = nextLine()
      child.stdin.write(`${JSON.stringify(message)}\n`)
      return answered
    },
    [Symbol.asyncDispose]: () => end(child),
  }
}

/** The other end: says it is ready, then answers each line that comes in. */
export async function serveParent(
  ready: Readonly<Record<string, unknown>>,
  answer: (message: Readonly<Record<string, unknown>>) => unknown,
): Promise<void> {
  const say = (said: unknown) => void process.stdout.write(`${JSON.stringify(said)}\n`)
  say(ready)
  for await (const line of createInterface({ input: process.stdin })) {
    const message: unknown = JSON.parse(line)
    say(await answer({ ...Object(message) }))
  }
  // The benchmark has gone.
  process.exit()
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
