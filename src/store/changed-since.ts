/** Which API users were changed since a moment, as the change feed tells: until then what is in memory is true. */

import type { Change, ChangeFeed } from './changes.ts'

export type ChangedSince = Disposable & {
  /** The moment, as a number that grows with every report. To be taken before the store is read. */
  now(): number
  /** Nothing of this API user has changed since, as far as is known. */
  same(user: string, since: number): boolean
}

export type ChangedSinceOptions = {
  changes: Pick<ChangeFeed, 'onChange'>
  /** API users remembered by name; where there are more, everybody counts as changed. */
  maxUsers: number
  /** A token of the cloud was adopted, or may have been. */
  onAdopted: () => void
}

export function createChangedSince(options: ChangedSinceOptions): ChangedSince {
  const { changes, maxUsers, onAdopted } = options
  const changedAt = new Map<string, number>()
  let moment = 0
  /** What was read before it counts as changed, whoever it is about. */
  let floor = 0

  function forgetAll(): void {
    changedAt.clear()
    floor = moment
  }

  function take({ user, kind }: Change): void {
    if (kind === 'operator_created' || kind === 'operator_revoked') return
    changedAt.set(user, moment)
    if (kind === 'token_adopted') onAdopted()
  }

  const listening = changes.onChange((reported) => {
    moment++
    if (reported === 'unknown') {
      forgetAll()
      onAdopted()
      return
    }
    for (const change of reported) take(change)
    if (changedAt.size > maxUsers) forgetAll()
  })

  return {
    now: () => moment,
    same: (user, since) =>
      since === moment || (since >= floor && (changedAt.get(user) ?? 0) <= since),
    [Symbol.dispose]: () => listening[Symbol.dispose](),
  }
}
