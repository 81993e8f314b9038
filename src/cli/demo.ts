/** `fleetgate demo`: the gate at work in front of a simulated cloud, with calls to paste. */

import { type Command, InvalidArgumentError } from 'commander'
import { createLog } from '../lib/log.ts'
import { curlLine, demoCalls, demoOperatorCalls, demoSights } from './demo-calls.ts'
import type { DemoGate } from './demo-gate.ts'
import { type Io, stopSignal } from './io.ts'

const help = `
Starts a simulated device cloud and a gate in front of it, with the example policies and a token for each of their API
users. Everything else lies in a temporary folder, which is removed at the end. Edit the policies while it runs: a change is in
force at once.

Examples:
  fleetgate demo
  fleetgate demo --json --port 0      one line of JSON when all is ready, for scripts`

type Options = { port?: number; json?: true }

export function addDemo(program: Command, io: Io): void {
  program
    .command('demo')
    .description('Try it: a simulated cloud, a gate, and calls to paste')
    .option(
      '-p, --port <number>',
      'where the gate listens; 0 takes any (8080, or any if that is taken)',
      portOf,
    )
    .option('--json', 'print one line of JSON instead')
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const log = createLog({ write: (line) => io.err(line.trimEnd()), clock: io.clock })
      const stopped = stopSignal(io)
      // Only now, so that the other commands start without the whole of it.
      const { startDemo } = await import('./demo-gate.ts')
      await using demo = await startDemo({
        port: options.port,
        clock: io.clock,
        log: { ...log, info: () => undefined },
      })
      io.onSignal('SIGHUP', () => {
        demo.reload().catch((error: unknown) => log.error('the reload failed', { error }))
      })
      io.out(options.json ? readyLine(demo) : introduction(demo))
      await stopped
    })
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw new InvalidArgumentError('It must be a number from 0 to 65535.')
}

function readyLine(demo: DemoGate): string {
  const { gate, cloud, admin, audit, upstreamToken, operator, users, devices } = demo
  const { decisions, rejects } = audit
  return JSON.stringify({
    gate,
    cloud,
    admin,
    audit: decisions,
    rejects,
    upstreamToken,
    operator,
    users,
    devices,
  })
}

function introduction(demo: DemoGate): string {
  const lines = [
    `The gate      ${demo.gate}`,
    `The admin     ${demo.admin}  (for operators; what it can do: ${demo.admin}/openapi.json)`,
    `The cloud     ${demo.cloud}  (simulated; what reached it: ${demo.cloud}/_simulator/requests)`,
    `The policies  ${demo.policies}  (edit them: a change is in force at once)`,
    `The audit     ${demo.audit.decisions}`,
    '',
    'Paste these into another terminal. Ctrl-C ends the demo and removes what it wrote.',
  ]
  for (const [user, token] of Object.entries(demo.users)) {
    const pair = demoCalls[user]
    if (pair === undefined) continue
    lines.push('', user)
    lines.push(`# allowed: ${pair.allowed.says}`, curlLine(demo.gate, token, pair.allowed))
    lines.push(`# denied: ${pair.denied.says}`, curlLine(demo.gate, token, pair.denied))
  }
  lines.push('', 'An operator')
  for (const { says, path } of demoOperatorCalls) {
    lines.push(`# ${says}`, curlLine(demo.admin, demo.operator, { method: 'GET', path }))
  }
  for (const { says, path, live, seen } of demoSights) {
    lines.push('', says)
    for (const { user, says: what } of seen) {
      const token = demo.users[user]
      if (token === undefined) continue
      const show = live ? 'as it comes' : 'at the end'
      lines.push(`# ${user} ${what}`, curlLine(demo.gate, token, { method: 'GET', path }, show))
    }
  }
  return lines.join('\n')
}
