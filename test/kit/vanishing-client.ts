/** A client of an event stream that is gone without a word: from then on its system answers nothing that comes for it. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { endianness } from 'node:os'
import { fileURLToPath } from 'node:url'

export type VanishingClient = AsyncDisposable & {
  /** Resolves when every packet to it is dropped. The connection stays as it is. */
  vanish(): Promise<void>
}

/** Linux. Resolves when the stream is open. */
export async function startVanishingClient(
  port: number,
  path: string,
  token: string,
): Promise<VanishingClient> {
  const child = fork(fileURLToPath(import.meta.url), [String(port), path], {
    execPath: process.execPath,
    execArgv: ['--experimental-ffi', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const said = async (word: string) => {
    const first: unknown[] | undefined = await Promise.race([
      once(child, 'message'),
      exited.then(() => undefined),
    ])
    if (first?.[0] !== word) throw new Error(`the client could not do it: ${String(first?.[0])}`)
  }
  // Not an argument: those are for everybody to see.
  child.send(token)
  await said('open')
  return {
    async vanish() {
      child.send('vanish')
      await said('vanished')
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** A filter of the kernel's (socket(7), SO_ATTACH_FILTER) whose one instruction lets no byte of any packet through. */
async function dropEverything(fd: number): Promise<void> {
  const { dlopen, getRawPointer } = await import('node:ffi')
  const little = endianness() === 'LE'
  const instruction = Buffer.alloc(8)
  const put = little ? 'writeUInt16LE' : 'writeUInt16BE'
  instruction[put](0x06, 0)
  const program = Buffer.alloc(16)
  program[put](1, 0)
  const address = getRawPointer(instruction)
  if (little) program.writeBigUInt64LE(address, 8)
  else program.writeBigUInt64BE(address, 8)
  const [solSocket, attachFilter] = [1, 26]
  using libc = dlopen('libc.so.6', {
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'pointer', 'uint32'], return: 'int32' },
  })
  const { setsockopt } = libc.functions
  const failed = setsockopt(fd, solSocket, attachFilter, getRawPointer(program), program.length)
  if (failed !== 0) throw new Error('setsockopt failed')
}

function fdOf(socket: object): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : -1
  return Number(fd)
}

const [, program, port, path] = process.argv
if (program === fileURLToPath(import.meta.url) && path !== undefined) {
  const [token]: unknown[] = await once(process, 'message')
  process.on('disconnect', () => process.exit())
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', (error) => process.send?.(String(error)))
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${String(token)}\r\n\r\n`,
  )
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    const before = text.includes(':ok\n\n')
    text += chunk.toString('latin1')
    if (!before && text.includes(':ok\n\n')) process.send?.('open')
  })
  await once(process, 'message')
  try {
    await dropEverything(fdOf(socket))
    process.send?.('vanished')
  } catch (error) {
    process.send?.(String(error))
  }
}
