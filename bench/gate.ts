/** The gate with everything on, as the benchmark runs it: one API user limited to one device, audit `written`. */

import { startTestGate } from '../test/kit/start-gate.ts'

const [upstream = '', product = '12345', device = ''] = process.argv.slice(2)
const gate = await startTestGate({
  upstream: { url: upstream, token: 'benchmark-upstream-credential' },
  policies: {
    'users.yaml': `
users:
  bench:
    owner: bench@acme.example
    product: ${product}
    devices: { ids: [${device}] }
    rules:
      - can: devices.variable:get
        variables: [temperature]
    expires: never
`,
  },
})
process.stdout.write(`${JSON.stringify({ url: gate.url, token: gate.tokens['bench'] })}\n`)
process.once('SIGTERM', () => void gate[Symbol.asyncDispose]())
