/** Runs the command line of this checkout: as a person would, in a process of its own, or faster, in this one. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { run } from '../../src/cli/program.ts'
import { systemClock } from '../../src/domain/clock.ts'

const root = join(import.meta.dirname, '..', '..')
const main = join(root, 'src', 'main.ts')

export type Ran = { code: number | null; out: string; err: string }

export type CliOptions = {
  cwd?: string
  env?: Readonly<Record<string, string>>
  input?: string
  /** `npm`: by the script that the README names; then `cwd` is the checkout. */
  by?: 'node' | 'npm'
}

function start(args: readonly string[], { cwd = root, env = {}, by = 'node' }: CliOptions) {
  const [command, ...first] =
    by === 'node' ? [process.execPath, main] : ['npm', 'run', '-s', 'fleetgate', '--']
  return spawn(command, [...first, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', ...env },
  })
}

export async function fleetgate(args: readonly string[], options: CliOptions = {}): Promise<Ran> {
  const child = start(args, options)
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  child.stdin.end(options.input ?? '')
  const [code] = await once(child, 'close')
  return { code, out, err }
}

/** In this process: paths are relative to the checkout, and signals never come. */
export async function invoke(
  args: readonly string[],
  { env = {}, input = '' }: Omit<CliOptions, 'cwd'> = {},
): Promise<Ran> {
  let out = ''
  let err = ''
  const code = await run(args, {
    out: (text) => void (out += `${text}\n`),
    err: (text) => void (err += `${text}\n`),
    env,
    clock: systemClock,
    readStdin: () => Buffer.from(input),
    onSignal: () => undefined,
  })
  return { code, out, err }
}

export type Running = AsyncDisposable & {
  /** Waits for a line of standard output that the pattern matches. */
  line(pattern: RegExp): Promise<string>
  /** All lines of standard output so far, once one has come that the pattern matches. */
  all(pattern: RegExp): Promise<readonly string[]>
  /** As `line`, for standard error. */
  logged(pattern: RegExp): Promise<string>
  signal(name: NodeJS.Signals): void
  /** Resolves with the exit code. */
  ended(): Promise<number | null>
}

/** For commands that go on until they are told to stop. Killed where a test leaves it running. */
export function running(args: readonly string[], options: CliOptions = {}): Running {
  const child = start(args, options)
  const closed = once(child, 'close').then(([code]) => code)
  const out = follow(child.stdout)
  const err = follow(child.stderr)
  return {
    line: (pattern) => out.line(pattern),
    all: async (pattern) => {
      await out.line(pattern)
      return out.lines
    },
    logged: (pattern) => err.line(pattern),
    signal: (name) => void child.kill(name),
    ended: () => closed,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

/** Every line is kept, so that one that came before it was asked for is found too. */
function follow(stream: NodeJS.ReadableStream) {
  const lines: string[] = []
  let ended = false
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const check of waiting) check()
  }
  createInterface({ input: stream })
    .on('line', (line) => {
      lines.push(line)
      wake()
    })
    .on('close', () => {
      ended = true
      wake()
    })
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const found = lines.find((each) => pattern.test(each))
        if (found === undefined && !ended) return
        waiting.delete(check)
        if (found !== undefined) resolve(found)
        else reject(new Error(`no line matches ${pattern}:\n${lines.join('\n')}`))
      }
      waiting.add(check)
      check()
    })
  return { lines, line }
}
