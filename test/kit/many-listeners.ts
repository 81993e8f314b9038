/** A process that opens many event streams at once and reads them, so that it can be killed with all of them open. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'

export type Listeners = AsyncDisposable & {
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
}

/** Resolves when all of them have got their first bytes. */
export async function startListeners(
  port: number,
  path: string,
  token: string,
  count: number,
): Promise<Listeners> {
  const child = fork(fileURLToPath(import.meta.url), [String(port), path, String(count)], {
    execPath: process.execPath,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  // Not an argument: those are for everybody to see.
  child.send(token)
  const first: unknown[] | undefined = await Promise.race([
    once(child, 'message'),
    exited.then(() => undefined),
  ])
  if (first?.[0] !== 'ready')
    throw new Error(`the listeners could not listen: ${String(first?.[0])}`)
  return { kill, [Symbol.asyncDispose]: kill }
}

async function open(port: number, path: string, token: string, count: number): Promise<void> {
  const request = `GET ${path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${token}\r\n\r\n`
  await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => void socket.write(request))
          let text = ''
          socket.on('error', reject).on('data', (chunk: Buffer) => {
            text = (text + chunk.toString('latin1')).slice(0, 2000)
            if (text.includes(':ok\n\n')) resolve()
            else if (!text.startsWith('HTTP/1.1 200')) reject(new Error(text))
          })
        }),
    ),
  )
}

const [, program, port, path, count] = process.argv
if (program === fileURLToPath(import.meta.url) && path !== undefined) {
  const [token]: unknown[] = await once(process, 'message')
  process.on('disconnect', () => process.exit())
  try {
    await open(Number(port), path, String(token), Number(count))
    process.send?.('ready')
  } catch (error) {
    process.send?.(String(error))
  }
}
