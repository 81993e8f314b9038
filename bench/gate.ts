/** The gate with everything on, as the benchmark runs it: audit `written`, and an API user for each that the policies name. */

import { startTestGate } from '../test/kit/start-gate.ts'
import { readGateArgument } from './gate-argument.ts'

const { upstream, policies, config, mint = 'all' } = readGateArgument(process.argv[2] ?? '')
const gate = await startTestGate({
  upstream: { url: upstream.url, token: upstream.token ?? 'benchmark-upstream-credential' },
  policies: { 'users.yaml': policies },
  // What is measured is the gate, not the cloud's patience.
  quota: '{ calls: 1000000, per: 1s }',
  ...(config !== undefined && { config }),
  ...(mint === 'none' && { mint: [] }),
})
process.stdout.write(`${JSON.stringify({ url: gate.url, tokens: gate.tokens })}\n`)
const stop = () => void gate[Symbol.asyncDispose]().then(() => process.exit())
process.once('SIGTERM', stop)
process.stdin.resume().once('end', stop)
