/** An upstream on raw sockets that keeps every byte it gets and answers with scripted bytes. */

import { createServer, type AddressInfo, type Socket } from 'node:net'

/** One connection as the upstream saw it. */
export type SeenConnection = {
  /** Everything received, as latin1 text: one character a byte. */
  text: string
  closed: boolean
  /** Whole request heads seen since the last `clear`. */
  heads: number
  socket: Socket
}

/** Called with each piece received; writes raw bytes to the socket. */
export type Script = (connection: SeenConnection, requests: number) => void

export type RecordingUpstream = AsyncDisposable & {
  readonly url: string
  readonly port: number
  readonly connections: SeenConnection[]
  /** All bytes of all connections. */
  seen(): string
  clear(): void
  use(script: Script): void
  /** Answers every whole request head with these bytes (the body may still be on its way). */
  answerWith(bytes: string | Buffer): void
}

export async function startRecordingUpstream(): Promise<RecordingUpstream> {
  let script: Script = () => {}
  let connections: SeenConnection[] = []
  const server = createServer((socket) => {
    const connection: SeenConnection = { text: '', closed: false, heads: 0, socket }
    connections.push(connection)
    socket.on('data', (chunk: Buffer) => {
      connection.text += chunk.toString('latin1')
      // A large body is not searched again and again.
      if (connection.text.length > 200_000 && connection.heads > 0) return
      const found = countHeads(connection.text)
      if (found === connection.heads) return
      connection.heads = found
      script(connection, found)
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      connection.closed = true
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get connections() {
      return connections
    },
    seen: () => connections.map((connection) => connection.text).join(''),
    clear() {
      connections = connections.filter((connection) => !connection.closed)
      for (const connection of connections) {
        connection.text = ''
        connection.heads = 0
      }
    },
    use(next) {
      script = next
    },
    answerWith(bytes) {
      script = ({ socket }) => socket.write(bytes)
    },
    async [Symbol.asyncDispose]() {
      for (const { socket } of connections) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

function countHeads(text: string): number {
  return text.split(/^(?:GET|HEAD|POST|PUT|PATCH|DELETE) [^\r\n]* HTTP\/1\.1\r$/m).length - 1
}

/** A whole answer with its length. */
export function rawAnswer(
  status: number,
  body: string,
  headers: Record<string, string> = {},
): string {
  const lines = Object.entries({ 'Content-Type': 'application/json', ...headers })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const length = Buffer.byteLength(body)
  return `HTTP/1.1 ${status} Whatever\r\n${head}Content-Length: ${length}\r\n\r\n${body}`
}

/** Resolves when the check holds; rejects after `withinMs`, which by itself only ends what would never happen. */
export async function until(check: () => boolean, withinMs = 15_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!check()) {
    if (performance.now() > end)
      throw new Error(`did not happen within ${withinMs} ms: ${check.toString()}`)
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
}
