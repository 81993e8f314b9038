/** Writes every change of tokens, API users and operators into this gate's audit log, whoever made it and whenever. */

import type { AuditLog } from './audit/audit-log.ts'
import type { Mark, MarkFile } from './audit/mark.ts'
import { clip } from './audit/text.ts'
import type { ChangeFeed, ChangeHistory, KeptChange } from './store/changes.ts'

export type RecordChangesParts = {
  changes: Pick<ChangeFeed, 'onChange'>
  history: ChangeHistory
  audit: Pick<AuditLog, 'event' | 'flush'>
  mark: MarkFile
  /** Records that go to the disk together: no more than find room in the log's queue. */
  atOnce: number
  /** Changes could not be written down now; they are at the next look, or at the next start. */
  onFault: (error: unknown) => void
}

export type ChangeRecorder = AsyncDisposable & {
  /** Tries again what failed before; else nothing. */
  again(): void
}

/** What lies further back is said to be missing: the log must not be filled by one start. */
const mostKept = 10_000
const maxText = 1_000

/**
 * Resolves when the log has all that was changed while no gate was there to see it.
 * @throws whatever store, log or disk throws
 */
export async function recordChanges(parts: RecordChangesParts): Promise<ChangeRecorder> {
  const { changes, history, audit, onFault } = parts
  /** The last change that the log has accepted, and the last that the mark on the disk says. */
  let accepted: Mark = (await parts.mark.read()) ?? { seq: 0, atMs: undefined }
  let kept = accepted.seq
  let running: Promise<void> | undefined
  let wanted = false
  let failed = false

  /** False: there is more. */
  async function takeSome(): Promise<boolean> {
    const { seq, atMs } = accepted
    // With the last known one, which tells whether this is still the same history.
    const page = await history.after(Math.max(0, seq - 1), parts.atOnce + 1)
    const again = page.changes.find((change) => change.seq === seq)
    const same = atMs === undefined || again?.atMs === atMs
    if (page.lastSeq < seq || (page.prunedSeq < seq && !same)) {
      take('unknown', { after: seq, because: 'the store has another history' })
      accepted = { seq: 0, atMs: undefined }
      return false
    }
    const from = Math.max(seq, page.prunedSeq, page.lastSeq - mostKept)
    if (from > seq) {
      take('unknown', { after: seq, until: from, because: 'they are too many or too long ago' })
      accepted = { seq: from, atMs: undefined }
      return false
    }
    const fresh = page.changes.filter((change) => change.seq > seq)
    for (const change of fresh) {
      take(change.kind, fieldsOf(change))
      accepted = { seq: change.seq, atMs: change.atMs }
    }
    await keep()
    return fresh.length < parts.atOnce
  }

  function take(change: string, fields: Readonly<Record<string, unknown>>): void {
    if (!audit.event('store_changed', { ...fields, change })) {
      throw new Error('the audit log has no room for changes of the store')
    }
  }

  /** First the records, then the mark: a change may stand in the log twice, and is never left out. */
  async function keep(): Promise<void> {
    if (kept === accepted.seq) return
    const mark = accepted
    await audit.flush()
    await parts.mark.write(mark)
    kept = mark.seq
  }

  async function takeAll(): Promise<void> {
    try {
      do {
        wanted = false
        // oxlint-disable-next-line no-await-in-loop -- each goes on where the one before ended
        while (!(await takeSome())) continue
      } while (wanted)
    } finally {
      // In the turn in which it ends: who wants more after that begins anew.
      running = undefined
    }
  }

  /** One at a time; what is changed meanwhile is taken too. */
  function run(): Promise<void> {
    wanted = true
    running ??= takeAll()
    return running
  }

  function look(): void {
    run().then(
      () => void (failed = false),
      (error: unknown) => {
        if (!failed) onFault(error)
        failed = true
      },
    )
  }

  const listening = changes.onChange(look)
  try {
    await run()
  } catch (error) {
    listening[Symbol.dispose]()
    throw error
  }
  return {
    again() {
      if (failed) look()
    },
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      // What others changed since the last look: nobody is here to see it for a while.
      await run().catch(onFault)
    },
  }
}

function fieldsOf({ seq, atMs, user, by, detail }: KeptChange): Record<string, unknown> {
  return { ...masked(detail), seq, at: new Date(atMs).toISOString(), user, by }
}

/** An operator's own words are among them: bounded, and whatever looks like a token is masked. */
function masked(detail: KeptChange['detail']): Record<string, unknown> {
  const json = JSON.stringify(detail ?? {}, (_, value: unknown) =>
    typeof value === 'string' ? clip(value, maxText) : value,
  )
  const copy: unknown = JSON.parse(json)
  return typeof copy === 'object' && copy !== null ? { ...copy } : {}
}
