/** The gate as it is published: built, and started by its own command in a process of its own. */

import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { program } from './paths.ts'
import { end, pinned } from './processes.ts'

const root = program('..')
const main = program('../dist/src/main.js')

/** Into `dist`, as `npm pack` does. */
export function build(): void {
  const { status } = spawnSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('the build failed')
}

export function mintToken(configFile: string, user: string): string {
  const args = [main, 'token', 'mint', user, '--config', configFile]
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`no token could be minted for ${user}`)
  return stdout.trim()
}

/** Resolves when the gate says that it serves. */
export async function serve(
  configFile: string,
  core: number,
): Promise<AsyncDisposable & { url: string; pid: number }> {
  const args = [process.execPath, main, 'serve', '--config', configFile]
  const [command = '', ...rest] = pinned(core, args)
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  child.stderr.on('data', (chunk) => (log += chunk))
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^fleetgate serves (\S+)/.exec(line)?.[1]
    if (url === undefined) continue
    return { url, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => end(child) }
  }
  throw new Error(`the gate ended before it served: ${log}`)
}
