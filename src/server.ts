/** The composition root: configuration in, everything built and started, and disposed of in reverse. */

import { randomBytes } from 'node:crypto'
import type { OpenAuditFile } from './audit/file.ts'
import type { OpenedAuditLog } from './audit/log.ts'
import { auditDefaults, openAuditLog } from './audit/log.ts'
import { createMarkFile } from './audit/mark.ts'
import type { Config } from './config/config.ts'
import { credentialMistakes } from './credential-places.ts'
import type { Clock } from './domain/clock.ts'
import { every } from './lib/every.ts'
import type { Log } from './lib/log.ts'
import { Mistakes } from './lib/mistake.ts'
import { createSeldom } from './lib/seldom.ts'
import { listen, type Listening } from './listen.ts'
import type { AdminPortParts } from './open-admin-port.ts'
import { openDataPort } from './open-data-port.ts'
import { openParts, openStore, openTokens } from './open-parts.ts'
import { createPolicyEngine } from './policy/engine.ts'
import { keepPolicies } from './policy-keeper.ts'
import { recordChanges } from './record-changes.ts'
import { joinReplicas } from './replica.ts'
import { createAccounts } from './settle-accounts.ts'
import { lockFolder } from './store/sqlite/folder-lock.ts'
import { warnOfEnds } from './warn-of-ends.ts'

export type Gate = AsyncDisposable & {
  /** `http://HOST:PORT`, or `unix:PATH`. */
  url: string
  /** The same of the admin port; absent: there is none. */
  adminUrl: string | undefined
  auditPaths: OpenedAuditLog['paths']
  /** Resolves when the policy set was loaded again, or was refused and the old one stays. */
  reload(): Promise<void>
}

export type Surroundings = {
  clock: Clock
  log: Log
  /** How audit files are opened; absent: as plain files. */
  openAuditFile?: OpenAuditFile
}

/** Changes of the store that are written down together. */
const changesAtOnce = 500

/** @throws Mistakes, AuditUnusable, StoreUnusable, StoreUnavailable, MassRevocation: each says what to do, and nothing is left running. */
export async function startGate(config: Config, around: Surroundings): Promise<Gate> {
  const { clock, log } = around
  await using stack = new AsyncDisposableStack()
  const boot = randomBytes(6).toString('hex')
  const by = `gate:${config.replica}`
  const { catalog, set } = openParts(config)
  const wrong = credentialMistakes(config, catalog)
  if (wrong.length > 0) throw new Mistakes(wrong)
  const audit = stack.use(await openAudit(config, around, boot))
  const policy = createPolicyEngine({ catalog, set, cacheSize: config.tokens.cacheSize })
  const seldom = createSeldom(clock, 1_000)
  const onStoreFault = (error: unknown) =>
    seldom('store', (skipped) => log.error('the store does not answer', { error, skipped }))
  const store = stack.use(await openStore(config, clock, onStoreFault))
  const recorder = stack.use(
    await recordChanges({
      ...{ changes: store.changes, history: store.history, audit },
      mark: createMarkFile(config.audit.folder),
      atOnce: Math.min(changesAtOnce, config.audit.queueRecords),
      onFault: (error) =>
        log.error('changes of the store are not in the audit log yet; they are tried again', {
          error,
        }),
    }),
  )
  const tokens = stack.use(
    openTokens(config, store, clock, {
      today: (user, stored) => policy.user(user, stored),
      onFlushFailure: (error) => log.error('last uses could not be written', { error }),
    }),
  )
  const replica = stack.use(
    await joinReplicas({
      ...{ store, clock, boot, name: config.replica, onFault: onStoreFault },
      policies: () => policy.set,
    }),
  )
  const accounts = stack.use(
    createAccounts({
      ...{ config, policy, store, tokens, audit, clock, log, by },
      isAgreed: (revision) => replica.isAgreed(revision),
    }),
  )
  const keeper = stack.use(
    await keepPolicies({ config, catalog, policy, accounts, audit, clock, log }),
  )
  const parts = { config, catalog, policy, store, tokens, audit, clock, log }
  const counts = await store.counts.list(config.replica, clock.now())
  if (counts.length > 0) log.info('limits are counted on from before', { limits: counts.length })
  const data = openDataPort({ ...parts, counts }, stack)
  replica.follow((live) => {
    data.share(live.length)
    lookForChanges()
    accounts.again().catch(onStoreFault)
  })
  /** A gate that nobody asks anything learns of a change all the same. */
  function lookForChanges(): void {
    try {
      store.changes.look()
      recorder.again()
    } catch (error) {
      onStoreFault(error)
    }
  }
  const admin = await listenForOperators({
    ...parts,
    data,
    replica: { name: config.replica, boot },
  })
  if (admin !== undefined) stack.use(admin)
  const listening = stack.use(
    await listen(data.server, config.listen.data, config.timeouts.shutdownMs, 'listen.data'),
  )
  // First of all: the listener waits for answers under way, and a stream has no end of its own.
  stack.defer(() => data.streams[Symbol.dispose]())
  stack.defer(() => data.observing[Symbol.dispose]())
  stack.use(
    warnOfEnds({
      ...{ tokens, clock, log, every, warnBeforeMs: config.tokens.warnBeforeMs },
      onFault: onStoreFault,
    }),
  )
  log.info('serving', { url: listening.url, revision: policy.revision, pid: process.pid })
  const disposables = stack.move()
  return {
    url: listening.url,
    adminUrl: admin?.url,
    auditPaths: audit.paths,
    reload: () => keeper.reload(),
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  }
}

async function listenForOperators(parts: AdminPortParts): Promise<Listening | undefined> {
  const { listen: addresses, timeouts } = parts.config
  if (addresses.admin === undefined) return undefined
  // Only now, so that a gate without it does not carry it in memory.
  const { openAdminPort } = await import('./open-admin-port.ts')
  return listen(await openAdminPort(parts), addresses.admin, timeouts.shutdownMs, 'listen.admin')
}

function openAudit(
  { audit, replica }: Config,
  { clock, log, openAuditFile }: Surroundings,
  boot: string,
): Promise<OpenedAuditLog> {
  return openAuditLog({
    folder: audit.folder,
    stream: replica,
    boot,
    clock,
    limits: {
      queueRecords: audit.queueRecords,
      queueBytes: audit.queueBytes,
      waitMs: audit.waitMs,
      lingerMs: auditDefaults.limits.lingerMs,
    },
    rejects: { ...auditDefaults.rejects, maxBytes: audit.rejectBytes },
    checkMs: auditDefaults.checkMs,
    log,
    hold: (folder) => lockFolder(folder, { name: replica, nowMs: clock.now() }),
    ...(openAuditFile !== undefined && { openFile: openAuditFile }),
  })
}
