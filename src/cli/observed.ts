/** `fleetgate observed`: who was observed, what each of them did, and the policy entry that an API user for it needs. */

import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { durationMs } from '../lib/shape.ts'
import { openCatalog } from '../open-parts.ts'
import { type ConfigOption, openOfflineConfig, withConfig } from './config-file.ts'
import { count, type Io, json, time, UsageError } from './io.ts'
import { type ObservedCaller, ObservedCallers } from './observed-callers.ts'
import { commentOf, entryOrComment, isNew, policyEntry } from './observed-policy.ts'

type Options = ConfigOption & { since?: string; json?: true }

const help = `
What it prints is a policy file: put it into the folder of the policies, fill in what says CHANGE-ME, and run
"fleetgate check". "fleetgate token adopt NAME" then makes the token a client uses already that API user's own.

Examples:
  fleetgate observed > observed.yaml
  fleetgate observed --since 7d --json`

export function addObserved(program: Command, io: Io): void {
  withConfig(program.command('observed'))
    .description('Who was observed, what they did, and the API users they would need')
    .option('--since <when>', 'only what is younger: 7d, 12h, or 2027-03-01')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action((options: Options) => observed(options, io))
}

async function observed(options: Options, io: Io): Promise<void> {
  const config = openOfflineConfig(options, io)
  const catalog = openCatalog(config)
  const sinceMs = options.since === undefined ? 0 : momentOf(options.since, io.clock.now())
  const callers = new ObservedCallers()
  const path = join(config.audit.folder, 'decisions.jsonl')
  if (!existsSync(path)) throw new UsageError(`${path} is not there; nothing was recorded yet`)
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity })
  for await (const line of lines) callers.read(line, sinceMs)

  const found = callers.all()
  if (options.json) {
    io.out(
      json(found.map((caller) => ({ ...plain(caller), policy: policyEntry(caller, catalog) }))),
    )
  } else if (found.length > 0) {
    const entries = found.map(
      (caller) => `${commentOf(caller)}\n${entryOrComment(caller, catalog)}`,
    )
    io.out(`${found.some(isNew) ? '' : '# '}users:\n${entries.join('\n\n')}`)
  }
  if (found.length === 0) io.err('Nobody was observed.')
  if (callers.left > 0) io.err(`${count(callers.left, 'request')} of further callers left out.`)
  if (callers.unread > 0) io.err(`${count(callers.unread, 'line')} could not be read.`)
  const { observeUntilMs } = config
  if (observeUntilMs !== undefined && io.clock.now() < observeUntilMs) {
    io.err(`Everybody is observed until ${time(observeUntilMs, '')}.`)
  }
}

function plain(caller: ObservedCaller) {
  const { actions, wouldDeny, impossible, addresses, agents, products, devices, ...rest } = caller
  return {
    ...rest,
    ...{ addresses: [...addresses], agents: [...agents] },
    ...{ products: [...products], devices: [...devices.values], manyDevices: devices.many },
    organizations: [...caller.organizations],
    actions: Object.fromEntries(
      [...actions].map(([name, { calls, fields, bare }]) => [
        name,
        {
          calls,
          fields: Object.fromEntries([...fields].map(([word, names]) => [word, [...names]])),
          withoutFields: [...bare],
        },
      ]),
    ),
    wouldDeny: Object.fromEntries(wouldDeny),
    impossible: Object.fromEntries(impossible),
  }
}

/** @throws UsageError */
function momentOf(since: string, nowMs: number): number {
  const span = durationMs().safeParse(since)
  if (span.success) return nowMs - span.data
  const atMs = /^\d{4}-\d\d-\d\d/.test(since) ? Date.parse(since) : Number.NaN
  if (!Number.isNaN(atMs)) return atMs
  throw new UsageError(
    `--since takes a duration such as 7d, or a date such as 2027-03-01; not "${since}"`,
  )
}
