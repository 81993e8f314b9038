/** The command line of the example API: prints where it listens and the token it takes. */

import { parseArgs } from 'node:util'
import { startOwnApi } from './own-api.ts'

const { values } = parseArgs({
  options: { port: { type: 'string', default: '9100' }, token: { type: 'string' } },
})
const port = Number(values.port)
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  process.stderr.write(`--port must be a port number, not ${values.port}\n`)
  process.exit(2)
}
const api = await startOwnApi({
  port,
  ...(values.token !== undefined && { token: values.token }),
})
process.stdout.write(`own-api listens on ${api.url}\ntoken ${api.token}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void api.close())
