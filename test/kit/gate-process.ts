/** A gate in a process of its own, so that it can be killed and measured: run as a program, or started from a test. */

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { Mistakes } from '../../src/lib/mistake.ts'
import { startGate } from '../../src/server.ts'
import { collect } from './held-memory.ts'

export type GateProcess = AsyncDisposable & {
  port: number
  /** Resident bytes of the process right now. */
  residentBytes(): Promise<number>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
}

/** @param configFile of an absolute path; its folder is the gate's */
export async function startGateProcess(configFile: string): Promise<GateProcess> {
  const child = fork(fileURLToPath(import.meta.url), [configFile], {
    execPath: process.execPath,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  const first = await Promise.race([messageOf(child), exited.then(() => undefined)])
  if (first === undefined) throw new Error('the gate ended before it listened')
  return {
    port: first,
    async residentBytes() {
      const answer = messageOf(child)
      child.send('resident')
      return answer
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

async function messageOf(child: ChildProcess): Promise<number> {
  const [message]: unknown[] = await once(child, 'message')
  return Number(message)
}

async function serve(configFile: string): Promise<void> {
  const loaded = loadConfig(readFileSync(configFile, 'utf8'), configFile, {})
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  const log = createLog({ write: () => undefined, clock: systemClock })
  const gate = await startGate(loaded.config, { clock: systemClock, log })
  process.on('message', () => {
    collect()
    process.send?.(process.memoryUsage.rss())
  })
  process.on('disconnect', () => process.exit())
  process.send?.(Number(new URL(gate.url).port))
}

const [, program, configFile] = process.argv
if (program === fileURLToPath(import.meta.url) && configFile !== undefined) await serve(configFile)
