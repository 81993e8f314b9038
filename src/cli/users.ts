/** `fleetgate users`: who there is, what each may do, and whom to stop for now. */

import type { Command } from 'commander'
import type { OfflineConfig } from '../config/config.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import {
  isStoreThere,
  type Ledger,
  openAccounts,
  openLedger,
  openPolicy,
  userNamed,
} from './accounts.ts'
import { author } from './author.ts'
import { type ConfigOption, openOfflineConfig, withConfig } from './config-file.ts'
import { Finding, type Io, json, table, time, UsageError } from './io.ts'
import { listUsers, lookAtUser } from './user-list.ts'
import { cellsOf, detailsOf, lineHead, lineOf } from './user-text.ts'

type Options = ConfigOption & { json?: true }

export function addUsers(program: Command, io: Io): void {
  const users = program
    .command('users')
    .description('The API users of the policy files and of the store')

  withConfig(users.command('list'))
    .description('All API users: boundary, devices, expiry, token, and what is not as usual')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  fleetgate users list')
    .action((options: Options) => list(options, io))

  withConfig(users.command('show <name>'))
    .description('One API user: everything its grant says, rule by rule, with file and line')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  fleetgate users show acme-technician')
    .action((name: string, options: Options) => show(name, options, io))

  withConfig(users.command('suspend <name>'))
    .description('Refuse an API user everything from its next request on, until it is resumed')
    .requiredOption('--because <text>', 'why; whoever looks at it is told')
    .addHelpText(
      'after',
      '\nExample:\n  fleetgate users suspend acme-technician --because "laptop lost, ticket 4711"',
    )
    .action((name: string, options: ConfigOption & { because: string }) =>
      suspend(name, options, io),
    )

  withConfig(users.command('resume <name>'))
    .description('End the suspension of an API user; its token is as it was')
    .addHelpText('after', '\nExample:\n  fleetgate users resume acme-technician')
    .action(async (name: string, options: ConfigOption) => {
      await using ledger = await openLedger(openOfflineConfig(options, io), io.clock)
      if (!(await ledger.store.users.resume(name, io.clock.now(), author()))) {
        io.err(`${name} is not suspended.`)
        throw new Finding()
      }
      io.err(`${name} is no longer suspended.`)
    })
}

async function list(options: Options, io: Io): Promise<void> {
  const config = openOfflineConfig(options, io)
  await looking(config, io, async (policy, ledger) => {
    const moment = { nowMs: io.clock.now(), warnBeforeMs: config.tokens.warnBeforeMs }
    const all = await listUsers(policy, ledger)
    if (options.json) {
      io.out(json(all.map((one) => ({ ...lineOf(one, moment), heldBack: one.heldBack }))))
      return
    }
    io.out(
      table(
        lineHead,
        all.map((one) => cellsOf(lineOf(one, moment))),
      ),
    )
    sayObserved(config, io)
  })
}

async function show(name: string, options: Options, io: Io): Promise<void> {
  const config = openOfflineConfig(options, io)
  await looking(config, io, async (policy, ledger) => {
    const found = await userNamed(name, policy, ledger?.store)
    const shown = await lookAtUser(found, policy, ledger)
    const moment = { nowMs: io.clock.now(), warnBeforeMs: config.tokens.warnBeforeMs }
    const line = lineOf(shown, moment)
    const { grantHash, grant } = found.user
    const { heldBack, suspended } = shown
    if (options.json) io.out(json({ ...line, suspended, heldBack, grantHash, grant }))
    else io.out(detailsOf(shown, line))
    sayObserved(config, io)
  })
}

/** Looking at users creates no store where there is none. */
async function looking(
  config: OfflineConfig,
  io: Io,
  look: (policy: PolicyEngine, ledger: Ledger | undefined) => Promise<void>,
): Promise<void> {
  if (!isStoreThere(config)) return look(openPolicy(config), undefined)
  await using accounts = await openAccounts(config, io.clock)
  return await look(accounts.policy, accounts)
}

/** Never silently: while all are observed, nothing that a list shows is enforced. */
function sayObserved({ observeUntilMs }: OfflineConfig, io: Io): void {
  if (observeUntilMs === undefined || io.clock.now() >= observeUntilMs) return
  io.err(`Everybody is observed until ${time(observeUntilMs, '')}: nobody is refused anything.`)
}

async function suspend(
  name: string,
  { because, ...options }: ConfigOption & { because: string },
  io: Io,
): Promise<void> {
  if (!/^[^\p{Cc}]{1,300}$/u.test(because) || because.trim() === '') {
    throw new UsageError('--because takes one line of at most 300 characters')
  }
  const config = openOfflineConfig(options, io)
  await using ledger = await openLedger(config, io.clock)
  // Whom the store knows can be stopped in whatever state the policy files are.
  if (!(await isHeldInStore(name, ledger))) {
    await userNamed(name, openPolicy(config), ledger.store)
  }
  await ledger.store.users.suspend(name, because, io.clock.now(), author())
  io.err(
    `${name} is suspended: it is refused from its next request on, and its open streams end. "users resume" lets it in again.`,
  )
}

async function isHeldInStore(name: string, { store }: Ledger): Promise<boolean> {
  if ((await store.tokens.live(name)) !== undefined) return true
  return (await store.users.get(name))?.stored !== undefined
}
