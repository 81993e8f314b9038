/** What stands in for nginx where a machine has none: reads the addresses of its configuration and does what the rest of that says. */

import { readFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'

/** The command line of nginx: `-v`, or `-c FILE` among others. */
const file = process.argv[process.argv.indexOf('-c') + 1]
if (process.argv.includes('-v') || file === undefined) process.exit(0)

const text = readFileSync(file, 'utf8')
const port = Number(/listen 127\.0\.0\.1:(\d+);/.exec(text)?.[1])
const gates = Array.from(text.matchAll(/^\s*server 127\.0\.0\.1:(\d+)/gm), ([, gate]) =>
  Number(gate),
)
let turn = 0

/** @param tries how many gates have been asked for it in vain */
function pass(asked: IncomingMessage, answer: ServerResponse, first: number, tries = 0): void {
  const { method, url: path } = asked
  const headers = { ...asked.headers, 'x-forwarded-for': asked.socket.remoteAddress }
  delete headers.connection
  const port = gates[(first + tries) % gates.length]
  const mayTryNext = method === 'GET' && tries + 1 < gates.length
  const tryNext = () => pass(asked, answer, first, tries + 1)
  const options = { host: '127.0.0.1', port, agent: false, method, path, headers }
  const sent = request(options, (told) => {
    if (told.statusCode === 503 && mayTryNext) {
      told.resume()
      tryNext()
      return
    }
    const { connection: _, ...rest } = told.headers
    answer.writeHead(told.statusCode ?? 502, rest)
    told.on('error', () => answer.destroy()).pipe(answer)
  })
  sent.on('error', () => {
    if (answer.headersSent) answer.destroy()
    else if (mayTryNext) tryNext()
    else {
      const nobody = { error: 'server_error' }
      answer.writeHead(503, { 'retry-after': '1' }).end(JSON.stringify(nobody))
    }
  })
  answer.on('close', () => sent.destroy())
  asked.pipe(sent)
}

createServer((asked, answer) => pass(asked, answer, turn++)).listen(port, '127.0.0.1')
